/* Time of context trees, one thread: CPU time, median of rounds, at depth 10 on made-up sequences over 4 letters, from a random
 * context tree of depth 6 at most. `bench_bct stream [N]`: N letters (10^8) in parts, and the memory they take.
 * `bench_bct sums`: how far sums of probabilities are from 1. `bench_bct letters N` writes N letters as digits;
 * bench/peers/bct_peers.py times other packages on them. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "predict/bct.h"

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
    for (int depth = 0; depth < 6 && (depth < 2 || mix(key) % 5 >= 2); depth++) key = key * 4 + (uint64_t)past[-1 - depth] + 1;
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

/* ---- a long stream ---- */

/* n letters in parts, none of them kept: memory is that of the contexts. */
static mn_status stream(size_t n, mn_err *err)
{
    enum { PART = 1 << 16, BACK = 6 };
    static int32_t x[BACK + PART];
    struct rusage usage;
    mn_model *m;
    double seconds = 0;
    mn_status status = mn_bct_new(&m, &(mn_bct_opts){.A = A, .D = D, .start = -1}, err);
    if (status != MN_OK) return status;
    make_letters(x, BACK);
    for (size_t done = 0; done < n && status == MN_OK; done += PART) {
        for (size_t i = 0; i < PART; i++) x[BACK + i] = letter(x + BACK + i, done + i);
        double begin = cpu_seconds();
        status = mn_bct_learn(m, x + BACK, PART, done == 0, err);
        seconds += cpu_seconds() - begin;
        memmove(x, x + PART, BACK * sizeof *x);
    }
    getrusage(RUSAGE_SELF, &usage);
    printf("stream of %.0f million letters: %.2f million symbols a second, %zu contexts, %ld MB, evidence %.4f nats a symbol\n",
           1e-6 * (double)mn_bct_symbols(m), 1e-6 * (double)mn_bct_symbols(m) / seconds, mn_bct_contexts(m),
           usage.ru_maxrss / 1024, mn_bct_log_evidence(m) / (double)mn_bct_predicted(m));
    mn_model_free(m);
    return status;
}

/* ---- sums ---- */

/* The sum of all probabilities at each of 10^6 random steps; Kahan's, so that the sum's own rounding is not in question. */
static mn_status sums(size_t alphabet, size_t depth, mn_err *err)
{
    enum { STEPS = 1000000 };
    double *p, worst = 0;
    uint32_t path[64];
    mn_model *m;
    MN_ALLOC_OR_FAIL(p, alphabet, err);
    mn_status status = mn_bct_new(&m, &(mn_bct_opts){.A = alphabet, .D = depth, .start = -1}, err);
    if (status != MN_OK) return free(p), status;
    const mn_bct *b = (const mn_bct *)m;
    mn_rng rng = mn_rng_split(1, alphabet, MN_STREAM_USER);
    for (size_t k = 0; k < STEPS && status == MN_OK; k++) {
        double sum = 0, low = 0;
        int32_t x = (int32_t)mn_rng_below(&rng, alphabet);
        mn_bct_mix(p, b, path, mn_bct_walk(&b->store, path, b->recent, b->known), NULL, NULL, 0, b->known);
        for (size_t a = 0; a < alphabet; a++) {
            double y = p[a] - low, t = sum + y;
            low = (t - sum) - y;
            sum = t;
        }
        worst = fmax(worst, fabs(sum - 1));
        status = mn_bct_learn(m, &x, 1, k == 0, err);
    }
    printf("A = %zu, D = %zu: at %d random steps the sum of probabilities is 1 within %.2g\n", alphabet, depth, STEPS, worst);
    mn_model_free(m);
    free(p);
    return status;
}

static mn_status all_sums(mn_err *err)
{
    static const size_t shapes[][2] = {{2, 12}, {4, 8}, {12, 3}, {256, 2}, {4096, 1}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) MN_TRY(sums(shapes[i][0], shapes[i][1], err));
    return MN_OK;
}

static mn_status speed(mn_err *err)
{
    static const size_t sizes[] = {100000, 1000000, 10000000};
    int32_t *x;
    double *lp;
    mn_status status = MN_OK;
    MN_ALLOC_OR_FAIL(x, sizes[2], err);
    MN_ALLOC_OR_FAIL(lp, sizes[2], err);
    make_letters(x, sizes[2]);
    for (size_t i = 0; i < 3 && status == MN_OK; i++) status = measure(x, lp, sizes[i], err);
    free(x);
    free(lp);
    return status;
}

static mn_status print_letters(size_t n, mn_err *err)
{
    int32_t *x;
    MN_ALLOC_OR_FAIL(x, n, err);
    make_letters(x, n);
    for (size_t i = 0; i < n; i++) putchar('0' + x[i]);
    free(x);
    return MN_OK;
}

int main(int argc, char **argv)
{
    mn_err err = {0};
    const char *what = argc > 1 ? argv[1] : "speed";
    size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    mn_status status = strcmp(what, "letters") == 0  ? print_letters(n, &err)
                       : strcmp(what, "stream") == 0 ? stream(n ? n : 100000000, &err)
                       : strcmp(what, "sums") == 0   ? all_sums(&err)
                                                     : speed(&err);
    if (status != MN_OK) fprintf(stderr, "%s\n", err.message);
    return mn_exit_status(status);
}
