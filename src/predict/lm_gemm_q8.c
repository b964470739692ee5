/* Weights and activations in bytes: blocks of 32 with one scale (Q8_0). */
#if defined(__x86_64__)
#include <string.h>

#include "predict/lm_gemm_tile.h"

enum {
    MR = 16,   /* weight rows of a tile: one register */
    NR = 16,   /* activation rows of a tile, at most */
    TILES = 5, /* tiles of activations prepared together */
    KB = 64    /* blocks of the sum at a time */
};

/* A block of up to 16 rows; minus: -128 times the sum of its values, which takes the + 128 back. */
typedef struct inputs {
    _Alignas(64) int8_t q[16][32];
    int32_t minus[16];
    float d[16];
} inputs;

typedef struct scratch {
    mn_q8_panel a[KB];
    inputs b[TILES][KB];
} scratch;

/* Two blocks at a time: a word is four values, and 16 words of 16 rows change places. Rows past `rows` are zero. */
AVX512 static void pack_weights(mn_q8_panel *panel, const mn_q8 *a, size_t lda, size_t rows, size_t k)
{
    const __m512i flip = _mm512_set1_epi8((char)0x80);
    for (size_t l = 0; l < k; l += 2) {
        __m512i r[16];
        bool two = l + 1 < k;
        uint16_t d[2][16] = {{0}};
        UNROLL
        for (size_t i = 0; i < 16; i++) {
            const mn_q8 *at = a + i * lda + l;
            r[i] = _mm512_setzero_si512();
            if (i >= rows) continue;
            r[i] = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)at->q));
            if (two) r[i] = _mm512_inserti64x4(r[i], _mm256_loadu_si256((const __m256i *)at[1].q), 1);
            d[0][i] = at->d;
            if (two) d[1][i] = at[1].d;
        }
        transpose(r);
        for (size_t h = 0; h < (two ? 2u : 1u); h++) {
            UNROLL
            for (size_t g = 0; g < 8; g++) _mm512_store_si512((void *)panel[l + h].q[g], _mm512_xor_si512(r[8 * h + g], flip));
            _mm512_storeu_ps(panel[l + h].d, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)d[h])));
        }
    }
}

AVX512 static void pack_inputs(inputs *panel, const mn_q8 *b, size_t ldb, size_t rows, size_t k)
{
    const __m256i ones = _mm256_set1_epi8(1);
    for (size_t l = 0; l < k; l++) {
        uint16_t d[16] = {0};
        for (size_t j = 0; j < rows; j++) {
            const mn_q8 *at = b + j * ldb + l;
            __m256i q = _mm256_loadu_si256((const __m256i *)at->q), s = _mm256_dpbusd_epi32(_mm256_setzero_si256(), ones, q);
            __m128i t = _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
            t = _mm_add_epi32(t, _mm_shuffle_epi32(t, 0x4e));
            t = _mm_add_epi32(t, _mm_shuffle_epi32(t, 0xb1));
            panel[l].minus[j] = -128 * _mm_cvtsi128_si32(t);
            _mm256_store_si256((__m256i *)panel[l].q[j], q);
            d[j] = at->d;
        }
        _mm512_store_ps(panel[l].d, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)d)));
    }
}

/* Weights wanted next, to be brought near so many lines a step. */
typedef struct ahead {
    const char *at;
    size_t lines;
} ahead;

