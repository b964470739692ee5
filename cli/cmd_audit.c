/* mightnt audit: plays every logged episode of a run again. */
#include <stdio.h>
#include <unistd.h>

#include "commands.h"
#include "options.h"

enum { SHOWN = 20 };

static void found(void *arg, const char *line)
{
    size_t *n = arg;
    if (++*n <= SHOWN) fprintf(stderr, "mightnt: %s\n", line);
    if (*n == SHOWN + 1) fprintf(stderr, "mightnt: and more; only the first %d are shown\n", SHOWN);
}

static void progress(void *arg, size_t done, size_t of)
{
    (void)arg;
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K%zu of %zu episodes replayed%s", done, of, done == of ? "\r\033[K" : "");
}

static void print_json(const mn_audit *a)
{
    printf(
        "{\"steps\": %zu, \"episodes\": %zu, \"tokens\": %zu, \"decisions\": %zu, \"differences\": %zu, \"same_machine\": %s, "
        "\"tolerance_nats\": %.3g, \"worst_difference_nats\": %.17g, \"mean_log_ratio_nats\": %.17g, \"mean_nats\": %.17g, "
        "\"z\": %.17g, "
        "\"worst_spent_share\": %.17g, \"unchecked_policy\": %zu, \"unchecked_rewards\": %zu}\n",
        a->steps, a->episodes, a->tokens, a->decisions, a->differences, a->same_machine ? "true" : "false", a->tolerance,
        a->worst, a->mean_log_ratio, a->mean_nats, a->z, a->worst_spent_share, a->unchecked_policy, a->unchecked_rewards);
}

static void print_text(const mn_audit *a)
{
    printf("%zu episodes of %zu steps, %zu tokens (%zu decisions) replayed %s\n", a->episodes, a->steps, a->tokens,
           a->decisions, a->same_machine ? "bit for bit" : "within a tolerance");
    if (!a->same_machine)
        printf("tolerance     %.3g nats (the run is from another machine or build); largest difference %.3g\n", a->tolerance,
               a->worst);
    printf("differences   %zu\n", a->differences);
    printf("budget        at most %.6f of it was spent in any episode\n", a->worst_spent_share);
    printf("charged       %.6g nats a decision; the log ratios average %.6g (z = %.2f)\n", a->mean_nats, a->mean_log_ratio,
           a->z);
    if (a->unchecked_policy)
        printf("not checked   lp_policy and nats of %zu decisions: the heads that played them are not there\n",
               a->unchecked_policy);
    if (a->unchecked_rewards) printf("not checked   %zu rewards of an outside command\n", a->unchecked_rewards);
}

int cmd_audit(int argc, char **argv)
{
    static const mn_verb verb = {"audit", "DIR", "replays a run's log and checks every token, charge, sum and budget",
                                 "mightnt audit run",
                                 "Exit status 1 where anything differs, with the episode and token on stderr.\n"};
    const char *dir = NULL;
    int64_t threads = 0;
    bool json = false;
    size_t n, differences = 0;
    const mn_option options[] = {
        {"threads", 0, "N", "worker threads (default: one a core)", MN_OPT_INT, &threads},
        {"json", 0, NULL, "the result as one JSON object", MN_OPT_FLAG, &json},
    };
    int status = mn_options_parse(&verb, options, sizeof options / sizeof *options, argc, argv, &dir, 1, &n);
    if (status) return status;
    if (!n) return mn_cli_usage(&verb, "expected a run directory");
    if ((status = cli_check_threads(&verb, threads))) return status;
    mn_audit result;
    mn_err err = {0};
    mn_audit_opts opts = {.dir = dir,
                          .threads = (size_t)threads,
                          .found = found,
                          .progress = progress,
                          .stop = cli_interrupted,
                          .arg = &differences};
    cli_catch_signals();
    mn_status outcome = mn_audit_run(&result, &opts, &err);
    if (outcome != MN_OK && outcome != MN_ERR_CHECK) return mn_cli_fail(&err);
    if (json)
        print_json(&result);
    else
        print_text(&result);
    return outcome == MN_OK ? 0 : mn_cli_fail(&err);
}
