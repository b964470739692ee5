#include "learn/kernels.h"

#include <math.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define MN_X86 1
#else
#define MN_X86 0
#endif

/* ---- variants of one body for several vector widths -------------------------------------------------------- */

#define BODY static inline __attribute__((always_inline))

enum { PLAIN, AVX2, AVX512 };

static int level(void)
{
#if MN_X86
    if (__builtin_cpu_supports("avx512f")) return AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return AVX2;
#endif
    return PLAIN;
}

/* Defines RETURN mn_NAME PARAMS, which runs NAME_body compiled for the widest vectors there are. */
#if MN_X86
#define VARIANTS(RETURN, NAME, PARAMS, ARGS)                                                        \
    __attribute__((target("avx512f"))) static RETURN NAME##_avx512 PARAMS { return NAME##_body ARGS; } \
    __attribute__((target("avx2"))) static RETURN NAME##_avx2 PARAMS { return NAME##_body ARGS; }      \
    static RETURN NAME##_plain PARAMS { return NAME##_body ARGS; }                                     \
    RETURN mn_##NAME PARAMS                                                                         \
    {                                                                                               \
        int best = level();                                                                         \
        return best == AVX512 ? NAME##_avx512 ARGS : best == AVX2 ? NAME##_avx2 ARGS : NAME##_plain ARGS; \
    }
#else
#define VARIANTS(RETURN, NAME, PARAMS, ARGS) \
    RETURN mn_##NAME PARAMS { return NAME##_body ARGS; }
#endif

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

/* ---- products ------------------------------------------------------------------------------------------------ */

/* A column of tiles of c: m rows, nr <= MN_PANEL columns; rows of b are b_stride apart. */
typedef struct strip {
    float *c;
    const float *a, *b, *bias;
    size_t c_stride, m_stride, k_stride, b_stride, m, nr, k;
} strip;

static void down(strip *s, size_t rows)
{
    s->m -= rows;
    s->a += rows * s->m_stride;
    s->c += rows * s->c_stride;
}

static void strip_plain(strip *s)
{
    for (; s->m; down(s, 1))
        for (size_t j = 0; j < s->nr; j++) {
            float sum = s->bias ? s->bias[j] : s->c[j];
            for (size_t l = 0; l < s->k; l++) sum = fmaf(s->a[l * s->k_stride], s->b[l * s->b_stride + j], sum);
            s->c[j] = sum;
        }
}

#if MN_X86
/* rows, vectors and full are constants where these are called: accumulators stay in registers, full tiles need no masks. */
#define TILE(TARGET) __attribute__((target(TARGET), always_inline)) static inline

static __mmask16 lanes16(size_t n)
{
    return (__mmask16)(n >= 16 ? 0xFFFF : (1u << n) - 1);
}

TILE("avx512f") void tile_avx512(const strip *s, const size_t rows, const size_t vectors, const bool full)
{
    __m512 acc[8][2], y[2];
    const __mmask16 last = lanes16(full ? 16 : s->nr - 16 * (vectors - 1)), mask[2] = {vectors == 1 ? last : 0xFFFF, last};
    const size_t k = s->k;
    const float *a = s->a, *b = s->b;
    UNROLL for (size_t r = 0; r < rows; r++)
        UNROLL for (size_t v = 0; v < vectors; v++)
            acc[r][v] = _mm512_maskz_loadu_ps(mask[v], (s->bias ? s->bias : s->c + r * s->c_stride) + 16 * v);
    for (size_t l = 0; l < k; l++, a += s->k_stride, b += s->b_stride) {
        UNROLL for (size_t v = 0; v < vectors; v++) y[v] = _mm512_maskz_loadu_ps(mask[v], b + 16 * v);
        UNROLL for (size_t r = 0; r < rows; r++) {
            __m512 x = _mm512_set1_ps(a[r * s->m_stride]);
            UNROLL for (size_t v = 0; v < vectors; v++) acc[r][v] = _mm512_fmadd_ps(x, y[v], acc[r][v]);
        }
    }
    UNROLL for (size_t r = 0; r < rows; r++)
        UNROLL for (size_t v = 0; v < vectors; v++) _mm512_mask_storeu_ps(s->c + r * s->c_stride + 16 * v, mask[v], acc[r][v]);
}

TILE("avx512f") void tiles_avx512(strip *s, const size_t vectors, const bool full)
{
    for (; s->m >= 8; down(s, 8)) tile_avx512(s, 8, vectors, full);
    for (; s->m; down(s, 1)) tile_avx512(s, 1, vectors, full);
}

