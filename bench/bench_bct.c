/* Time of context trees, one thread: CPU time, median of rounds, at depth 10 on made-up sequences over 4 letters: a random context tree
 * of depth 6 at most. `bench_bct letters N` writes N of them as digits; bench/peers/bct_*.py times other packages on the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/resource.h>

#include "base/base.h"

enum { A = 4, D = 10 };

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- the sequence: integers only, so that any language makes the same ---- */

/* The finaliser of splitmix64. */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

/* The next letter: down from the most recent symbol until a hash says leaf; weights there are squares of 1..1024. */
static int32_t letter(const int32_t *past, uint64_t i)
{
    uint64_t key = 1, w[A], sum = 0;
    for (size_t depth = 0; depth < 6 && (depth < 2 || mix(key) % 5 >= 2); depth++) key = key * 4 + (uint64_t)past[-1 - (int)depth] + 1;
    for (uint64_t j = 0; j < A; j++) {
        w[j] = (mix(key * 4 + j + 77) & 1023) + 1;
        sum += w[j] *= w[j];
    }
    uint64_t u = mix(1000003 * i + 12345) % sum;
    int32_t x = 0;
    while (u >= w[x]) u -= w[x++];
    return x;
}

static void make_letters(int32_t *x, size_t n)
{
    static const int32_t first[] = {0, 1, 2, 3, 0, 1};
    for (size_t i = 0; i < n; i++) x[i] = i < 6 ? first[i] : letter(x + i, i - 6);
}

/* ---- measuring ---- */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static mn_status once(double *seconds, const int32_t *x, double *lp, size_t n, mn_err *err)
{
    mn_model *m;
    double begin = cpu_seconds(), sum = 0;
    MN_TRY(mn_bct_new(&m, &(mn_bct_opts){.A = A, .D = D, .start = -1}, err));
    mn_status status = lp ? mn_bct_predict_all(m, lp, NULL, NULL, x, n, true, err) : mn_bct_learn(m, x, n, true, err);
    double evidence = mn_bct_log_evidence(m);
    *seconds = cpu_seconds() - begin;
    if (lp)
        for (size_t i = D; i < n; i++) sum += lp[i];
    if (status == MN_OK && lp && !(sum - evidence < 1e-9 * -sum && evidence - sum < 1e-9 * -sum))
        status = mn_fail(err, MN_ERR_CHECK, "sum of predictions %.12g, evidence %.12g", sum, evidence);
    mn_model_free(m);
    return status;
}

static mn_status measure(const int32_t *x, double *lp, size_t n, mn_err *err)
{
    enum { ROUNDS = 7 };
    double seconds[2][ROUNDS];
    for (size_t round = 0; round < ROUNDS; round++)
        for (int kind = 0; kind < 2; kind++) MN_TRY(once(&seconds[kind][round], x, kind ? lp : NULL, n, err));
    for (int kind = 0; kind < 2; kind++) {
        qsort(seconds[kind], ROUNDS, sizeof(double), ascending);
        printf("%s, %zu letters, depth %d: %.2f million symbols a second\n", kind ? "sequential prediction" : "evidence", n, D,
               1e-6 * (double)n / seconds[kind][ROUNDS / 2]);
    }
    return MN_OK;
}

int main(int argc, char **argv)
{
    static const size_t sizes[] = {100000, 1000000, 10000000};
    size_t most = argc > 2 ? (size_t)atol(argv[2]) : sizes[2];
    int32_t *x = malloc(most * sizeof *x);
    double *lp = malloc(most * sizeof *lp);
    mn_err err = {0};
    mn_status status = MN_OK;
    make_letters(x, most);
    if (argc > 1) {
        for (size_t i = 0; i < most; i++) putchar('0' + x[i]);
        return 0;
    }
    for (size_t i = 0; i < 3 && status == MN_OK; i++) status = measure(x, lp, sizes[i], &err);
    if (status != MN_OK) fprintf(stderr, "%s\n", err.message);
    return mn_exit_status(status);
}
