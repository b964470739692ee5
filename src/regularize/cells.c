#include "regularize/cells.h"

#include <math.h>
#include <string.h>

#include "regularize/tilt.h"

enum { CANDIDATES = 8192, SAMPLES = 2048 };

/* The value that k - 1 others exceed or equal: k in 1..n. Hoare's selection; reorders x; no NaN. */
static double kth_greatest(double *x, size_t n, size_t k)
{
    size_t low = 0, high = n - 1, want = k - 1;
    while (low < high) {
        double pivot = x[low + (high - low) / 2];
        size_t i = low, j = high;
        for (;;) {
            while (x[i] > pivot) i++;
            while (x[j] < pivot) j--;
            if (i >= j) break;
            double swap = x[i];
            x[i++] = x[j], x[j--] = swap;
        }
        if (want <= j) high = j;
        else low = j + 1;
    }
    return x[want];
}

/* A value that about k to 2k entries reach, from evenly spaced samples; -INFINITY where they cannot say. */
static double threshold(double *scratch, const double *lp, size_t A, size_t k)
{
    size_t stride = (A + SAMPLES - 1) / SAMPLES, n = 0, rank = k / stride;
    for (size_t i = 0; i < A; i += stride)
        if (!isnan(lp[i])) scratch[n++] = lp[i];
    rank += 3 * (size_t)sqrt((double)rank) + 6;
    return rank < n ? kth_greatest(scratch, n, rank) : -INFINITY;
}

/* Bits of a double, rising with it. */
static uint64_t key_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static bool among(const int32_t *sorted, size_t n, size_t id, size_t *at)
{
    while (*at < n && (size_t)sorted[*at] < id) ++*at;
    return *at < n && (size_t)sorted[*at] == id;
}

/* The k-th greatest key outside always, where there are too many candidates to hold: bit by bit, 64 passes. */
static uint64_t kth_key(const double *lp, size_t A, size_t k, const int32_t *always, size_t n_always)
{
    uint64_t key = 0;
    for (int bit = 63; bit >= 0; bit--) {
        uint64_t higher = key | UINT64_C(1) << bit;
        size_t count = 0, at = 0;
        for (size_t i = 0; i < A; i++) count += key_of(lp[i]) >= higher && !among(always, n_always, i, &at);
        if (count >= k) key = higher;
    }
    return key;
}

/* Lists always and the first k others that are at least the k-th greatest, among n candidates (NULL: all). */
static void list(int32_t *ids, const double *lp, const int32_t *candidates, size_t n, uint64_t kth, size_t k,
                 const int32_t *always, size_t n_always)
{
    size_t above = 0, at = 0, used = 0, out = 0;
    for (size_t c = 0; c < n; c++) {
        size_t i = candidates ? (size_t)candidates[c] : c;
        above += key_of(lp[i]) > kth && !among(always, n_always, i, &at);
    }
    size_t equal = k - above;
    at = 0;
    for (size_t c = 0; c < n; c++) {
        size_t i = candidates ? (size_t)candidates[c] : c;
        uint64_t key = key_of(lp[i]);
        if (key < kth || among(always, n_always, i, &at) || (key == kth && equal == 0)) continue;
        equal -= key == kth;
        while (used < n_always && (size_t)always[used] < i) ids[out++] = always[used++];
        ids[out++] = (int32_t)i;
    }
    while (used < n_always) ids[out++] = always[used++];
}

static void choose(int32_t *ids, const double *lp, size_t A, size_t k, const int32_t *always, size_t n_always, bool *nan)
{
    int32_t candidates[CANDIDATES];
    double values[CANDIDATES];
    double from = k ? threshold(values, lp, A, k + n_always) : INFINITY;
    size_t n = mn_tilt()->gather(candidates, CANDIDATES, lp, A, from, nan), others = 0, at = 0;
    if (*nan) return;
    for (size_t c = 0; c < n && n <= CANDIDATES; c++)
        if (!among(always, n_always, (size_t)candidates[c], &at)) values[others++] = lp[candidates[c]];
    if (k == 0)
        list(ids, lp, candidates, 0, 0, 0, always, n_always);
    else if (n <= CANDIDATES && others >= k)
        list(ids, lp, candidates, n, key_of(kth_greatest(values, others, k)), k, always, n_always);
    else
        list(ids, lp, NULL, A, kth_key(lp, A, k, always, n_always), k, always, n_always);
}

