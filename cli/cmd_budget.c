/* mightnt budget: the budget operator by itself. */
#include <math.h>
#include <stdio.h>

#include "commands.h"
#include "options.h"

static void print_json(void *arg, const mn_budget_answer *a)
{
    (void)arg;
    printf("{\"lambda\": ");
    cli_print_number(a->lambda);
    printf(", \"nats\": ");
    cli_print_number(a->nats);
    printf(", \"policy\": [");
    for (size_t i = 0; i < a->V; i++) {
        if (i) printf(", ");
        cli_print_number(a->policy[i]);
    }
    printf("]}\n");
    fflush(stdout);
}

/* The entries whose probability rose most and fell most, in points of a hundred. */
static void print_text(void *arg, const mn_budget_answer *a)
{
    bool *begun = arg;
    size_t up = 0, down = 0;
    for (size_t i = 1; i < a->V; i++) {
        if (a->policy[i] - a->base[i] > a->policy[up] - a->base[up]) up = i;
        if (a->policy[i] - a->base[i] < a->policy[down] - a->base[down]) down = i;
    }
    if (!*begun)
        printf("%8s %8s %12s %12s %10s  %-30s %s\n", "line", "entries", "limit_nats", "nats", "lambda", "rose most",
               "fell most");
    *begun = true;
    char rose[64], fell[64];
    snprintf(rose, sizeof rose, "%zu: %.4g -> %.4g", up, a->base[up], a->policy[up]);
    snprintf(fell, sizeof fell, "%zu: %.4g -> %.4g", down, a->base[down], a->policy[down]);
    printf("%8zu %8zu %12.6g %12.6g %10.6g  %-30s %s\n", a->line, a->V, a->limit, a->nats, a->lambda,
           a->lambda > 0 ? rose : "-", a->lambda > 0 ? fell : "-");
    fflush(stdout);
}

int cmd_budget(int argc, char **argv)
{
    static const mn_verb verb = {
        "budget", "[FILE] [--limit NATS] [--json]", "tilts base policies towards scores as far as a budget of nats allows",
        "echo '{\"base\": [0.5, 0.3, 0.2], \"scores\": [0, 1, 2], \"budget_nats\": 0.1}' | mightnt budget --json\n"
        "mightnt budget rows.jsonl --limit 0.5",
        "Each line: {\"base\": [probabilities], \"scores\": [...], \"budget_nats\": b}, or \"lp_base\" with natural\n"
        "logarithms in place of \"base\"; \"help\": mass makes one more entry, last. Infinities are \"inf\" and \"-inf\";\n"
        "a score of \"-inf\" forbids the entry if the budget can afford it. The answer: the largest lambda in [0, 1] such\n"
        "that the policy, base * exp(lambda * scores) normalised, is within budget_nats of the base: KL(policy || base) <=\n"
        "budget_nats; the nats spent; the policy. Without FILE, or with -, rows are read from stdin and answered as they\n"
        "come. --json: one object a line.\n"};
    const char *file = "-";
    double limit = NAN;
    bool json = false, begun = false;
    size_t n;
    const mn_option options[] = {
        {"limit", 'l', "NATS", "the budget of rows that have none", MN_OPT_NUM, &limit},
        {"json", 0, NULL, "one JSON object a row", MN_OPT_FLAG, &json},
    };
    int status = mn_options_parse(&verb, options, sizeof options / sizeof *options, argc, argv, &file, 1, &n);
    if (status) return status;
    if (limit < 0) return mn_cli_usage(&verb, "--limit: expected at least 0, got %g", limit);
    mn_err err;
    if (mn_budget_file(file, isnan(limit) ? -1 : limit, json ? print_json : print_text, json ? NULL : &begun, &err) != MN_OK)
        return mn_cli_fail(&err);
    return 0;
}
