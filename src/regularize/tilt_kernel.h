/* The passes of tilt.h over eight lanes. Included by the files that define LANES and TILT_PASSES. */
#include "base/lanes.h"
#include "regularize/tilt.h"

enum { CHUNK = MN_TILT_CHUNK };

LANES_TARGET static mn_tilt_base base(double *p, const double *lp, const double *z, size_t V)
{
    const lanes lowest = all(MN_TILT_LOWEST), zero = all(0), big = all(INFINITY), none = all(-INFINITY), finite = all(-0x1.fffffffffffffp1023);
    tally kept = {zero, zero}, masked = kept;
    lanes least_z = big, minus_most_z = big, highest = none, likeliest_masked = none;
    unsigned bad = 0;
    for (size_t chunk = 0; chunk < V; chunk += CHUNK) {
        size_t end = V - chunk < CHUNK ? V : chunk + CHUNK;
        lanes kept_here = zero, masked_here = zero;
        for (size_t i = chunk; i < end; i += 8) {
            lanes a = load_some(lp + i, end - i, -INFINITY), s = load_some(z + i, end - i, 0);
            bad |= nans(a, s);
            exp_parts e = exp_split(least(most(a, lowest), all(1)));
            lanes prob = if_less(a, lowest, zero, fmadd(e.scale, e.r2p, fmadd(e.scale, e.r, e.scale)));
            lanes keep = if_less(s, finite, zero, prob), score = most(if_less(a, finite, none, s), none);
            kept_here = add(kept_here, keep);
            masked_here = add(masked_here, sub(prob, keep));
            likeliest_masked = most(likeliest_masked, if_less(s, finite, a, none));
            least_z = least(least_z, if_less(score, finite, big, score));
            minus_most_z = least(minus_most_z, sub(zero, score));
            highest = most(highest, most(a, if_less(all(0x1.fffffffffffffp1023), s, big, none)));
            store_some(p + i, keep, end - i);
        }
        tally_add(&kept, kept_here);
        tally_add(&masked, masked_here);
    }
    return (mn_tilt_base){.kept = tally_total(&kept), .masked = tally_total(&masked), .least = lanes_least(least_z),
                          .most = -lanes_least(minus_most_z), .masks = lanes_least(sub(zero, likeliest_masked)) < INFINITY,
                          .bad = bad || lanes_least(sub(zero, highest)) < -1};
}

LANES_TARGET static void moments(double out[4], const double *p, const double *z, mn_tilt_frame frame, double scale, size_t V)
{
    const lanes zero = all(0), center = all(frame.center), low = all(frame.least), high = all(frame.most), unit = all(scale);
    tally sum[4] = {{zero, zero}, {zero, zero}, {zero, zero}, {zero, zero}};
    for (size_t chunk = 0; chunk < V; chunk += CHUNK) {
        size_t end = V - chunk < CHUNK ? V : chunk + CHUNK;
        lanes here[4] = {zero, zero, zero, zero};
        for (size_t i = chunk; i < end; i += 8) {
            lanes prob = load_some(p + i, end - i, 0), s = most(least(load_some(z + i, end - i, 0), high), low);
            lanes u = mul(sub(s, center), unit), u2 = mul(u, u), pu = mul(prob, u), pu2 = mul(prob, u2);
            here[0] = add(here[0], pu);
            here[1] = add(here[1], pu2);
            here[2] = fmadd(pu, u2, here[2]);
            here[3] = fmadd(pu2, u2, here[3]);
        }
        for (int k = 0; k < 4; k++) tally_add(&sum[k], here[k]);
    }
    for (int k = 0; k < 4; k++) out[k] = tally_total(&sum[k]);
}

