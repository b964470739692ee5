/* Weights in BF16: widened to float as they are laid out for multiplication. */
#if defined(__x86_64__)
#include "predict/lm_gemm_tile.h"

enum {
    MR = 32,   /* weight rows of a tile: two registers */
    NR = 14,   /* activation rows of a tile, at most: with the above 28 sums, and 4 registers to feed them */
    TILES = 5, /* tiles of activations prepared together */
    KB = 576   /* of the sum at a time: a tile's activations in the first-level cache, all else in the second */
};

/* panel[l,0..16) of [l,MR] = rows 0..16 of a at l < k; rows past `rows` are zero. Two BF16 neighbours travel as one word. */
AVX512 static void pack_weights(float *panel, const uint16_t *a, size_t lda, size_t rows, size_t k)
{
    const __m512i high = _mm512_set1_epi32((int)0xffff0000u);
    for (size_t l = 0; l < k; l += 32) {
        __m512i r[16];
        size_t left = k - l < 32 ? k - l : 32;
        __mmask32 mask = (__mmask32)(((uint64_t)1 << left) - 1);
        UNROLL
        for (size_t i = 0; i < 16; i++)
            r[i] = i < rows ? _mm512_maskz_loadu_epi16(mask, a + i * lda + l) : _mm512_setzero_si512();
        transpose(r);
        UNROLL
        for (size_t i = 0; i < 16; i++) {
            _mm512_store_ps(panel + (l + 2 * i) * MR, _mm512_castsi512_ps(_mm512_slli_epi32(r[i], 16)));
            _mm512_store_ps(panel + (l + 2 * i + 1) * MR, _mm512_castsi512_ps(_mm512_and_si512(r[i], high)));
        }
    }
}

/* panel: [k,16], column j row j of b. */
AVX512 static void pack_activations(float *panel, const float *b, size_t ldb, size_t rows, size_t k)
{
    for (size_t l = 0; l < k; l += 16) {
        __m512i r[16];
        size_t left = k - l < 16 ? k - l : 16;
        __mmask16 mask = (__mmask16)((1u << left) - 1);
        UNROLL
        for (size_t j = 0; j < 16; j++)
            r[j] = j < rows ? _mm512_maskz_loadu_epi32(mask, b + j * ldb + l) : _mm512_setzero_si512();
        transpose(r);
        UNROLL
        for (size_t j = 0; j < 16; j++) _mm512_store_si512((void *)(panel + (l + j) * 16), r[j]);
    }
}

/* One tile: nr rows of c, columns of the two masks; `more` adds to what c has. */
INLINE void tile(float *c, size_t ldc, const float *a, const float *b, size_t k, int nr, bool more, __mmask16 low,
                 __mmask16 high)
{
    __m512 s[NR][2];
    UNROLL
    for (int j = 0; j < nr; j++) {
        s[j][0] = more ? _mm512_maskz_loadu_ps(low, c + (size_t)j * ldc) : _mm512_setzero_ps();
        s[j][1] = more ? _mm512_maskz_loadu_ps(high, c + (size_t)j * ldc + 16) : _mm512_setzero_ps();
    }
    for (size_t l = 0; l < k; l++, a += MR, b += 16) {
        __m512 a0 = _mm512_load_ps(a), a1 = _mm512_load_ps(a + 16);
        UNROLL
        for (int j = 0; j < nr; j++) {
            __m512 x = _mm512_set1_ps(b[j]);
            s[j][0] = _mm512_fmadd_ps(a0, x, s[j][0]);
            s[j][1] = _mm512_fmadd_ps(a1, x, s[j][1]);
        }
    }
    UNROLL
    for (int j = 0; j < nr; j++) {
        _mm512_mask_storeu_ps(c + (size_t)j * ldc, low, s[j][0]);
        _mm512_mask_storeu_ps(c + (size_t)j * ldc + 16, high, s[j][1]);
    }
}

#define TILE(nr) \
    case nr: tile(c, ldc, a, b, k, nr, more, low, high); break
AVX512 static void any_tile(float *c, size_t ldc, const float *a, const float *b, size_t k, size_t nr, bool more, __mmask16 low,
                            __mmask16 high)
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
    }
}

typedef struct scratch {
    _Alignas(64) float a[KB * MR], b[TILES][KB * 16];
} scratch;

/* A stretch of the sum for n <= TILES * NR rows. */
AVX512 static void stretch(scratch *s, float *c, const uint16_t *a, const float *b, size_t m, size_t n, size_t k, size_t ldc,
                           size_t lda, size_t ldb, bool more)
{
    size_t tiles = (n + NR - 1) / NR;
    for (size_t t = 0; t < tiles; t++)
        pack_activations(s->b[t], b + share(n, tiles, t) * ldb, ldb, share(n, tiles, t + 1) - share(n, tiles, t), k);
    for (size_t i = 0; i < m; i += MR) {
        size_t rows = m - i < MR ? m - i : MR;
        __mmask16 low = (__mmask16)(rows < 16 ? (1u << rows) - 1 : 0xffff),
                  high = (__mmask16)(rows > 16 ? (1u << (rows - 16)) - 1 : 0);
        pack_weights(s->a, a + i * lda, lda, rows, k);
        pack_weights(s->a + 16, a + (i + 16) * lda, lda, rows > 16 ? rows - 16 : 0, k);
        for (size_t t = 0; t < tiles; t++) {
            size_t j = share(n, tiles, t);
            any_tile(c + j * ldc + i, ldc, s->a, s->b[t], k, share(n, tiles, t + 1) - j, more, low, high);
        }
    }
}

AVX512 void mn_lm_gemm_bf16(float *c, const uint16_t *a, const float *b, size_t m, size_t n, size_t k, size_t ldc, size_t lda,
                            size_t ldb)
{
    scratch s;
    size_t blocks = (n + TILES * NR - 1) / (TILES * NR), stretches = (k + KB - 1) / KB;
    for (size_t p = 0; p < blocks; p++) {
        size_t j = share(n, blocks, p), rows = share(n, blocks, p + 1) - j;
        for (size_t q = 0; q < stretches; q++) {
            size_t l = share(k, stretches, q);
            stretch(&s, c + j * ldc, a + l, b + j * ldb + l, m, rows, share(k, stretches, q + 1) - l, ldc, lda, ldb, q > 0);
        }
    }
}
#endif
