/* Times the budget operator, forward and with gradients, beside the machine's limits: one pass of exp, and reading the two
 * input rows. Rows as bench/peers/budget_*.py make them: lp = log softmax(2.5 N), scores 2 N, budget U(.02, 1.05) times the KL at
 * l = 1, so that about 97% of the rows bind. CPU microseconds a row, one thread: median of 15 rounds.
 *   bench_regularize [V...] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "regularize/tilt.h"

typedef struct rows {
    size_t B, V;
    double *lp, *z, *limit, *policy, *lambda, *nats, *g, *h, *d_scores, *d_limit;
    double sink;
} rows;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double *numbers(size_t n)
{
    double *x = malloc(n * sizeof *x);
    if (!x) exit(4);
    return x;
}

static void must(mn_status status, const mn_err *err)
{
    if (status == MN_OK) return;
    fprintf(stderr, "%s\n", err->message);
    exit(mn_exit_status(status));
}

static rows make(size_t B, size_t V)
{
    rows r = {.B = B, .V = V, .lp = numbers(B * V), .z = numbers(B * V), .limit = numbers(B), .policy = numbers(B * V),
              .lambda = numbers(B), .nats = numbers(B), .g = numbers(B * V), .h = numbers(B), .d_scores = numbers(B * V),
              .d_limit = numbers(B)};
    mn_rng rng = mn_rng_split(1, V, 1000);
    mn_err err;
    for (size_t b = 0; b < B; b++) {
        double sum = 0;
        for (size_t i = b * V; i < (b + 1) * V; i++) r.lp[i] = 2.5 * mn_rng_normal(&rng), sum += exp(r.lp[i]);
        for (size_t i = b * V; i < (b + 1) * V; i++) {
            r.lp[i] -= log(sum), r.z[i] = 2 * mn_rng_normal(&rng), r.g[i] = mn_rng_normal(&rng);
        }
        r.h[b] = mn_rng_normal(&rng);
    }
    must(mn_regularize(MN_REG_NONE, r.policy, r.lambda, r.limit, r.lp, r.z, NULL, B, V, &err), &err);
    for (size_t b = 0; b < B; b++) r.limit[b] *= .02 + 1.03 * mn_rng_uniform(&rng);
    return r;
}

static void forward(rows *r)
{
    mn_err err;
    must(mn_regularize(MN_REG_BUDGET, r->policy, r->lambda, r->nats, r->lp, r->z, r->limit, r->B, r->V, &err), &err);
}

static void backward(rows *r)
{
    mn_err err;
    must(mn_regularize_backward(MN_REG_BUDGET, r->d_scores, r->d_limit, r->g, r->h, r->policy, r->lambda, r->lp, r->z, r->limit,
                                r->B, r->V, &err),
         &err);
}

static void exp_pass(rows *r)
{
    for (size_t b = 0; b < r->B; b++) r->sink += mn_tilt()->rest(r->lp + b * r->V, 0, r->V, NULL, 0, 0);
}

static void read_pass(rows *r)
{
    for (size_t b = 0; b < r->B; b++) r->sink += memcmp(r->lp + b * r->V, r->d_scores + b * r->V, r->V * sizeof(double));
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* CPU microseconds a row. */
static double timed(void (*fn)(rows *), rows *r)
{
    enum { ROUNDS = 15 };
    double t[ROUNDS];
    size_t times = 1 + (1 << 19) / (r->B * r->V);
    fn(r);
    for (int i = 0; i < ROUNDS; i++) {
        double from = now();
        for (size_t k = 0; k < times; k++) fn(r);
        t[i] = (now() - from) * 1e6 / (double)(times * r->B);
    }
    qsort(t, ROUNDS, sizeof *t, by_size);
    return t[ROUNDS / 2];
}

int main(int argc, char **argv)
{
    const char *standard[] = {"", "27", "128", "512", "4096", "32000", "49152"};
    char **list = argc > 1 ? argv : (char **)standard;
    int n = argc > 1 ? argc : 7;
    printf("V\tforward_us\tbackward_us\texp_pass_us\tread_pass_us\tforward_in_exp_passes\tbound\tworst_shortfall\n");
    for (int k = 1; k < n; k++) {
        size_t V = strtoul(list[k], NULL, 10), B = V > 4096 ? 32 : 256, bound = 0;
        if (V < 1 || V > 1 << 24) return fprintf(stderr, "V: expected 1 to %d, got %s\n", 1 << 24, list[k]), 2;
        rows r = make(B, V);
        double short_of = 0, ahead, behind, one_exp, one_read;
        ahead = timed(forward, &r), behind = timed(backward, &r), one_exp = timed(exp_pass, &r);
        memcpy(r.d_scores, r.lp, B * V * sizeof *r.lp);
        one_read = timed(read_pass, &r);
        for (size_t b = 0; b < B; b++)
            if (r.lambda[b] < 1) bound++, short_of = fmax(short_of, 1 - r.nats[b] / r.limit[b]);
        printf("%zu\t%.3f\t%.3f\t%.3f\t%.3f\t%.2f\t%zu/%zu\t%.1e\n", V, ahead, behind, one_exp, one_read, ahead / one_exp,
               bound, B, short_of);
        double *all[] = {r.lp, r.z, r.limit, r.policy, r.lambda, r.nats, r.g, r.h, r.d_scores, r.d_limit};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    }
    return 0;
}
