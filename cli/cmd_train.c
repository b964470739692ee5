/* mightnt train: PPO under a budget. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "options.h"

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
        printf("{\"step\": %zu, \"steps\": %zu, \"return\": %.6g, \"base_return\": %.6g, \"nats\": %.6g, \"tokens_per_s\": "
               "%.1f}\n",
               p->step, p->steps, p->value, p->base_value, p->nats, p->tokens_per_s);
        fflush(stdout);
    } else if (isatty(STDERR_FILENO)) {
        fprintf(stderr, "\r\033[Kstep %zu/%zu  return %.3f (base %.3f)  nats %.2f%s  %.0f tokens/s  %s left%s", p->step,
                p->steps, p->value, p->base_value, p->nats, budget, p->tokens_per_s, left, p->step == p->steps ? "\n" : "");
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

typedef struct request {
    const char *config, *out, *resume;
    mn_strings sets;
    int64_t threads, seed;
    bool json, keys;
} request;

static const mn_verb verb = {
    "train", "[CONFIG] -o DIR | --resume DIR", "trains an agent by PPO that cannot overspend its KL budget",
    "mightnt train examples/teacher.yaml -o run --set steps=5\n"
    "mightnt train --resume run",
    "CONFIG is YAML; every key is in `mightnt train --keys`. Without CONFIG all keys have their defaults.\n"
    "The same seed gives the same steps.jsonl and episodes.jsonl, whatever the threads, also after a kill and --resume.\n"};

static int parse(request *r, int argc, char **argv)
{
    size_t n;
    const mn_option options[] = {
        {"out", 'o', "DIR", "the run directory, which must not hold a run yet", MN_OPT_STR, &r->out},
        {"resume", 0, "DIR", "goes on with an interrupted run", MN_OPT_STR, &r->resume},
        {"set", 0, "KEY=VALUE", "overrides a key of CONFIG; may be repeated", MN_OPT_STRS, &r->sets},
        {"seed", 0, "N", "the same as --set seed=N", MN_OPT_INT, &r->seed},
        {"threads", 0, "N", "worker threads (default: one a core)", MN_OPT_INT, &r->threads},
        {"json", 0, NULL, "one JSON object a step on stdout", MN_OPT_FLAG, &r->json},
        {"keys", 0, NULL, "lists the keys of CONFIG", MN_OPT_FLAG, &r->keys},
    };
    int status = mn_options_parse(&verb, options, sizeof options / sizeof *options, argc, argv, &r->config, 1, &n);
    if (status || r->keys) return status;
    if (!r->out == !r->resume) return mn_cli_usage(&verb, "expected either -o DIR (a new run) or --resume DIR");
    if (r->resume && (n || r->sets.n || r->seed >= 0))
        return mn_cli_usage(&verb, "--resume takes its configuration from the run: no CONFIG, --set or --seed");
    return cli_check_threads(&verb, r->threads);
}

static int train(const request *r, int argc, char **argv)
{
    char seed[40];
    const char **sets = calloc(r->sets.n + 1, sizeof *sets);
    char *command = command_line(argc, argv);
    mn_err err = {0};
    bool json = r->json;
    mn_train_opts opts = {.config = r->config,
                          .sets = sets,
                          .n_sets = r->sets.n,
                          .dir = r->resume ? r->resume : r->out,
                          .resume = r->resume != NULL,
                          .threads = (size_t)r->threads,
                          .command = command,
                          .progress = progress,
                          .stop = cli_interrupted,
                          .arg = &json};
    mn_status status = sets && command ? MN_OK : mn_fail(&err, MN_ERR_MEMORY, "out of memory");
    if (status == MN_OK) {
        for (size_t i = 0; i < r->sets.n; i++) sets[i] = r->sets.items[i];
        snprintf(seed, sizeof seed, "seed=%lld", (long long)r->seed);
        if (r->seed >= 0) sets[opts.n_sets++] = seed;
        cli_catch_signals();
        status = mn_train(&opts, &err);
    }
    int code = report_end(&opts, status, &err);
    if (!code && !json) printf("%s\n", opts.dir);
    free(sets);
    free(command);
    return code;
}

int cmd_train(int argc, char **argv)
{
    request r = {.seed = -1};
    int status = parse(&r, argc, argv);
    if (!status) status = r.keys ? print_keys() : train(&r, argc, argv);
    free(r.sets.items);
    return status;
}
