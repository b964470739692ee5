/* The cells a row sees are taken a chunk at a time: keys and values widened to float once for all heads that share them,
 * scores, the softmax so far scaled to the new maximum (Milakov and Gimelshein, arXiv 1805.02867), the weighted sum. */
#if defined(__x86_64__)
#include <math.h>
#include <string.h>

#include "predict/lm_attention.h"
#include "predict/lm_gemm_tile.h"

enum { CHUNK = 64, UNSEEN = 0xfc00 /* -inf as a half float */ };

typedef struct chunk {
    _Alignas(64) float keys[CHUNK * MN_ATTENTION_WIDTH], values[CHUNK * MN_ATTENTION_WIDTH]; /* [n,wide] */
    _Alignas(64) float q[MN_ATTENTION_WIDTH], weights[CHUNK], bias[CHUNK];
    size_t cells[CHUNK], n, wide; /* wide: D rounded up to whole registers, with zeros there */
} chunk;

/* The softmax so far: greatest score, and the sum of weights relative to it. */
typedef struct sums {
    float most, sum;
} sums;

INLINE __mmask16 first(size_t n)
{
    return (__mmask16)(n < 16 ? (1u << n) - 1 : 0xffff);
}

/* The next cells that are seen, from *at on. */
AVX512 static void next_chunk(chunk *c, size_t *at, const mn_attention *a)
{
    c->n = 0;
    while (*at < a->cells && c->n < CHUNK) {
        size_t n = a->cells - *at < CHUNK - c->n ? a->cells - *at : CHUNK - c->n;
        __m256i bias = _mm256_maskz_loadu_epi16(first(n), a->mask + *at);
        __mmask16 seen = _mm256_mask_cmpneq_epi16_mask(first(n), bias, _mm256_set1_epi16((short)UNSEEN));
        _mm512_mask_compressstoreu_ps(c->bias + c->n, seen, _mm512_cvtph_ps(bias));
        for (uint32_t bits = seen; bits; bits &= bits - 1) c->cells[c->n++] = *at + (size_t)__builtin_ctz(bits);
        *at += n < 16 ? n : 16;
    }
}

/* The chunk's rows of one head: halfs to floats. What is so many bytes ahead is wanted next. */
AVX512 static void widen(float *rows, const chunk *c, const void *base, size_t cell, size_t ahead, size_t D)
{
    for (size_t i = 0; i < c->n; i++) {
        const uint16_t *row = (const uint16_t *)((const char *)base + c->cells[i] * cell);
        for (size_t d = 0; d < D; d += 16)
            _mm512_store_ps(rows + i * c->wide + d, _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first(D - d), row + d)));
        for (size_t d = 0; d < 2 * D; d += 64) _mm_prefetch((const char *)row + ahead + d, _MM_HINT_T0);
    }
}

/* Sums of 16 registers' lanes, in order. */
INLINE __m512 sums_of(const __m512 r[16])
{
    __m512 s[8], t[4];
    UNROLL
    for (int i = 0; i < 8; i++)
        s[i] = _mm512_add_ps(_mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]), _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]));
    UNROLL
    for (int i = 0; i < 4; i++) {
        __m512d x = _mm512_castps_pd(s[2 * i]), y = _mm512_castps_pd(s[2 * i + 1]);
        t[i] = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(x, y)), _mm512_castpd_ps(_mm512_unpackhi_pd(x, y)));
    }
    UNROLL
    for (int i = 0; i < 2; i++)
        s[i] = _mm512_add_ps(_mm512_shuffle_f32x4(t[2 * i], t[2 * i + 1], 0x88),
                             _mm512_shuffle_f32x4(t[2 * i], t[2 * i + 1], 0xdd));
    return _mm512_add_ps(_mm512_shuffle_f32x4(s[0], s[1], 0x88), _mm512_shuffle_f32x4(s[0], s[1], 0xdd));
}

/* Scores into weights, -inf to the end of a register; their maximum. */
INLINE float score_rows(chunk *c, float scale, size_t wide)
{
    __m512 most = _mm512_set1_ps(-INFINITY);
    for (size_t i = 0; i < c->n; i += 16) {
        const float *rows = c->keys + i * wide;
        __m512 s[16];
        UNROLL
        for (int j = 0; j < 16; j++) s[j] = _mm512_setzero_ps();
        for (size_t d = 0; d < wide; d += 16) {
            __m512 q = _mm512_load_ps(c->q + d);
            UNROLL
            for (size_t j = 0; j < 16; j++) s[j] = _mm512_fmadd_ps(q, _mm512_load_ps(rows + j * wide + d), s[j]);
        }
        __m512 all = _mm512_fmadd_ps(sums_of(s), _mm512_set1_ps(scale), _mm512_load_ps(c->bias + i));
        all = _mm512_mask_blend_ps(first(c->n - i), _mm512_set1_ps(-INFINITY), all);
        _mm512_store_ps(c->weights + i, all);
        most = _mm512_max_ps(most, all);
    }
    return _mm512_reduce_max_ps(most);
}

AVX512 static float score(chunk *c, float scale)
{
    return c->wide == 64 ? score_rows(c, scale, 64) : score_rows(c, scale, c->wide);
}

