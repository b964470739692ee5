/* Passes over one row, in the fastest instruction set here; the bits are the same in all of them. The base is p = exp(lp), the
 * tilt p e^x, x = l z - l center, l center rounded. Every sum is within mn_tilt_rounding(V) units of 2^-53 of its terms'
 * sizes. */
#ifndef MN_TILT_H
#define MN_TILT_H

#include "base/base.h"

enum { MN_TILT_CHUNK = 256 };

/* Additions in a chunk's lane, those of the lanes and of the tally, and sixteen for what a term itself gathers. */
static inline double mn_tilt_rounding(size_t V)
{
    return (double)(V < MN_TILT_CHUNK ? (V + 7) / 8 : MN_TILT_CHUNK / 8) + 5 + 16;
}

/* Symbols with lp below this count as if they had it; what they could change is bounded by the caller. */
#define MN_TILT_LOWEST (-708.0)

typedef struct mn_tilt_base {
    double kept;         /* sum of p where the score is not -INFINITY */
    double masked;       /* sum of p where it is */
    double least, most;  /* scores on the support that are not masked; INFINITY, -INFINITY where there is none */
    double z1, z2;       /* sum p z^k, of a plain row */
    bool plain;          /* every lp is above MN_TILT_LOWEST, every score finite, no sum overflows */
    bool masks;          /* some entry of the support has a score of -INFINITY, however unlikely */
    bool bad;            /* NaN somewhere, a score of +INFINITY, or lp above 1 */
} mn_tilt_base;

typedef struct mn_tilt_sums {
    double phi;            /* sum p ((x - 1) e^x + 1), no term negative */
    double gain;           /* sum p (e^x - 1) */
    double x1, x2, x3, x4; /* sum p e^x x^k */
} mn_tilt_sums;

typedef struct mn_tilt_passes {
    /* Writes p [V] with 0 at masked entries. */
    mn_tilt_base (*base)(double *p, const double *lp, const double *z, size_t V);
    /* moments[k-1] = sum p u^k, k = 1, 2, u = (z - center) scale, held within [-2, 2]. */
    void (*moments)(double moments[2], const double *p, const double *z, double center, double scale, size_t V);
    /* x is held within [-708, 709]; wide: some x may need that. */
    mn_tilt_sums (*weigh)(const double *p, const double *z, double center, double l, bool wide, size_t V);
    /* Cheaper where the KL is not small: sums[k] = sum p e^x x^k, k = 0..4, of a plain row with -700 <= x <= 700; rough: only
     * to about five digits, and not the last. */
    void (*weigh_directly)(double sums[5], const double *p, const double *z, double center, double l, bool rough, size_t V);
    /* Ids with lp >= from into ids [cap], rising; returns how many there are, at most cap + 8 counted. *nan: lp has one. */
    size_t (*gather)(int32_t *ids, size_t cap, const double *lp, size_t V, double from, bool *nan);
    /* sum exp(lp - offset) over entries from..to-1 that are not among ids [n], rising. */
    double (*rest)(const double *lp, size_t from, size_t to, const int32_t *ids, size_t n, double offset);
    /* out = lp + (l (z - center) - lnz). */
    void (*write)(double *out, const double *lp, const double *z, double center, double l, double lnz, size_t V);
    /* Writes pi = exp(lp) [V]; returns the greatest lp. */
    double (*policy)(double *pi, const double *lp, size_t V);
    /* With t = z - center, over entries with pi > 0: sum pi t, sum pi t^2, sum g, sum g t. */
    void (*slopes)(double sums[4], const double *pi, const double *z, const double *g, double center, size_t V);
    /* Replaces pi by l (g + pi (a (z - center) + b)), 0 where pi is 0; returns the sum of what is written. */
    double (*gradient)(double *pi, const double *z, const double *g, double center, double l, double a, double b, size_t V);
} mn_tilt_passes;

/* The passes for this processor. */
const mn_tilt_passes *mn_tilt(void);

extern const mn_tilt_passes mn_tilt_plain, mn_tilt_avx2, mn_tilt_avx512;

#endif
