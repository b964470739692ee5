/* Times PPO updates: 16,384 samples x 4 epochs, 256 features, two layers of 128, minibatch 2048. First the objective of
 * bench/peers/ppo_torch.py, then through the budget operator. Also one row forward, and the product beneath it all.
 * usage: bench_ppo [repeats] */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "learn/kernels.h"
#include "learn/ppo.h"

enum { N = 64 * 256, F = 256, H = 128, EPISODE = 256 };

static void must(mn_status status, const mn_err *err)
{
    char line[1200];
    if (status == MN_OK) return;
    mn_err_format(err, line, sizeof line);
    fprintf(stderr, "bench_ppo: %s\n", line);
    exit(mn_exit_status(status));
}

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* ---- the update -------------------------------------------------------------------------------------------- */

/* A normal base of deviation 2, actions drawn from it, rewards uniform, a critic that is 0. */
static void make_samples(mn_ppo_samples *s, size_t M, size_t A, mn_rng *rng, mn_err *err)
{
    size_t V = M + 1;
    double base[1024], rewards[EPISODE], values[EPISODE] = {0}, advantage[EPISODE], target[EPISODE];
    must(mn_ppo_samples_new(s, N, F, M, err), err);
    for (size_t i = 0; i < N * F; i++) s->x[i] = (float)mn_rng_normal(rng);
    for (size_t i = 0; i < N; i++) {
        double sum = 0;
        for (size_t v = 0; v < V; v++) sum += exp(base[v] = 2 * mn_rng_normal(rng));
        for (size_t v = 0; v < V; v++) s->lp_cells[i * V + v] = (float)(base[v] -= log(sum));
        for (size_t j = 0; j < M; j++) s->ids[i * M + j] = (int32_t)(j * (A / M));
        s->chosen[i] = (int32_t)mn_sample(base, V, mn_rng_uniform(rng));
        s->lp_old[i] = (float)base[s->chosen[i]];
        s->offset[i] = s->logit[i] = (float)-log((double)(EPISODE - i % EPISODE));
        s->remaining[i] = 10;
    }
    for (size_t at = 0; at < N; at += EPISODE) {
        for (size_t i = 0; i < EPISODE; i++) rewards[i] = mn_rng_uniform(rng);
        mn_gae(advantage, target, rewards, values, EPISODE, .99, .95);
        for (size_t i = 0; i < EPISODE; i++) {
            s->advantage[at + i] = (float)advantage[i];
            s->target[(at + i) * MN_ESTIMATES] = (float)target[i];
        }
    }
}

/* Heads that have learnt a little, so that the operator has work to do. */
static void stir(mn_heads *heads, mn_rng *rng)
{
    const mn_layer *last = &heads->layers[MN_ACTOR][MN_LAYERS - 1];
    mn_heads_init(heads, rng);
    for (size_t i = 0; i < last->in * last->out; i++) heads->params[last->weights + i] = (float)(.05 * mn_rng_normal(rng));
}

static void time_update(const char *name, mn_reg_kind kind, size_t M, size_t E, size_t repeats)
{
    mn_err err = {0};
    mn_rng rng = mn_rng_split(1, 0, MN_STREAM_USER);
    mn_ppo_samples samples;
    mn_heads heads;
    mn_adam adam;
    mn_ppo_stats stats;
    size_t A = E ? 49152 : M;
    float *embeddings = calloc(A, (E ? E : 1) * sizeof *embeddings);
    double took[64];
    make_samples(&samples, M, A, &rng, &err);
    must(mn_heads_new(&heads, F, H, (E ? E : A) + 2, &err), &err);
    must(mn_adam_new(&adam, heads.n, &err), &err);
    for (size_t i = 0; i < A * E; i++) embeddings[i] = (float)mn_rng_normal(&rng);
    for (size_t threads = 1; threads <= 2; threads++) {
        clockid_t clock = threads == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC;
        mn_ppo_opts opts = {.kind = kind, .embeddings = E ? embeddings : NULL, .clip = .2, .epochs = 4, .minibatch = 2048,
                            .learning_rate = 3e-4, .value_coefficient = 1, .kl_coefficient = kind == MN_REG_NONE ? .05 : 0,
                            .normalise_advantage = true, .threads = threads};
        stir(&heads, &rng);
        for (size_t i = 0; i < repeats; i++) {
            double begin = now(clock);
            must(mn_ppo_update(&stats, &heads, &adam, &samples, &opts, &rng, &err), &err);
            took[i] = now(clock) - begin;
        }
        qsort(took, repeats, sizeof *took, rising);
        printf("%s\t%zu\t%.4f\t%.4f\ts (min, median)\n", name, threads, took[0], took[repeats / 2]);
        fflush(stdout);
    }
    free(embeddings);
    mn_adam_free(&adam);
    mn_heads_free(&heads);
    mn_ppo_samples_free(&samples);
}