/* e^x for x <= 0, to 2e-7 of it; as for -104 below that. Cody and Waite's reduction, Taylor to r^7. */
INLINE __m512 exp_of(__m512 x)
{
    static const float taylor[] = {1 / 720.f, 1 / 120.f, 1 / 24.f, 1 / 6.f, .5f, 1, 1};
    x = _mm512_max_ps(x, _mm512_set1_ps(-104));
    __m512 k = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(0x1.715476p0f)), 8);
    __m512 r = _mm512_fnmadd_ps(k, _mm512_set1_ps(0x1.62e4p-1f), x), y = _mm512_set1_ps(1 / 5040.f);
    r = _mm512_fnmadd_ps(k, _mm512_set1_ps(0x1.7f7d1cp-20f), r);
    UNROLL
    for (int i = 0; i < 7; i++) y = _mm512_fmadd_ps(y, r, _mm512_set1_ps(taylor[i]));
    return _mm512_scalef_ps(y, k);
}

/* Scores become weights relative to the greatest score so far. The factor for what was summed before. */
AVX512 static float weigh(chunk *c, sums *s, float most)
{
    __m512 sum = _mm512_setzero_ps();
    if (most < s->most) most = s->most;
    float factor = _mm512_cvtss_f32(exp_of(_mm512_set1_ps(s->most - most)));
    for (size_t i = 0; i < c->n; i += 16) {
        __m512 w = exp_of(_mm512_sub_ps(_mm512_load_ps(c->weights + i), _mm512_set1_ps(most)));
        _mm512_store_ps(c->weights + i, w);
        sum = _mm512_add_ps(sum, _mm512_maskz_mov_ps(first(c->n - i), w));
    }
    *s = (sums){most, s->sum * factor + _mm512_reduce_add_ps(sum)};
    return factor;
}

/* n registers of out = factor out + the weighted sum of the values there; the last register's entries by its mask. */
INLINE void add_some(float *out, const chunk *c, const float *values, float factor, int n, __mmask16 last)
{
    __m512 even[4], odd[4];
    size_t i = 0;
    UNROLL
    for (int v = 0; v < n; v++) {
        even[v] = _mm512_mul_ps(_mm512_set1_ps(factor), _mm512_maskz_loadu_ps(v + 1 < n ? 0xffff : last, out + 16 * v));
        odd[v] = _mm512_setzero_ps();
    }
    for (; i + 2 <= c->n; i += 2, values += 2 * c->wide) {
        __m512 w0 = _mm512_set1_ps(c->weights[i]), w1 = _mm512_set1_ps(c->weights[i + 1]);
        UNROLL
        for (int v = 0; v < n; v++) {
            even[v] = _mm512_fmadd_ps(w0, _mm512_load_ps(values + 16 * v), even[v]);
            odd[v] = _mm512_fmadd_ps(w1, _mm512_load_ps(values + c->wide + 16 * v), odd[v]);
        }
    }
    UNROLL
    for (int v = 0; v < n; v++) {
        if (i < c->n) even[v] = _mm512_fmadd_ps(_mm512_set1_ps(c->weights[i]), _mm512_load_ps(values + 16 * v), even[v]);
        _mm512_mask_storeu_ps(out + 16 * v, v + 1 < n ? 0xffff : last, _mm512_add_ps(even[v], odd[v]));
    }
}

AVX512 static void add_values(float *out, const chunk *c, float factor, size_t D)
{
    size_t d = 0;
    for (; d + 64 <= D; d += 64) add_some(out + d, c, c->values + d, factor, 4, 0xffff);
    for (; d < D; d += 16) add_some(out + d, c, c->values + d, factor, 1, first(D - d));
}

AVX512 static void set_query(chunk *c, const float *q, size_t D)
{
    for (size_t d = 0; d < D; d += 16) _mm512_store_ps(c->q + d, _mm512_maskz_loadu_ps(first(D - d), q + d));
}

AVX512 static void divide(float *out, float sum, size_t D)
{
    float by = sum > 0 ? 1 / sum : 0;
    for (size_t d = 0; d < D; d += 16)
        _mm512_mask_storeu_ps(out + d, first(D - d),
                              _mm512_mul_ps(_mm512_maskz_loadu_ps(first(D - d), out + d), _mm512_set1_ps(by)));
}

AVX512 void mn_lm_attention(float *out, const mn_attention *a)
{
    chunk c;
    sums s[MN_ATTENTION_HEADS];
    size_t group = a->heads / a->kv_heads, D = a->D, at = 0;
    c.wide = (D + 15) / 16 * 16;
    for (size_t h = 0; h < a->heads; h++) s[h] = (sums){-INFINITY, 0};
    memset(out, 0, a->heads * D * sizeof *out);
    while (next_chunk(&c, &at, a), c.n)
        for (size_t h = 0; h < a->heads; h++) {
            if (h % group == 0) {
                widen(c.keys, &c, (const char *)a->k + h / group * a->k_head, a->k_cell,
                      h + group < a->heads ? a->k_head : a->k_next, D);
                widen(c.values, &c, (const char *)a->v + h / group * a->v_head, a->v_cell,
                      h + group < a->heads ? a->v_head : a->v_next, D);
            }
            set_query(&c, (const float *)(const void *)((const char *)a->q + h * a->q_head), D);
            add_values(out + h * D, &c, weigh(&c, &s[h], score(&c, a->scale)), D);
        }
    for (size_t h = 0; h < a->heads; h++) divide(out + h * D, s[h].sum, D);
}
#endif