__attribute__((target("avx512f"))) static void strip_avx512(strip *s)
{
    if (s->nr == MN_PANEL) tiles_avx512(s, 2, true);
    else if (s->nr > 16) tiles_avx512(s, 2, false);
    else tiles_avx512(s, 1, false);
}

TILE("avx2,fma") void tile_avx2(const strip *s, const size_t rows, size_t j)
{
    static const int32_t ones[32] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    const size_t n = s->nr - j < 16 ? s->nr - j : 16;
    const __m256i low = _mm256_loadu_si256((const __m256i *)(ones + 16 - n)),
                  high = _mm256_loadu_si256((const __m256i *)(ones + 24 - n));
    __m256 acc[4][2];
    const float *a = s->a, *b = s->b + j;
    UNROLL for (size_t r = 0; r < rows; r++) {
        const float *from = (s->bias ? s->bias : s->c + r * s->c_stride) + j;
        acc[r][0] = _mm256_maskload_ps(from, low);
        acc[r][1] = _mm256_maskload_ps(from + 8, high);
    }
    for (size_t l = 0; l < s->k; l++, a += s->k_stride, b += s->b_stride) {
        __m256 b0 = _mm256_maskload_ps(b, low), b1 = _mm256_maskload_ps(b + 8, high);
        UNROLL for (size_t r = 0; r < rows; r++) {
            __m256 x = _mm256_set1_ps(a[r * s->m_stride]);
            acc[r][0] = _mm256_fmadd_ps(x, b0, acc[r][0]);
            acc[r][1] = _mm256_fmadd_ps(x, b1, acc[r][1]);
        }
    }
    UNROLL for (size_t r = 0; r < rows; r++) {
        _mm256_maskstore_ps(s->c + r * s->c_stride + j, low, acc[r][0]);
        _mm256_maskstore_ps(s->c + r * s->c_stride + j + 8, high, acc[r][1]);
    }
}

__attribute__((target("avx2,fma"))) static void strip_avx2(strip *s)
{
    for (; s->m >= 4; down(s, 4))
        for (size_t j = 0; j < s->nr; j += 16) tile_avx2(s, 4, j);
    for (; s->m; down(s, 1))
        for (size_t j = 0; j < s->nr; j += 16) tile_avx2(s, 1, j);
}
#endif

static void strip_best(strip s)
{
#if MN_X86
    int best = level();
    if (best == AVX512) return strip_avx512(&s);
    if (best == AVX2) return strip_avx2(&s);
#endif
    strip_plain(&s);
}

void mn_pack(float *packed, const float *b, size_t k_stride, size_t n_stride, size_t k, size_t n)
{
    for (size_t j = 0; j < n; j += MN_PANEL) {
        size_t nr = n - j < MN_PANEL ? n - j : MN_PANEL;
        for (size_t l = 0; l < k; l++, packed += MN_PANEL) {
            const float *from = b + l * k_stride + j * n_stride;
            if (nr == MN_PANEL && n_stride == 1) {
                memcpy(packed, from, MN_PANEL * sizeof *packed); /* of known size: four moves */
                continue;
            }
            for (size_t i = 0; i < nr; i++) packed[i] = from[i * n_stride];
            for (size_t i = nr; i < MN_PANEL; i++) packed[i] = 0;
        }
    }
}

/* Depths leave a panel of b in the first-level cache, and a in the second; the chains go on through c. */
void mn_product(float *c, size_t c_stride, const float *a, size_t m_stride, size_t k_stride, const float *packed,
                const float *bias, size_t m, size_t n, size_t k)
{
    enum { DEPTH = 128 };
    for (size_t l = 0; l < k; l += DEPTH)
        for (size_t j = 0; j < n; j += MN_PANEL)
            strip_best((strip){.c = c + j,
                               .a = a + l * k_stride,
                               .b = packed + j * k + l * MN_PANEL,
                               .bias = bias && !l ? bias + j : NULL,
                               .c_stride = c_stride,
                               .m_stride = m_stride,
                               .k_stride = k_stride,
                               .b_stride = MN_PANEL,
                               .m = m,
                               .nr = n - j < MN_PANEL ? n - j : MN_PANEL,
                               .k = k - l < DEPTH ? k - l : DEPTH});
}

void mn_product_row(float *y, const float *x, const float *b, const float *bias, size_t n, size_t k)
{
    for (size_t j = 0; j < n; j += MN_PANEL)
        strip_best((strip){.c = y + j,
                           .a = x,
                           .b = b + j,
                           .bias = bias + j,
                           .c_stride = n,
                           .m_stride = k,
                           .k_stride = 1,
                           .b_stride = n,
                           .m = 1,
                           .nr = n - j < MN_PANEL ? n - j : MN_PANEL,
                           .k = k});
}

