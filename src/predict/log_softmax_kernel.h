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
    lanes high = all(-INFINITY);
    unsigned bad = 0;
    for (size_t i = 0; i < A; i += 8) {
        lanes a = load_some_floats(x + i, A - i, -INFINITY);
        bad |= nans(a, a);
        high = most(high, a);
    }
    return bad ? NAN : (float)-lanes_least(sub(all(0), high));
}

LANES_TARGET static double sum(const float *x, size_t A, double sharpness, double top)
{
    const lanes zero = all(0), lowest = all(-708), by = all(sharpness), minus = all(-top);
    tally total = {zero, zero};
    for (size_t chunk = 0; chunk < A; chunk += CHUNK) {
        size_t end = A - chunk < CHUNK ? A : chunk + CHUNK;
        lanes here = zero;
        for (size_t i = chunk; i < end; i += 8) {
            lanes a = add(mul(load_some_floats(x + i, end - i, -INFINITY), by), minus);
            exp_parts e = exp_split(most(a, lowest));
            here = add(here, if_less(a, lowest, zero, fmadd(e.scale, e.r2p, fmadd(e.scale, e.r, e.scale))));
        }
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
