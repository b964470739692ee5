/* Times what a rollout asks of a language model: sessions forked from a prefilled prompt, one symbol each a decode, features,
 * the whole vocabulary's probabilities, a draw over 512 cells. One worker, then as many as there are threads, each with its own
 * sessions. Beside it: bench/peers/batched_bench.sh.
 * usage: bench_rollout MODEL.gguf [sessions] [symbols] [threads] [weights] */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/threads.h"
#include "regularize/cells.h"

enum { PROMPT = 16, CELLS = 512 };

typedef struct rollout {
    mn_model *model;
    size_t sessions, symbols;
    double cpu_s[64];
} rollout;

/* What one worker has. */
typedef struct seat {
    mn_worker *worker;
    mn_session *sessions[257]; /* the first holds the prompt */
    double *lp, lp_cells[CELLS + 1];
    float *x;
    int32_t ids[CELLS];
} seat;

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static mn_status open_seat(seat *s, const rollout *r, mn_err *err)
{
    int32_t prompt[PROMPT];
    for (int i = 0; i < PROMPT; i++) prompt[i] = 100 + i;
    s->lp = malloc(mn_model_alphabet(r->model) * sizeof *s->lp);
    s->x = malloc(mn_model_features(r->model) * sizeof *s->x);
    if (!s->lp || !s->x) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    MN_TRY(mn_worker_new(&s->worker, r->model, r->sessions + 1, PROMPT + r->symbols, err));
    MN_TRY(mn_session_begin(&s->sessions[0], s->worker, err));
    MN_TRY(mn_session_append(s->sessions[0], prompt, PROMPT - 1, err));
    MN_TRY(mn_advance(s->sessions, 1, err));
    for (size_t i = 1; i <= r->sessions; i++) {
        MN_TRY(mn_session_fork(&s->sessions[i], s->sessions[0], err));
        MN_TRY(mn_session_append(s->sessions[i], &prompt[PROMPT - 1], 1, err));
    }
    return MN_OK;
}

static mn_status play_symbol(seat *s, const rollout *r, mn_rng *rng, mn_err *err)
{
    size_t A = mn_model_alphabet(r->model), M = A < CELLS ? A : CELLS;
    mn_sampled drawn;
    MN_TRY(mn_advance(s->sessions + 1, r->sessions, err));
    for (size_t i = 1; i <= r->sessions; i++) {
        MN_TRY(mn_session_features(s->sessions[i], s->x, err));
        MN_TRY(mn_session_predict(s->sessions[i], s->lp, err));
        MN_TRY(mn_cells_select(s->ids, s->lp_cells, s->lp, A, M, NULL, 0, err));
        double u = mn_rng_uniform(rng), v = mn_rng_uniform(rng);
        mn_cells_sample(&drawn, s->lp_cells, s->lp_cells, s->ids, M, s->lp, A, u, v);
        MN_TRY(mn_session_append(s->sessions[i], &drawn.id, 1, err));
    }
    return MN_OK;
}

static mn_status play(void *arg, size_t task, size_t thread, mn_err *err)
{
    rollout *r = arg;
    seat s = {0};
    mn_rng rng = mn_rng_split(1, task, 1000);
    (void)thread;
    mn_status status = open_seat(&s, r, err);
    double from = now(CLOCK_THREAD_CPUTIME_ID);
    for (size_t t = 1; t < r->symbols && status == MN_OK; t++) status = play_symbol(&s, r, &rng, err);
    r->cpu_s[task] = now(CLOCK_THREAD_CPUTIME_ID) - from;
    mn_worker_free(s.worker);
    free(s.lp);
    free(s.x);
    return status;
}

static mn_status report(rollout *r, size_t threads, mn_err *err)
{
    double from = now(CLOCK_MONOTONIC), cpu = 0, decoded = (double)(threads * r->sessions * (r->symbols - 1));
    MN_TRY(mn_parallel(threads, threads, play, r, err));
    double wall = now(CLOCK_MONOTONIC) - from;
    for (size_t i = 0; i < threads; i++) cpu += r->cpu_s[i];
    printf("%zu worker%s of %zu sessions: %.0f symbols a second (prefill included), %.0f for each second of a worker's "
           "processor time\n",
           threads, threads == 1 ? "" : "s", r->sessions, decoded / wall, decoded / cpu);
    return MN_OK;
}

static int run(rollout *r, const mn_lm_opts *opts, size_t threads)
{
    mn_err err;
    char line[1200];
    mn_status status = mn_lm_open(&r->model, opts, &err);
    if (status == MN_OK) {
        printf("%s\n", mn_model_weights(r->model));
        status = report(r, 1, &err);
        if (status == MN_OK && threads > 1) status = report(r, threads, &err);
        mn_model_free(r->model);
    }
    if (status == MN_OK) return 0;
    mn_err_format(&err, line, sizeof line);
    fprintf(stderr, "bench_rollout: %s\n", line);
    return mn_exit_status(status);
}

int main(int argc, char **argv)
{
    int64_t n[3] = {64, 64, 2}, most[3] = {256, 4096, 64};
    for (int i = 0; i < 3; i++)
        if (argc > 2 + i && (mn_text_int(&n[i], argv[2 + i]) != MN_OK || n[i] < 1 || n[i] > most[i])) argc = 0;
    if (argc < 2) return fprintf(stderr, "usage: bench_rollout MODEL.gguf [sessions] [symbols] [threads] [weights]\n"), 2;
    rollout r = {.sessions = (size_t)n[0], .symbols = (size_t)n[1]};
    mn_lm_opts opts = {.path = argv[1], .weights = argc > 5 ? argv[5] : NULL};
    return run(&r, &opts, (size_t)n[2]);
}