/* One tile: nr rows of c, columns of the mask; `more` adds to what c has. */
INLINE void tile(float *c, size_t ldc, const mn_q8_panel *a, const inputs *b, size_t k, int nr, bool more, __mmask16 mask,
                 ahead next)
{
    __m512 s[NR];
    UNROLL
    for (int j = 0; j < nr; j++) s[j] = more ? _mm512_maskz_loadu_ps(mask, c + (size_t)j * ldc) : _mm512_setzero_ps();
    for (size_t l = 0; l < k; l++) {
        __m512i w[8];
        UNROLL
        for (int g = 0; g < 8; g++) w[g] = _mm512_load_si512((const void *)a[l].q[g]);
        __m512 d = _mm512_load_ps(a[l].d);
        for (size_t p = 0; p < next.lines; p++, next.at += 64) _mm_prefetch(next.at, _MM_HINT_T1);
        UNROLL
        for (int j = 0; j < nr; j++) {
            __m512i sum = _mm512_set1_epi32(b[l].minus[j]);
            UNROLL
            for (int g = 0; g < 8; g++) {
                int32_t x;
                memcpy(&x, b[l].q[j] + 4 * g, 4);
                sum = _mm512_dpbusd_epi32(sum, w[g], _mm512_set1_epi32(x));
            }
            s[j] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), _mm512_mul_ps(d, _mm512_set1_ps(b[l].d[j])), s[j]);
        }
    }
    UNROLL
    for (int j = 0; j < nr; j++) _mm512_mask_storeu_ps(c + (size_t)j * ldc, mask, s[j]);
}

#define TILE(nr) \
    case nr: tile(c, ldc, a, b, k, nr, more, mask, next); break
AVX512 static void any_tile(float *c, size_t ldc, const mn_q8_panel *a, const inputs *b, size_t k, size_t nr, bool more,
                            __mmask16 mask, ahead next)
{
    switch (nr) {
        TILE(1);
        TILE(2);
        TILE(3);
        TILE(4);
        TILE(5);
        TILE(6);
        TILE(7);
        TILE(8);
        TILE(9);
        TILE(10);
        TILE(11);
        TILE(12);
        TILE(13);
        TILE(14);
        TILE(15);
        TILE(16);
    }
}

/* A stretch of the sum for n <= TILES * NR rows. panels: NULL, or of a's rows `pitch` blocks apart. */
AVX512 static void stretch(scratch *s, float *c, const mn_q8 *a, const mn_q8_panel *panels, const mn_q8 *b, size_t m, size_t n,
                           size_t k, size_t ldc, size_t lda, size_t pitch, size_t ldb, bool more)
{
    size_t tiles = (n + NR - 1) / NR;
    for (size_t t = 0; t < tiles; t++)
        pack_inputs(s->b[t], b + share(n, tiles, t) * ldb, ldb, share(n, tiles, t + 1) - share(n, tiles, t), k);
    for (size_t i = 0; i < m; i += MR) {
        size_t rows = m - i < MR ? m - i : MR;
        __mmask16 mask = (__mmask16)((1u << rows) - 1);
        const mn_q8_panel *panel = panels ? panels + i / MR * pitch : s->a;
        if (!panels) pack_weights(s->a, a + i * lda, lda, rows, k);
        ahead next = {.at = (const char *)(panel + pitch), .lines = panels ? (sizeof *panel / 64 + tiles - 1) / tiles : 0};
        for (size_t t = 0; t < tiles; t++, next.at += k * next.lines * 64) {
            size_t j = share(n, tiles, t);
            any_tile(c + j * ldc + i, ldc, panel, s->b[t], k, share(n, tiles, t + 1) - j, more, mask, next);
        }
    }
}

AVX512 void mn_lm_gemm_q8_pack(mn_q8_panel *panels, const mn_q8 *a, size_t m, size_t k, size_t lda)
{
    for (size_t i = 0; i < m; i += MR) pack_weights(panels + i / MR * k, a + i * lda, lda, m - i < MR ? m - i : MR, k);
}

AVX512 void mn_lm_gemm_q8(float *c, const mn_q8 *a, const mn_q8_panel *panels, const mn_q8 *b, size_t m, size_t n, size_t k,
                          size_t ldc, size_t lda, size_t ldb)
{
    scratch s;
    size_t blocks = (n + TILES * NR - 1) / (TILES * NR);
    for (size_t p = 0; p < blocks; p++) {
        size_t j = share(n, blocks, p), rows = share(n, blocks, p + 1) - j;
        for (size_t l = 0; l < k; l += KB)
            stretch(&s, c + j * ldc, a + l, panels ? panels + l : NULL, b + j * ldb + l, m, rows, k - l < KB ? k - l : KB, ldc,
                    lda, k, ldb, l > 0);
    }
}
#endif
