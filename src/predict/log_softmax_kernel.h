/* The passes of log_softmax.h over eight lanes. Included by the files that define LANES and LOG_SOFTMAX_PASSES. */
#include "base/lanes.h"
#include "predict/log_softmax.h"

enum { CHUNK = 512 }; /* 64 additions a lane between tallies */

LANE lanes load_some_floats(const float *x, size_t n, float fill)
{
    float full[8];
    if (n >= 8) return load_floats(x);
    for (size_t i = 0; i < 8; i++) full[i] = i < n ? x[i] : fill;
    return load_floats(full);
}

LANES_TARGET static float most_of(const float *x, size_t A)
{
    lanes high[4] = {all(-INFINITY), all(-INFINITY), all(-INFINITY), all(-INFINITY)};
    unsigned bad = 0;
    for (size_t i = 0; i < A; i += 8) {
        lanes a = load_some_floats(x + i, A - i, -INFINITY);
        bad |= nans(a, a);
        high[i / 8 % 4] = most(high[i / 8 % 4], a);
    }
    return bad ? NAN : (float)-lanes_least(sub(all(0), most(most(high[0], high[1]), most(high[2], high[3]))));
}

/* n: entries of the last register, where it is one alone. */
LANE lanes sum_step(lanes sum, const float *x, double sharpness, double top, size_t n, int side)
{
    const lanes zero = all(0), lowest = all(-708), by = all(sharpness), minus = all(-top);
    lanes a[SIDE], cut[SIDE];
    exp_parts e[SIDE];
    BESIDE a[j] = add(mul(load_some_floats(x + 8 * j, n, -INFINITY), by), minus), cut[j] = most(a[j], lowest);
    exp_split(e, cut, side);
    BESIDE sum = add(sum, if_less(a[j], lowest, zero, fmadd(e[j].scale, e[j].r2p, fmadd(e[j].scale, e[j].r, e[j].scale))));
    return sum;
}

LANES_TARGET static double sum(const float *x, size_t A, double sharpness, double top)
{
    tally total = {all(0), all(0)};
    for (size_t chunk = 0; chunk < A; chunk += CHUNK) {
        size_t end = A - chunk < CHUNK ? A : chunk + CHUNK, i = chunk;
        lanes here = all(0);
        for (; i + 8 * SIDE <= end; i += 8 * SIDE) here = sum_step(here, x + i, sharpness, top, 8, SIDE);
        for (; i < end; i += 8) here = sum_step(here, x + i, sharpness, top, end - i, 1);
        tally_add(&total, here);
    }
    return tally_total(&total);
}

LANES_TARGET static void write(double *lp, const float *x, size_t A, double sharpness, double lnz)
{
    const lanes by = all(sharpness), minus = all(-lnz);
    for (size_t i = 0; i < A; i += 8) store_some(lp + i, add(mul(load_some_floats(x + i, A - i, 0), by), minus), A - i);
}

const mn_log_softmax_passes LOG_SOFTMAX_PASSES = {most_of, sum, write};
