/* Eight doubles side by side, in three instruction sets with the same bits: every operation is one correctly rounded IEEE
 * operation a lane (fma included), and nothing is ever summed across lanes but by lanes_total. Included by the files that
 * define LANES (512, 256, or 0 for plain C); everything here is inlined. */
#ifndef MN_LANES_H
#define MN_LANES_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if LANES == 512
#include <immintrin.h>
#define LANES_TARGET __attribute__((target("avx512f,avx512dq,avx2,fma")))
#elif LANES == 256
#include <immintrin.h>
#define LANES_TARGET __attribute__((target("avx2,fma")))
#else
#define LANES_TARGET
#endif
#if LANES
#define LANE LANES_TARGET static inline __attribute__((always_inline))
#else
#define LANE static inline /* inlined by force it would take compilers minutes under a sanitizer */
#endif

#if LANES == 512

typedef __m512d lanes;
LANE lanes all(double x) { return _mm512_set1_pd(x); }
LANE lanes load(const double *x) { return _mm512_loadu_pd(x); }
LANE lanes load_floats(const float *x) { return _mm512_cvtps_pd(_mm256_loadu_ps(x)); }
LANE void store(double *x, lanes a) { _mm512_storeu_pd(x, a); }
LANE lanes add(lanes a, lanes b) { return _mm512_add_pd(a, b); }
LANE lanes sub(lanes a, lanes b) { return _mm512_sub_pd(a, b); }
LANE lanes mul(lanes a, lanes b) { return _mm512_mul_pd(a, b); }
LANE lanes fmadd(lanes a, lanes b, lanes c) { return _mm512_fmadd_pd(a, b, c); }
LANE lanes least(lanes a, lanes b) { return _mm512_min_pd(a, b); }
LANE lanes most(lanes a, lanes b) { return _mm512_max_pd(a, b); }
LANE lanes if_less(lanes a, lanes b, lanes yes, lanes no)
{
    return _mm512_mask_blend_pd(_mm512_cmp_pd_mask(a, b, _CMP_LT_OQ), no, yes);
}
LANE lanes shift_to_exponent(lanes a) { return _mm512_castsi512_pd(_mm512_slli_epi64(_mm512_castpd_si512(a), 52)); }
LANE unsigned nans(lanes a, lanes b) { return _mm512_cmp_pd_mask(a, b, _CMP_UNORD_Q); }
LANE unsigned at_least(lanes a, lanes b) { return _mm512_cmp_pd_mask(a, b, _CMP_GE_OQ); } /* bit i: lane i */

#elif LANES == 256

typedef struct lanes {
    __m256d low, high;
} lanes;
LANE lanes pair(__m256d low, __m256d high) { return (lanes){low, high}; }
LANE lanes all(double x) { return pair(_mm256_set1_pd(x), _mm256_set1_pd(x)); }
LANE lanes load(const double *x) { return pair(_mm256_loadu_pd(x), _mm256_loadu_pd(x + 4)); }
LANE lanes load_floats(const float *x) { return pair(_mm256_cvtps_pd(_mm_loadu_ps(x)), _mm256_cvtps_pd(_mm_loadu_ps(x + 4))); }
LANE void store(double *x, lanes a) { _mm256_storeu_pd(x, a.low), _mm256_storeu_pd(x + 4, a.high); }
LANE lanes add(lanes a, lanes b) { return pair(_mm256_add_pd(a.low, b.low), _mm256_add_pd(a.high, b.high)); }
LANE lanes sub(lanes a, lanes b) { return pair(_mm256_sub_pd(a.low, b.low), _mm256_sub_pd(a.high, b.high)); }
LANE lanes mul(lanes a, lanes b) { return pair(_mm256_mul_pd(a.low, b.low), _mm256_mul_pd(a.high, b.high)); }
LANE lanes fmadd(lanes a, lanes b, lanes c)
{
    return pair(_mm256_fmadd_pd(a.low, b.low, c.low), _mm256_fmadd_pd(a.high, b.high, c.high));
}
LANE lanes least(lanes a, lanes b) { return pair(_mm256_min_pd(a.low, b.low), _mm256_min_pd(a.high, b.high)); }
LANE lanes most(lanes a, lanes b) { return pair(_mm256_max_pd(a.low, b.low), _mm256_max_pd(a.high, b.high)); }
LANE lanes if_less(lanes a, lanes b, lanes yes, lanes no)
{
    return pair(_mm256_blendv_pd(no.low, yes.low, _mm256_cmp_pd(a.low, b.low, _CMP_LT_OQ)),
                _mm256_blendv_pd(no.high, yes.high, _mm256_cmp_pd(a.high, b.high, _CMP_LT_OQ)));
}
LANE lanes shift_to_exponent(lanes a)
{
    return pair(_mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(a.low), 52)),
                _mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(a.high), 52)));
}
LANE unsigned nans(lanes a, lanes b)
{
    return (unsigned)(_mm256_movemask_pd(_mm256_cmp_pd(a.low, b.low, _CMP_UNORD_Q)) |
                      _mm256_movemask_pd(_mm256_cmp_pd(a.high, b.high, _CMP_UNORD_Q)));
}
LANE unsigned at_least(lanes a, lanes b)
{
    return (unsigned)(_mm256_movemask_pd(_mm256_cmp_pd(a.low, b.low, _CMP_GE_OQ)) |
                      _mm256_movemask_pd(_mm256_cmp_pd(a.high, b.high, _CMP_GE_OQ)) << 4);
}