/* ---- its parts ----------------------------------------------------------------------------------------------- */

static void time_row(void)
{
    mn_err err = {0};
    mn_heads heads;
    mn_rng rng = mn_rng_split(2, 0, MN_STREAM_USER);
    float x[F], out[66];
    double took[101];
    must(mn_heads_new(&heads, F, H, 66, &err), &err);
    stir(&heads, &rng);
    for (size_t i = 0; i < F; i++) x[i] = (float)mn_rng_normal(&rng);
    for (size_t i = 0; i < 101; i++) {
        double begin = now(CLOCK_PROCESS_CPUTIME_ID);
        for (size_t k = 0; k < 100; k++) mn_heads_actor_row(&heads, out, x);
        took[i] = (now(CLOCK_PROCESS_CPUTIME_ID) - begin) / 100;
    }
    qsort(took, 101, sizeof *took, rising);
    printf("actor, one row, 66 outputs\t1\t%.3g\t%.3g\tus (min, median)\n", 1e6 * took[0], 1e6 * took[50]);
    mn_heads_free(&heads);
}

static void time_product(size_t m, size_t n, size_t k)
{
    float *a = aligned_alloc(64, m * k * sizeof *a), *b = aligned_alloc(64, mn_packed(k, n) * sizeof *b);
    float *c = aligned_alloc(64, m * n * sizeof *c), *bias = calloc(n, sizeof *bias);
    double took[101];
    for (size_t i = 0; i < m * k; i++) a[i] = 1e-3f * (float)(i % 7);
    for (size_t i = 0; i < mn_packed(k, n); i++) b[i] = 1e-3f * (float)(i % 5);
    for (size_t i = 0; i < 101; i++) {
        double begin = now(CLOCK_PROCESS_CPUTIME_ID);
        mn_product(c, n, a, k, 1, b, bias, m, n, k);
        took[i] = now(CLOCK_PROCESS_CPUTIME_ID) - begin;
    }
    qsort(took, 101, sizeof *took, rising);
    double flop = 2 * (double)m * (double)n * (double)k;
    printf("product %zu x %zu x %zu\t1\t%.0f\t%.0f\tGFLOP/s (best, median)\n", m, k, n, 1e-9 * flop / took[0],
           1e-9 * flop / took[50]);
    free(a);
    free(b);
    free(c);
    free(bias);
}

int main(int argc, char **argv)
{
    int64_t repeats = 7;
    if (argc > 1 && (mn_text_int(&repeats, argv[1]) != MN_OK || repeats < 1 || repeats > 64)) {
        fprintf(stderr, "usage: bench_ppo [repeats, 1 to 64]\n");
        return 2;
    }
    printf("what\tthreads\tmin\tmedian\tunit\n");
    time_update("the peer's objective, 512 scores", MN_REG_NONE, 511, 0, (size_t)repeats);
    time_update("budget, 512 cells", MN_REG_BUDGET, 511, 0, (size_t)repeats);
    time_update("budget, 128 cells, embeddings of 64", MN_REG_BUDGET, 127, 64, (size_t)repeats);
    time_row();
    time_product(128, 128, 256);
    time_product(128, 512, 128);
    time_product(2048, 1024, 256);
    return 0;
}
