/* mightnt train: PPO under a budget. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "options.h"

static volatile sig_atomic_t interrupted;

static void on_signal(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

/* The first Ctrl-C ends the run in order; a second one at once. */
void cli_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool cli_interrupted(void *arg)
{
    (void)arg;
    return interrupted;
}

static void show_time(char *out, size_t size, double seconds)
{
    int s = (int)(seconds + .5);
    if (s >= 3600)
        snprintf(out, size, "%dh%02dm", s / 3600, s / 60 % 60);
    else
        snprintf(out, size, "%dm%02ds", s / 60, s % 60);
}

static void progress(void *arg, const mn_progress *p)
{
    const bool *json = arg;
    char left[32], budget[32] = "";
    show_time(left, sizeof left, p->seconds_left);
    if (p->budget_nats < 1e300) snprintf(budget, sizeof budget, " of %.3g", p->budget_nats);
    if (*json) {
        printf("{\"step\": %zu, \"steps\": %zu, \"return\": %.6g, \"base_return\": %.6g, \"nats\": %.6g, \"tokens_per_s\": %.1f}\n", p->step, p->steps,
               p->value, p->base_value, p->nats, p->tokens_per_s);
        fflush(stdout);
    } else if (isatty(STDERR_FILENO)) {
        fprintf(stderr, "\r\033[Kstep %zu/%zu  return %.3f (base %.3f)  nats %.2f%s  %.0f tokens/s  %s left%s", p->step, p->steps, p->value,
                p->base_value, p->nats, budget, p->tokens_per_s, left, p->step == p->steps ? "\n" : "");
        fflush(stderr);
    }
}

/* The command as typed, for run.json. Released by free. */
static char *command_line(int argc, char **argv)
{
    size_t size = strlen("mightnt") + 1;
    for (int i = 0; i < argc; i++) size += strlen(argv[i]) + 1;
    char *line = malloc(size), *at = line;
    if (!line) return NULL;
    at += sprintf(at, "mightnt");
    for (int i = 0; i < argc; i++) at += sprintf(at, " %s", argv[i]);
    return line;
}

static int report_end(const mn_train_opts *opts, mn_status status, const mn_err *err)
{
    if (status != MN_OK) {
        if (isatty(STDERR_FILENO)) fputs("\r\033[K", stderr);
        int code = mn_cli_fail(err);
        if (status == MN_ERR_INTERRUPTED) fprintf(stderr, "mightnt: go on with: mightnt train --resume %s\n", opts->dir);
        return code;
    }
    return 0;
}

static int print_keys(void)
{
    char *text;
    mn_err err;
    if (mn_train_keys(&text, &err) != MN_OK) return mn_cli_fail(&err);
    fputs(text, stdout);
    free(text);
    return 0;
}

int cmd_train(int argc, char **argv)
{
    static const mn_verb verb = {
        "train", "[CONFIG] -o DIR | --resume DIR", "trains an agent by PPO that cannot overspend its KL budget",
        "mightnt train examples/teacher.yaml -o run --set steps=5\n"
        "mightnt train --resume run",
        "CONFIG is YAML; every key is in `mightnt train --keys`. Without CONFIG all keys have their defaults.\n"
        "The same seed gives the same steps.jsonl and episodes.jsonl, whatever the threads, also after a kill and --resume.\n"};
    const char *config = NULL, *out = NULL, *resume = NULL;
    mn_strings sets = {0};
    int64_t threads = 0, seed = -1;
    bool json = false, keys = false;
    size_t n;
    const mn_option options[] = {
        {"out", 'o', "DIR", "the run directory, which must not hold a run yet", MN_OPT_STR, &out},
        {"resume", 0, "DIR", "goes on with an interrupted run", MN_OPT_STR, &resume},
        {"set", 0, "KEY=VALUE", "overrides a key of CONFIG; may be repeated", MN_OPT_STRS, &sets},
        {"seed", 0, "N", "the same as --set seed=N", MN_OPT_INT, &seed},
        {"threads", 0, "N", "worker threads (default: one a core)", MN_OPT_INT, &threads},
        {"json", 0, NULL, "one JSON object a step on stdout", MN_OPT_FLAG, &json},
        {"keys", 0, NULL, "lists the keys of CONFIG", MN_OPT_FLAG, &keys},
    };
    int status = mn_options_parse(&verb, options, sizeof options / sizeof *options, argc, argv, &config, 1, &n);
    if (status) return status;
    if (keys) return print_keys();
    if (!out == !resume) return mn_cli_usage(&verb, "expected either -o DIR (a new run) or --resume DIR");
    if (resume && (n || sets.n || seed >= 0)) return mn_cli_usage(&verb, "--resume takes its configuration from the run: no CONFIG, --set or --seed");
    if (threads < 0 || threads > 1024) return mn_cli_usage(&verb, "--threads: expected 1 to 1024, or 0 for one a core");
    char seed_set[40];
    const char **all = calloc(sets.n + 1, sizeof *all);
    char *command = command_line(argc, argv);
    if (!all || !command) return mn_cli_fail(&(mn_err){.code = MN_ERR_MEMORY, .message = "out of memory"});
    for (size_t i = 0; i < sets.n; i++) all[i] = sets.items[i];
    if (seed >= 0) {
        snprintf(seed_set, sizeof seed_set, "seed=%lld", (long long)seed);
        all[sets.n++] = seed_set;
    }
    mn_err err = {0};
    mn_train_opts opts = {.config = n ? config : NULL, .sets = all, .n_sets = sets.n, .dir = resume ? resume : out, .resume = resume != NULL,
                          .threads = (size_t)threads, .command = command, .progress = progress, .stop = cli_interrupted, .arg = &json};
    cli_catch_signals();
    status = report_end(&opts, mn_train(&opts, &err), &err);
    if (!status && !json) printf("%s\n", opts.dir);
    free(all);
    free(command);
    free(sets.items);
    return status;
}