#else

typedef struct lanes {
    double x[8];
} lanes;
#define LANEWISE(expression)                                  \
    lanes out;                                                \
    for (int i = 0; i < 8; i++) out.x[i] = (expression);      \
    return out
LANE lanes all(double x) { LANEWISE(x); }
LANE lanes load(const double *x) { LANEWISE(x[i]); }
LANE lanes load_floats(const float *x) { LANEWISE((double)x[i]); }
LANE void store(double *x, lanes a) { memcpy(x, a.x, sizeof a.x); }
LANE lanes add(lanes a, lanes b) { LANEWISE(a.x[i] + b.x[i]); }
LANE lanes sub(lanes a, lanes b) { LANEWISE(a.x[i] - b.x[i]); }
LANE lanes mul(lanes a, lanes b) { LANEWISE(a.x[i] * b.x[i]); }
LANE lanes fmadd(lanes a, lanes b, lanes c) { LANEWISE(fma(a.x[i], b.x[i], c.x[i])); }
LANE lanes least(lanes a, lanes b) { LANEWISE(a.x[i] < b.x[i] ? a.x[i] : b.x[i]); } /* as x86 does: b where one is NaN */
LANE lanes most(lanes a, lanes b) { LANEWISE(a.x[i] > b.x[i] ? a.x[i] : b.x[i]); }
LANE lanes if_less(lanes a, lanes b, lanes yes, lanes no) { LANEWISE(a.x[i] < b.x[i] ? yes.x[i] : no.x[i]); }
LANE lanes shift_to_exponent(lanes a)
{
    uint64_t bits[8];
    memcpy(bits, a.x, sizeof bits);
    for (int i = 0; i < 8; i++) bits[i] <<= 52;
    memcpy(a.x, bits, sizeof bits);
    return a;
}
LANE unsigned nans(lanes a, lanes b)
{
    unsigned any = 0;
    for (int i = 0; i < 8; i++) any |= (unsigned)(isnan(a.x[i]) || isnan(b.x[i]));
    return any;
}
LANE unsigned at_least(lanes a, lanes b)
{
    unsigned which = 0;
    for (int i = 0; i < 8; i++) which |= (unsigned)(a.x[i] >= b.x[i]) << i;
    return which;
}

#endif

/* Registers that a pass works on side by side: a polynomial is one chain of operations, each waiting for the last, and one
 * chain alone leaves the processor idle most of the time. */
#if LANES == 512
enum { SIDE = 8 };
#else
enum { SIDE = 1 };
#endif
#define BESIDE _Pragma("GCC unroll 8") for (int j = 0; j < side; j++)

/* The first n (1..8) of the lanes; the others are fill. */
LANE lanes load_some(const double *x, size_t n, double fill)
{
    double full[8];
    if (n >= 8) return load(x);
    for (size_t i = 0; i < 8; i++) full[i] = i < n ? x[i] : fill;
    return load(full);
}

LANE void store_some(double *x, lanes a, size_t n)
{
    double full[8];
    if (n >= 8) {
        store(x, a);
        return;
    }
    store(full, a);
    for (size_t i = 0; i < n; i++) x[i] = full[i];
}

LANE double lanes_total(lanes a)
{
    double x[8];
    store(x, a);
    return ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7]));
}

LANE double lanes_least(lanes a)
{
    double x[8];
    store(x, a);
    for (int i = 1; i < 8; i++) x[0] = x[i] < x[0] ? x[i] : x[0];
    return x[0];
}

/* A sum that does not lose what it has: high + low (Knuth's two-sum), fed with sums of a chunk. */
typedef struct tally {
    lanes high, low;
} tally;

