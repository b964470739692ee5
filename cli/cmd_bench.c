/* mightnt bench: what this machine does, beside the limits that the project sets itself. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "options.h"

typedef struct bench {
    bool json;
    double tokens_per_s; /* of the last training step */
    mn_err err;
} bench;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* limit 0: none is set. */
static void show(const bench *b, const char *what, double value, const char *unit, double limit, bool at_most)
{
    if (b->json) {
        printf("{\"what\": \"%s\", \"value\": %.6g, \"unit\": \"%s\"", what, value, unit);
        if (limit > 0) printf(", \"limit\": %.6g, \"limit_is\": \"%s\"", limit, at_most ? "most" : "least");
        puts("}");
    } else {
        printf("%-52s %10.4g %-9s", what, value, unit);
        if (limit > 0)
            printf(" limit: %s %g%s", at_most ? "at most" : "at least", limit, (value <= limit) == at_most ? "" : "  (missed)");
        putchar('\n');
    }
    fflush(stdout);
}

static int smaller(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Rows of V symbols with lp = log softmax(2.5 N), scores 2 N, and budgets that bind. arrays: 3 of V, base, scores and policy. */
static mn_status time_row(double *ms, double *arrays, size_t V, mn_rng *rng, mn_err *err)
{
    double *base = arrays, *scores = arrays + V, *policy = arrays + 2 * V, sum = 0, lambda, nats, limit;
    for (size_t v = 0; v < V; v++) sum += exp(base[v] = 2.5 * mn_rng_normal(rng));
    for (size_t v = 0; v < V; v++) base[v] -= log(sum), scores[v] = 2 * mn_rng_normal(rng);
    mn_status status = mn_regularize(MN_REG_NONE, policy, &lambda, &limit, base, scores, NULL, 1, V, err);
    if (status != MN_OK) return status;
    limit *= .02 + .98 * mn_rng_uniform(rng);
    double begun = now();
    status = mn_regularize(MN_REG_BUDGET, policy, &lambda, &nats, base, scores, &limit, 1, V, err);
    *ms = 1e3 * (now() - begun);
    return status;
}

static mn_status bench_operator(bench *b, size_t V, double limit_ms)
{
    enum { ROWS = 41 };
    double ms[ROWS], *arrays = malloc(3 * V * sizeof *arrays);
    char what[64];
    mn_rng rng = mn_rng_split(1, V, 1000);
    mn_status status = arrays ? MN_OK : mn_fail(&b->err, MN_ERR_MEMORY, "out of memory");
    for (size_t r = 0; r < ROWS && status == MN_OK; r++) status = time_row(&ms[r], arrays, V, &rng, &b->err);
    free(arrays);
    if (status != MN_OK) return status;
    qsort(ms, ROWS, sizeof *ms, smaller);
    snprintf(what, sizeof what, "budget operator, %zu symbols, one thread", V);
    show(b, what, ms[ROWS / 2], "ms/row", limit_ms, true);
    return MN_OK;
}

static void keep_speed(void *arg, const mn_progress *p)
{
    ((bench *)arg)->tokens_per_s = p->tokens_per_s;
}

static void remove_run(const char *dir)
{
    static const char *const names[] = {"run.json",          "steps.jsonl",      "episodes.jsonl", "timing.jsonl",
                                        "heads.000000",      "heads.000001",     "heads.000002",   "checkpoint.000001",
                                        "checkpoint.000002", "checkpoint.000003"};
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

/* Rollout, reward and update from end to end on the default model. */
static mn_status bench_training(bench *b, size_t threads)
{
    static const char *const sets[] = {
        "steps=2",
        "episodes=128",
        "base_episodes=2",
        "log_every=2",
        "world.tokens=64",
        "world.prompt=A friendly teacher talks with a student about fractions. They speak in short, natural sentences."};
    char dir[] = "/tmp/mightnt-bench-XXXXXX";
    if (!mkdtemp(dir)) return mn_fail(&b->err, MN_ERR_IO, "no temporary folder can be made in /tmp");
    mn_train_opts opts = {.sets = sets,
                          .n_sets = sizeof sets / sizeof *sets,
                          .dir = dir,
                          .threads = threads,
                          .progress = keep_speed,
                          .stop = cli_interrupted,
                          .arg = b};
    mn_status status = mn_train(&opts, &b->err);
    remove_run(dir);
    if (status == MN_OK) show(b, "training on SmolLM2-135M, labels included", b->tokens_per_s, "tokens/s", 900, false);
    return status;
}

int cmd_bench(int argc, char **argv)
{
    static const mn_verb verb = {
        "bench", "", "measures this machine beside the project's limits, in about a minute", "mightnt bench",
        "One measurement each, as the machine is: nothing else should run. `./run bench` has more, with peers.\n"};
    bench b = {0};
    int64_t threads = 0;
    const mn_option options[] = {
        {"threads", 0, "N", "worker threads of the training (default: one a core)", MN_OPT_INT, &threads},
        {"json", 0, NULL, "one JSON object a line", MN_OPT_FLAG, &b.json},
    };
    int status = mn_options_parse(&verb, options, sizeof options / sizeof *options, argc, argv, NULL, 0, NULL);
    if (status) return status;
    if ((status = cli_check_threads(&verb, threads))) return status;
    cli_catch_signals();
    mn_status outcome = bench_operator(&b, 128, 0);
    if (outcome == MN_OK) outcome = bench_operator(&b, 4096, 0);
    if (outcome == MN_OK) outcome = bench_operator(&b, 49152, .1);
    if (outcome == MN_OK) outcome = bench_training(&b, (size_t)threads);
    return outcome == MN_OK ? 0 : mn_cli_fail(&b.err);
}