/* ---- sixteen floats at a time ------------------------------------------------------------------------------- */

typedef float v16 __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t i16 __attribute__((vector_size(64), aligned(4), may_alias));

enum { LANES = 16 };

/* n < LANES floats, the others fill. */
BODY void load_some(v16 *out, const float *x, size_t n, float fill)
{
    float all[LANES];
    for (size_t i = 0; i < LANES; i++) all[i] = fill;
    memcpy(all, x, n * sizeof *x);
    memcpy(out, all, sizeof all);
}

BODY void store_some(float *x, const v16 *v, size_t n)
{
    float all[LANES];
    memcpy(all, v, sizeof all);
    memcpy(x, all, n * sizeof *x);
}

BODY double add_lanes(const v16 *v)
{
    double sum = 0;
    for (size_t i = 0; i < LANES; i++) sum += (double)(*v)[i];
    return sum;
}

/* yes where mask is -1, no where it is 0. */
BODY void choose(v16 *out, const i16 *mask, const v16 *yes, const v16 *no)
{
    *out = (v16)((*mask & (i16)*yes) | (~*mask & (i16)*no));
}

/* exp(x) = scale (1 + rest): Cody and Waite's reduction, |r| <= ln 2 / 2, Taylor to r^7 (the next term is below 6e-9).
 * -87 <= x <= 87 or NaN, which rest becomes. */
BODY void exp_split(v16 *scale, v16 *rest, const v16 *x)
{
    const float shift = 12582912; /* 1.5 2^23: adding it rounds to an integer, which is then in the low bits */
    v16 shifted = *x * 1.44269504f + shift;
    v16 n = shifted - shift;
    v16 r = (*x - n * 0.693359375f) - n * -2.12194440e-4f; /* ln 2 in two parts, n times the first is exact */
    v16 p = r * (1.0f / 5040) + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    *rest = p * r * r + r;
    *scale = (v16)(((i16)shifted - 0x4B400000 + 127) << 23);
}

/* exp(x) for x <= 87, 0 below -87. */
BODY void exp16(v16 *y, const v16 *x)
{
    v16 scale, rest, low = {0}, cut;
    low -= 87.0f;
    i16 below = *x < low;
    choose(&cut, &below, &low, x);
    exp_split(&scale, &rest, &cut);
    *y = (v16)((i16)(scale * rest + scale) & ~below);
}

/* tanh|x| = -e/(2 + e) with e = exp(-2|x|) - 1, which is found without cancellation. */
BODY void tanh16(v16 *x)
{
    v16 scale, rest, low = {0}, h;
    i16 sign = (i16)*x & INT32_MIN;
    low -= 40.0f;
    h = (v16)((i16)*x & INT32_MAX) * -2.0f;
    i16 below = h < low;
    choose(&h, &below, &low, &h);
    exp_split(&scale, &rest, &h);
    v16 e = scale * rest + (scale - 1.0f);
    *x = (v16)(((i16)(e / (e + 2.0f)) & INT32_MAX) | sign);
}

BODY void tanh_body(float *x, size_t n)
{
    size_t i = 0;
    v16 v;
    for (; i + LANES <= n; i += LANES) tanh16((v16 *)(x + i));
    if (i == n) return;
    load_some(&v, x + i, n - i, 0);
    tanh16(&v);
    store_some(x + i, &v, n - i);
}
VARIANTS(void, tanh, (float *x, size_t n), (x, n))

BODY void tanh_back_body(float *d, const float *h, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        v16 y = *(const v16 *)(h + i);
        *(v16 *)(d + i) *= 1.0f - y * y;
    }
    for (; i < n; i++) d[i] *= 1.0f - h[i] * h[i];
}
VARIANTS(void, tanh_back, (float *d, const float *h, size_t n), (d, h, n))

/* ---- scores through a table ------------------------------------------------------------------------------------ */

BODY void dots_body(float *z, const float *u, const float *table, const int32_t *ids, size_t M, size_t E)
{
    size_t whole = E / LANES * LANES;
    for (size_t j = 0; j < M; j++) {
        const float *row = table + (size_t)ids[j] * E;
        v16 sum = {0};
        for (size_t e = 0; e < whole; e += LANES) sum += *(const v16 *)(u + e) * *(const v16 *)(row + e);
        for (size_t e = whole; e < E; e++) sum[e - whole] += u[e] * row[e];
        z[j] = (float)add_lanes(&sum);
    }
}
VARIANTS(void, dots, (float *z, const float *u, const float *table, const int32_t *ids, size_t M, size_t E),
         (z, u, table, ids, M, E))