LANE void tally_add(tally *t, lanes x)
{
    lanes sum = add(t->high, x), back = sub(sum, t->high);
    t->low = add(t->low, add(sub(t->high, sub(sum, back)), sub(x, back)));
    t->high = sum;
}

LANE double tally_total(const tally *t)
{
    return lanes_total(t->high) + lanes_total(t->low);
}

/* What follows is for `side` registers, 1 or SIDE. */

/* a e^x with a relative error of 1e-4 (minimax), for first guesses; -700 <= x <= 700. */
LANE void times_rough_exp(lanes *y, const lanes *a, const lanes *x, int side)
{
    static const double P[] = {0x1.fff6928c68745p-1, 0x1.000ac2947eb47p+0, 0x1.028a8b82ab176p-1, 0x1.5349f764da0d6p-3};
    const lanes magic = all(0x1.8p52 + 1023); /* its low bits then hold the rounded multiple, biased as an exponent */
    lanes t[SIDE], r[SIDE], p[SIDE];
    BESIDE t[j] = fmadd(x[j], all(0x1.71547652b82fep0), magic);
    BESIDE r[j] = fmadd(sub(t[j], magic), all(-0x1.62e42fefa39efp-1), x[j]);
    BESIDE p[j] = fmadd(all(P[3]), r[j], all(P[2]));
    BESIDE p[j] = fmadd(p[j], r[j], all(P[1]));
    BESIDE p[j] = fmadd(p[j], r[j], all(P[0]));
    BESIDE y[j] = mul(mul(a[j], shift_to_exponent(t[j])), p[j]);
}

/* e^x = scale (1 + r + r2p), r2p = r^2 P(r) with scale a power of two and |r| <= ln(2)/2: the parts, because e^x - 1 - x needs
 * them apart. -708 <= x <= 709. P: Chebyshev interpolation of (e^r - 1 - r)/r^2, relative error 2.4e-16. */
typedef struct exp_parts {
    lanes scale, r, r2p;
} exp_parts;

LANE void exp_split(exp_parts *e, const lanes *x, int side)
{
    static const double P[] = {0x1.0000000000001p-1,  0x1.5555555555556p-3,  0x1.5555555553d63p-5,  0x1.11111111109b3p-7,
                               0x1.6c16c1788bd90p-10, 0x1.a01a01a7c41d5p-13, 0x1.a019b90d2ae7ap-16, 0x1.71de0dae63bb3p-19,
                               0x1.289185613a3d6p-22, 0x1.af38a9b0ec855p-26};
    const lanes magic = all(0x1.8p52 + 1023);
    lanes t[SIDE], k[SIDE], r[SIDE], p[SIDE];
    BESIDE t[j] = fmadd(x[j], all(0x1.71547652b82fep0), magic), k[j] = sub(t[j], magic);
    BESIDE r[j] = fmadd(k[j], all(-0x1.abc9e3b39803fp-56), fmadd(k[j], all(-0x1.62e42fefa39efp-1), x[j]));
    BESIDE p[j] = all(P[9]);
    for (int i = 8; i >= 0; i--) BESIDE p[j] = fmadd(p[j], r[j], all(P[i]));
    BESIDE e[j] = (exp_parts){shift_to_exponent(t[j]), r[j], mul(mul(r[j], r[j]), p[j])};
}

/* y = e^x with a relative error of 1.1e-15 + 3.4e-17 |x|, for -708 <= x <= 709. */
LANE void exp_of(lanes *y, const lanes *x, int side)
{
    static const double P[] = {0x1.0000000000000p-1,  0x1.5555555553b78p-3,  0x1.5555555554cb7p-5,  0x1.1111111c478ebp-7,
                               0x1.6c16c1738ff55p-10, 0x1.a019ada3609f3p-13, 0x1.a019c9a5652d3p-16, 0x1.72c72ca338df0p-19,
                               0x1.2880411bad1aap-22};
    const lanes magic = all(0x1.8p52 + 1023), one = all(1);
    lanes t[SIDE], r[SIDE], p[SIDE];
    BESIDE t[j] = fmadd(x[j], all(0x1.71547652b82fep0), magic);
    BESIDE r[j] = fmadd(sub(t[j], magic), all(-0x1.62e42fefa39efp-1), x[j]);
    BESIDE p[j] = all(P[8]);
    for (int i = 7; i >= 0; i--) BESIDE p[j] = fmadd(p[j], r[j], all(P[i]));
    BESIDE p[j] = fmadd(fmadd(p[j], r[j], one), r[j], one);
    BESIDE y[j] = mul(p[j], shift_to_exponent(t[j]));
}

#endif
