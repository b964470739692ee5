/* mightnt plan: the exact agent. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "options.h"

typedef struct request {
    const char *config, *out;
    mn_strings sets;
    int64_t threads, seed, transcripts;
    bool json, per_turn, keys, begun;
} request;

/* The shortest decimal that reads back as the same double; infinity as our JSON has it. */
static void print_number(double x)
{
    char text[40];
    double back;
    if (isnan(x) || isinf(x)) {
        printf(isnan(x) ? "null" : x > 0 ? "\"inf\"" : "\"-inf\"");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (mn_text_num(&back, text) == MN_OK && back == x) break;
    }
    printf("%s", text);
}

static void print_key(const char *key, double x)
{
    printf(", \"%s\": ", key);
    print_number(x);
}

static void print_per_turn(const mn_plan_answer *a)
{
    printf(", \"per_turn\": [");
    for (size_t t = 0; t < a->turns; t++) {
        printf(t ? ", [" : "[");
        for (size_t k = 0; k < 4; k++) {
            if (k) printf(", ");
            print_number(a->per_turn[4 * t + k]);
        }
        printf("]");
    }
    printf("]");
}

static void print_json(const mn_plan_answer *a, bool per_turn)
{
    printf("{\"budget\": ");
    print_number(a->budget);
    print_key("value", a->value);
    print_key("value_above", a->value_above);
    print_key("eta", a->eta);
    print_key("kl_base_nats", a->kl_base_nats);
    print_key("kl_demonstrator_nats", a->kl_demonstrator_nats);
    print_key("worst_observation_kl_nats", a->worst_observation_kl_nats);
    print_key("help_per_episode", a->help_per_episode);
    print_key("help_slack_nats", a->help_slack_nats);
    printf(", \"states\": %zu", a->states);
    if (per_turn) print_per_turn(a);
    printf("}\n");
}

static void print_row(const mn_plan_answer *a, bool head)
{
    if (head)
        printf("%10s %10s %12s %16s %12s %10s %12s %10s\n", "budget", "value", "kl to base", "to demonstrator", "worst case",
               "help", "help slack", "states");
    printf("%10.6g %10.6f %12.6f %16.6f %12.6f %10.6f %12.6f %10zu\n", a->budget, a->value, a->kl_base_nats,
           a->kl_demonstrator_nats, a->worst_observation_kl_nats, a->help_per_episode, a->help_slack_nats, a->states);
    if (a->value_above > a->value) printf("%10s %10.6f  no policy is better\n", "", a->value_above);
}

static void print_turns(const mn_plan_answer *a)
{
    printf("\n%6s %12s %16s %10s %10s\n", "turn", "kl to base", "to demonstrator", "reward", "help");
    for (size_t t = 0; t < a->turns; t++) {
        const double *row = a->per_turn + 4 * t;
        printf("%6zu %12.6f %16.6f %10.6f %10.6f\n", t + 1, row[0], row[1], row[2], row[3]);
    }
    printf("\n");
}

static void print_episode(const mn_plan_answer *a, size_t episode)
{
    printf("\nbudget %g, episode %zu\n", a->budget, episode);
    for (size_t t = 0; t < a->turns; t++) {
        const mn_plan_turn *turn = a->episodes + episode * a->turns + t;
        printf("  %s: %s  (%s%s, %.3g nats)\n", a->roles[0], turn->sentence, turn->move, turn->helped ? ", helped" : "",
               turn->nats);
        printf("  %s: %s  (%s, %g)\n", a->roles[1], turn->answer_sentence, turn->answer, turn->reward);
    }
}

static void answer(void *arg, const mn_plan_answer *a)
{
    request *r = arg;
    if (r->json)
        print_json(a, r->per_turn);
    else
        print_row(a, !r->begun || r->per_turn || a->sampled);
    if (!r->json && r->per_turn) print_turns(a);
    for (size_t e = 0; !r->json && e < a->sampled; e++) print_episode(a, e);
    if (!r->json && a->sampled) printf("\n");
    r->begun = true;
    fflush(stdout);
}

static int print_keys(void)
{
    char *text;
    mn_err err;
    if (mn_plan_keys(&text, &err) != MN_OK) return mn_cli_fail(&err);
    fputs(text, stdout);
    free(text);
    return 0;
}

static const mn_verb verb = {
    "plan", "[CONFIG] [--json]", "computes the optimal agent of a small world under each budget",
    "mightnt plan examples/classroom.yaml --set budgets=[0,5,10]\n"
    "mightnt plan examples/mightnt.yaml --per-turn --transcripts 1",
    "CONFIG is YAML; every key is in `mightnt plan --keys`. Without CONFIG all keys have their defaults. One line a budget:\n"
    "the mean reward of the best policy within it; its KL in nats to the base, and to the demonstrator; its KL to the base\n"
    "if each answer were the costliest; how often it asks for help. All are expected values over an episode, computed, not\n"
    "sampled.\n"};

static int parse(request *r, int argc, char **argv)
{
    size_t n;
    const mn_option options[] = {
        {"out", 'o', "DIR", "keeps plans, policies and transcripts there", MN_OPT_STR, &r->out},
        {"set", 0, "KEY=VALUE", "overrides a key of CONFIG; may be repeated", MN_OPT_STRS, &r->sets},
        {"seed", 0, "N", "the same as --set seed=N", MN_OPT_INT, &r->seed},
        {"threads", 0, "N", "worker threads (default: one a core)", MN_OPT_INT, &r->threads},
        {"transcripts", 0, "N", "samples so many episodes of each plan, in words", MN_OPT_INT, &r->transcripts},
        {"per-turn", 0, NULL, "KL, reward and help of each exchange too", MN_OPT_FLAG, &r->per_turn},
        {"json", 0, NULL, "one JSON object a budget", MN_OPT_FLAG, &r->json},
        {"keys", 0, NULL, "lists the keys of CONFIG", MN_OPT_FLAG, &r->keys},
    };
    int status = mn_options_parse(&verb, options, sizeof options / sizeof *options, argc, argv, &r->config, 1, &n);
    if (status || r->keys) return status;
    if (r->transcripts < 0 || r->transcripts > 1000000) return mn_cli_usage(&verb, "--transcripts: expected 0 to 1000000");
    return cli_check_threads(&verb, r->threads);
}

static int plan(request *r)
{
    char seed[40];
    const char **sets = calloc(r->sets.n + 1, sizeof *sets);
    mn_err err = {0};
    mn_plan_opts opts = {.config = r->config,
                         .sets = sets,
                         .n_sets = r->sets.n,
                         .dir = r->out,
                         .threads = (size_t)r->threads,
                         .sampled = (size_t)r->transcripts,
                         .answer = answer,
                         .stop = cli_interrupted,
                         .arg = r};
    if (!sets) return mn_cli_fail(&(mn_err){.code = MN_ERR_MEMORY, .message = "out of memory"});
    for (size_t i = 0; i < r->sets.n; i++) sets[i] = r->sets.items[i];
    snprintf(seed, sizeof seed, "seed=%lld", (long long)r->seed);
    if (r->seed >= 0) sets[opts.n_sets++] = seed;
    cli_catch_signals();
    mn_status status = mn_plan(&opts, &err);
    free(sets);
    return status == MN_OK ? 0 : mn_cli_fail(&err);
}

int cmd_plan(int argc, char **argv)
{
    request r = {.seed = -1};
    int status = parse(&r, argc, argv);
    if (!status) status = r.keys ? print_keys() : plan(&r);
    free(r.sets.items);
    return status;
}