LANES_TARGET static mn_tilt_sums weigh(const double *p, const double *z, mn_tilt_frame frame, double l, size_t V)
{
    const lanes zero = all(0), one = all(1), center = all(frame.center), low = all(frame.least), high = all(frame.most), by = all(l);
    tally sum[5] = {{zero, zero}, {zero, zero}, {zero, zero}, {zero, zero}, {zero, zero}};
    for (size_t chunk = 0; chunk < V; chunk += CHUNK) {
        size_t end = V - chunk < CHUNK ? V : chunk + CHUNK;
        lanes here[5] = {zero, zero, zero, zero, zero};
        for (size_t i = chunk; i < end; i += 8) {
            lanes prob = load_some(p + i, end - i, 0), s = most(least(load_some(z + i, end - i, 0), high), low);
            lanes x = mul(sub(s, center), by), x2 = mul(x, x);
            exp_parts e = exp_split(x);
            /* e^x - 1 - x without cancellation: where scale is 1, r is x and only r2p is left */
            lanes rise = mul(prob, fmadd(e.scale, e.r2p, add(sub(e.scale, one), sub(mul(e.scale, e.r), x))));
            lanes wx2 = mul(add(rise, fmadd(prob, x, prob)), x2);
            here[0] = add(here[0], rise);
            here[1] = fmadd(rise, x, here[1]);
            here[2] = add(here[2], wx2);
            here[3] = fmadd(wx2, x, here[3]);
            here[4] = fmadd(wx2, x2, here[4]);
        }
        for (int k = 0; k < 5; k++) tally_add(&sum[k], here[k]);
    }
    return (mn_tilt_sums){tally_total(&sum[0]), tally_total(&sum[1]), tally_total(&sum[2]), tally_total(&sum[3]), tally_total(&sum[4])};
}

LANES_TARGET static size_t gather(int32_t *ids, size_t cap, const double *lp, size_t V, double from, bool *nan)
{
    const lanes bound = all(from);
    size_t n = 0;
    unsigned bad = 0;
    for (size_t i = 0; i < V; i += 8) {
        lanes a = load_some(lp + i, V - i, lp[i]);
        unsigned which = at_least(a, bound) & (V - i < 8 ? (1u << (V - i)) - 1 : 255);
        bad |= nans(a, a);
        for (; which && n <= cap; which &= which - 1, n++)
            if (n < cap) ids[n] = (int32_t)(i + (size_t)__builtin_ctz(which));
    }
    *nan = bad;
    return n;
}

LANES_TARGET static double rest(const double *lp, size_t from, size_t to, const int32_t *ids, size_t n, double offset)
{
    const lanes lowest = all(MN_TILT_LOWEST), zero = all(0), off = all(offset);
    tally sum = {zero, zero};
    size_t next = 0;
    while (next < n && (size_t)ids[next] < from) next++;
    for (size_t chunk = from; chunk < to; chunk += CHUNK) {
        size_t end = to - chunk < CHUNK ? to : chunk + CHUNK;
        lanes here = zero;
        for (size_t i = chunk; i < end; i += 8) {
            lanes a = load_some(lp + i, end - i, -INFINITY);
            if (next < n && (size_t)ids[next] < i + 8) {
                double some[8];
                store(some, a);
                for (; next < n && (size_t)ids[next] < i + 8; next++) some[(size_t)ids[next] - i] = -INFINITY;
                a = load(some);
            }
            lanes x = sub(a, off);
            exp_parts e = exp_split(most(x, lowest));
            here = add(here, if_less(x, lowest, zero, fmadd(e.scale, e.r2p, fmadd(e.scale, e.r, e.scale))));
        }
        tally_add(&sum, here);
    }
    return tally_total(&sum);
}

LANES_TARGET static void write_row(double *out, const double *lp, const double *z, double center, double l, double lnz, size_t V)
{
    const lanes c = all(center), by = all(l), minus = all(-lnz);
    for (size_t i = 0; i < V; i += 8) {
        lanes a = load_some(lp + i, V - i, 0), s = load_some(z + i, V - i, 0);
        store_some(out + i, add(a, fmadd(sub(s, c), by, minus)), V - i);
    }
}

const mn_tilt_passes TILT_PASSES = {base, moments, weigh, gather, rest, write_row};