static double lp_rest(const double *lp, size_t A, const int32_t *ids, size_t M)
{
    double sum = mn_tilt()->rest(lp, 0, A, ids, M, 0), top = -INFINITY;
    if (sum > 1e-280) return log(sum);
    size_t at = 0;
    for (size_t i = 0; i < A; i++)
        if (!among(ids, M, i, &at)) top = fmax(top, lp[i]);
    return top == -INFINITY ? top : top + log(mn_tilt()->rest(lp, 0, A, ids, M, top));
}

mn_status mn_cells_select(int32_t *ids, double *lp_cells, const double *lp, size_t A, size_t M, const int32_t *always,
                          size_t n_always, mn_err *err)
{
    bool nan;
    choose(ids, lp, A, M - n_always, always, n_always, &nan);
    if (nan) return mn_fail(err, MN_ERR_NUM, "the base has a NaN");
    for (size_t c = 0; c < M; c++) lp_cells[c] = lp[ids[c]];
    lp_cells[M] = M == A ? -INFINITY : lp_rest(lp, A, ids, M);
    return MN_OK;
}

/* ---- sampling ---- */

static void of_cell(mn_sampled *out, const double *lp_policy, const double *lp_cells, size_t M, const double *lp)
{
    out->lp_base = lp[out->id];
    out->lp_policy = (size_t)out->cell < M ? lp_policy[out->cell] : out->lp_base + (lp_policy[M] - lp_cells[M]);
}

/* The first unlisted symbol of from..to-1 at which the sum of exp(lp - offset) exceeds past; else the last that has mass. */
static int32_t walk(const double *lp, size_t from, size_t to, const int32_t *ids, size_t M, double offset, double past)
{
    double sum = 0;
    size_t last = from, at = 0;
    for (size_t i = from; i < to; i++) {
        double p = among(ids, M, i, &at) ? 0 : exp(lp[i] - offset);
        if (!(p > 0)) continue;
        last = i;
        sum += p;
        if (sum > past) break;
    }
    return (int32_t)last;
}

/* A symbol of the rest, by its share v of the rest's mass, found by chunks. */
static int32_t draw_rest(const double *lp, size_t A, const int32_t *ids, size_t M, double lp_of_rest, double v)
{
    enum { CHUNK = 512 };
    double sum = 0, before = 0;
    size_t chosen = 0;
    for (size_t from = 0; from < A; from += CHUNK) {
        double here = mn_tilt()->rest(lp, from, A - from < CHUNK ? A : from + CHUNK, ids, M, lp_of_rest);
        if (!(here > 0)) continue;
        chosen = from, before = sum;
        sum += here;
        if (sum > v) break;
    }
    return walk(lp, chosen, A - chosen < CHUNK ? A : chosen + CHUNK, ids, M, lp_of_rest, v - before);
}

void mn_cells_sample(mn_sampled *out, const double *lp_policy, const double *lp_cells, const int32_t *ids, size_t M,
                     const double *lp, size_t A, double u, double v)
{
    size_t cell = mn_sample(lp_policy, M + 1, u);
    out->cell = (int32_t)cell;
    out->id = cell < M ? ids[cell] : draw_rest(lp, A, ids, M, lp_cells[M], v);
    of_cell(out, lp_policy, lp_cells, M, lp);
}

void mn_cells_find(mn_sampled *out, int32_t id, const double *lp_policy, const double *lp_cells, const int32_t *ids, size_t M,
                   const double *lp)
{
    size_t low = 0, high = M;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (ids[mid] < id) low = mid + 1;
        else high = mid;
    }
    *out = (mn_sampled){.id = id, .cell = (int32_t)(low < M && ids[low] == id ? low : M)};
    of_cell(out, lp_policy, lp_cells, M, lp);
}