BODY void dots_back_body(float *du, const float *dz, const float *table, const int32_t *ids, size_t M, size_t E)
{
    size_t e = 0;
    for (; e + 4 * LANES <= E; e += 4 * LANES) {
        v16 sum[4] = {{0}};
        for (size_t j = 0; j < M; j++) {
            const v16 *row = (const v16 *)(table + (size_t)ids[j] * E + e);
            for (size_t i = 0; i < 4; i++) sum[i] += dz[j] * row[i];
        }
        memcpy(du + e, sum, sizeof sum);
    }
    for (; e < E; e++) {
        float sum = 0;
        for (size_t j = 0; j < M; j++) sum += dz[j] * table[(size_t)ids[j] * E + e];
        du[e] = sum;
    }
}
VARIANTS(void, dots_back, (float *du, const float *dz, const float *table, const int32_t *ids, size_t M, size_t E),
         (du, dz, table, ids, M, E))

/* ---- softmax ----------------------------------------------------------------------------------------------------- */

BODY float highest(const float *lp_base, const float *z, size_t V)
{
    v16 top = {0};
    size_t i = 0;
    float max = -INFINITY;
    top -= INFINITY;
    for (; i + LANES <= V; i += LANES) {
        v16 s = *(const v16 *)(lp_base + i) + *(const v16 *)(z + i);
        i16 above = s > top;
        choose(&top, &above, &s, &top);
    }
    for (; i < V; i++)
        if (lp_base[i] + z[i] > max) max = lp_base[i] + z[i];
    for (size_t l = 0; l < LANES; l++)
        if (top[l] > max) max = top[l];
    return max;
}

BODY void softmax_body(float *p, double *sum, double *log_sum, double *nats, const float *lp_base, const float *z, size_t V)
{
    float max = highest(lp_base, z, V);
    v16 total = {0}, weighted = {0};
    for (size_t i = 0; i < V; i += LANES) {
        v16 y, base, score;
        if (V - i >= LANES) {
            memcpy(&base, lp_base + i, sizeof base);
            memcpy(&score, z + i, sizeof score);
        } else {
            load_some(&base, lp_base + i, V - i, -INFINITY);
            load_some(&score, z + i, V - i, 0);
        }
        v16 x = base + score - max;
        exp16(&y, &x);
        total += y;
        weighted += y * score;
        if (V - i >= LANES) memcpy(p + i, &y, sizeof y);
        else store_some(p + i, &y, V - i);
    }
    *sum = add_lanes(&total);
    *log_sum = (double)max + log(*sum);
    *nats = add_lanes(&weighted) / *sum - *log_sum;
}
VARIANTS(void, softmax, (float *p, double *sum, double *log_sum, double *nats, const float *lp_base, const float *z, size_t V),
         (p, sum, log_sum, nats, lp_base, z, V))

BODY void softmax_back_body(float *dz, const float *p, const float *z, float constant, float slope, size_t V)
{
    size_t i = 0;
    for (; i + LANES <= V; i += LANES) *(v16 *)(dz + i) = *(const v16 *)(p + i) * (*(const v16 *)(z + i) * slope + constant);
    for (; i < V; i++) dz[i] = p[i] * (z[i] * slope + constant);
}
VARIANTS(void, softmax_back, (float *dz, const float *p, const float *z, float constant, float slope, size_t V),
         (dz, p, z, constant, slope, V))

/* ---- optimiser ---------------------------------------------------------------------------------------------------- */

double mn_sum_squares(const float *x, size_t n)
{
    double lane[4] = {0};
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (size_t l = 0; l < 4; l++) lane[l] += (double)x[i + l] * (double)x[i + l];
    for (; i < n; i++) lane[0] += (double)x[i] * (double)x[i];
    return lane[0] + lane[1] + (lane[2] + lane[3]);
}

BODY void adam_step_body(float *restrict params, float *restrict m, float *restrict v, const float *restrict gradient,
                         float scale, double rate, size_t steps, size_t n)
{
    const float first = .9f, second = .999f, epsilon = 1e-8f;
    float step = (float)(rate / (1 - pow((double)first, (double)steps)));
    float correction = (float)(1 / (1 - pow((double)second, (double)steps)));
    for (size_t i = 0; i < n; i++) {
        float g = gradient[i] * scale;
        m[i] = first * m[i] + (1 - first) * g;
        v[i] = second * v[i] + (1 - second) * g * g;
        params[i] -= step * m[i] / (sqrtf(v[i] * correction) + epsilon);
    }
}
VARIANTS(void, adam_step,
         (float *params, float *m, float *v, const float *gradient, float scale, double rate, size_t steps, size_t n),
         (params, m, v, gradient, scale, rate, steps, n))
