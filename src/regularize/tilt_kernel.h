/* The passes of tilt.h over eight lanes. Included by the files that define LANES and TILT_PASSES. */
#include "base/lanes.h"
#include "regularize/tilt.h"

enum { CHUNK = MN_TILT_CHUNK, AHEAD = 512 }; /* entries to ask the caches for in advance */

/* Nearly every row is plain, and then needs no care at each entry. */
LANES_TARGET static mn_tilt_base plain_base(double *p, const double *lp, const double *z, size_t V)
{
    const lanes zero = all(0), big = all(INFINITY);
    tally kept = {zero, zero}, z1 = kept, z2 = kept, z3 = kept;
    lanes least_z = big, most_z = all(-INFINITY), lowest = big;
    for (size_t chunk = 0; chunk < V; chunk += CHUNK) {
        size_t end = V - chunk < CHUNK ? V : chunk + CHUNK;
        lanes here[4] = {zero, zero, zero, zero};
        for (size_t i = chunk; i < end; i += 8) {
            __builtin_prefetch(lp + i + AHEAD), __builtin_prefetch(z + i + AHEAD), __builtin_prefetch(p + i + AHEAD, 1);
            lanes a = load_some(lp + i, end - i, -700), s = load_some(z + i, end - i, z[0]);
            lanes prob = exp_of(a), ps = mul(prob, s), ps2 = mul(ps, s);
            here[0] = add(here[0], prob);
            here[1] = add(here[1], ps);
            here[2] = add(here[2], ps2);
            here[3] = fmadd(ps2, s, here[3]);
            least_z = least(least_z, s);
            most_z = most(most_z, s);
            lowest = least(lowest, a);
            store_some(p + i, prob, end - i);
        }
        tally_add(&kept, here[0]);
        tally_add(&z1, here[1]);
        tally_add(&z2, here[2]);
        tally_add(&z3, here[3]);
    }
    mn_tilt_base out = {.kept = tally_total(&kept), .z1 = tally_total(&z1), .z2 = tally_total(&z2), .z3 = tally_total(&z3),
                        .least = lanes_least(least_z), .most = -lanes_least(sub(zero, most_z))};
    out.plain = lanes_least(lowest) > MN_TILT_LOWEST && out.kept < 2 && isfinite(out.z3) && out.least > -INFINITY;
    return out;
}

LANES_TARGET static mn_tilt_base base(double *p, const double *lp, const double *z, size_t V)
{
    mn_tilt_base out = plain_base(p, lp, z, V);
    if (out.plain) return out;
    const lanes lowest = all(MN_TILT_LOWEST), zero = all(0), big = all(INFINITY), none = all(-INFINITY),
                finite = all(-0x1.fffffffffffffp1023);
    tally kept = {zero, zero}, masked = kept;
    lanes least_z = big, most_z = none, highest = none, likeliest_masked = none;
    unsigned bad = 0;
    for (size_t chunk = 0; chunk < V; chunk += CHUNK) {
        size_t end = V - chunk < CHUNK ? V : chunk + CHUNK;
        lanes kept_here = zero, masked_here = zero;
        for (size_t i = chunk; i < end; i += 8) {
            lanes a = load_some(lp + i, end - i, -INFINITY), s = load_some(z + i, end - i, 0);
            bad |= nans(a, s);
            lanes prob = if_less(a, lowest, zero, exp_of(least(most(a, lowest), all(1))));
            lanes keep = if_less(s, finite, zero, prob), score = most(if_less(a, finite, none, s), none);
            kept_here = add(kept_here, keep);
            masked_here = add(masked_here, sub(prob, keep));
            likeliest_masked = most(likeliest_masked, if_less(s, finite, a, none));
            least_z = least(least_z, if_less(score, finite, big, score));
            most_z = most(most_z, score);
            highest = most(highest, most(a, if_less(all(0x1.fffffffffffffp1023), s, big, none)));
            store_some(p + i, keep, end - i);
        }
        tally_add(&kept, kept_here);
        tally_add(&masked, masked_here);
    }
    return (mn_tilt_base){.kept = tally_total(&kept), .masked = tally_total(&masked), .least = lanes_least(least_z),
                          .most = -lanes_least(sub(zero, most_z)), .masks = lanes_least(sub(zero, likeliest_masked)) < INFINITY,
                          .bad = bad || lanes_least(sub(zero, highest)) < -1};
}

LANES_TARGET static void moments(double out[3], const double *p, const double *z, double center, double scale, size_t V)
{
    const lanes zero = all(0), c = all(center), unit = all(scale), far = all(2), minus_far = all(-2);
    tally sum[3] = {{zero, zero}, {zero, zero}, {zero, zero}};
    for (size_t chunk = 0; chunk < V; chunk += CHUNK) {
        size_t end = V - chunk < CHUNK ? V : chunk + CHUNK;
        lanes here[3] = {zero, zero, zero};
        for (size_t i = chunk; i < end; i += 8) {
            lanes prob = load_some(p + i, end - i, 0), u = mul(sub(load_some(z + i, end - i, 0), c), unit);
            u = most(least(u, far), minus_far);
            lanes pu = mul(prob, u), pu2 = mul(pu, u);
            here[0] = add(here[0], pu);
            here[1] = add(here[1], pu2);
            here[2] = fmadd(pu2, u, here[2]);
        }
        for (int k = 0; k < 3; k++) tally_add(&sum[k], here[k]);
    }
    for (int k = 0; k < 3; k++) out[k] = tally_total(&sum[k]);
}

LANE mn_tilt_sums weigh_over(const double *p, const double *z, double center, double l, bool wide, size_t V)
{
    const lanes zero = all(0), one = all(1), by = all(l), shift = all(-center * l), low = all(-708), high = all(709);
    tally sum[6] = {{zero, zero}, {zero, zero}, {zero, zero}, {zero, zero}, {zero, zero}, {zero, zero}};
    for (size_t chunk = 0; chunk < V; chunk += CHUNK) {
        size_t end = V - chunk < CHUNK ? V : chunk + CHUNK;
        lanes here[6] = {zero, zero, zero, zero, zero, zero};
        for (size_t i = chunk; i < end; i += 8) {
            lanes prob = load_some(p + i, end - i, 0), x = fmadd(load_some(z + i, end - i, center), by, shift);
            if (wide) x = most(least(x, high), low);
            exp_parts e = exp_split(x);
            /* Without cancellation also where x is small: then scale is 1, r is x, and only r2p is left of e^x - 1 - x. */
            lanes rest = sub(e.scale, one), sr = mul(e.scale, e.r);
            lanes gain = fmadd(e.scale, e.r2p, add(rest, sr)), curve = fmadd(e.scale, e.r2p, add(rest, sub(sr, x)));
            lanes phi = sub(mul(x, gain), curve), w = fmadd(prob, gain, prob), wx = mul(w, x), wx2 = mul(wx, x);
            here[0] = fmadd(prob, phi, here[0]);
            here[1] = fmadd(prob, gain, here[1]);
            here[2] = add(here[2], wx);
            here[3] = add(here[3], wx2);
            here[4] = fmadd(wx2, x, here[4]);
            here[5] = fmadd(wx2, mul(x, x), here[5]);
        }
        for (int k = 0; k < 6; k++) tally_add(&sum[k], here[k]);
    }
    return (mn_tilt_sums){tally_total(&sum[0]), tally_total(&sum[1]), tally_total(&sum[2]),
                          tally_total(&sum[3]), tally_total(&sum[4]), tally_total(&sum[5])};
}

LANES_TARGET static mn_tilt_sums weigh(const double *p, const double *z, double center, double l, bool wide, size_t V)
{
    return wide ? weigh_over(p, z, center, l, true, V) : weigh_over(p, z, center, l, false, V);
}

LANE void weigh_directly_over(double out[5], const double *p, const double *z, double center, double l, bool rough, size_t V)
{
    const lanes zero = all(0), by = all(l), shift = all(-center * l);
    tally sum[5] = {{zero, zero}, {zero, zero}, {zero, zero}, {zero, zero}, {zero, zero}};
    for (size_t chunk = 0; chunk < V; chunk += CHUNK) {
        size_t end = V - chunk < CHUNK ? V : chunk + CHUNK;
        lanes here[5] = {zero, zero, zero, zero, zero};
        for (size_t i = chunk; i < end; i += 8) {
            __builtin_prefetch(p + i + AHEAD), __builtin_prefetch(z + i + AHEAD);
            lanes prob = load_some(p + i, end - i, 0), x = fmadd(load_some(z + i, end - i, center), by, shift);
            lanes w = rough ? times_rough_exp(prob, x) : mul(prob, exp_of(x)), wx = mul(w, x), wx2 = mul(wx, x);
            here[0] = add(here[0], w);
            here[1] = add(here[1], wx);
            here[2] = add(here[2], wx2);
            here[3] = fmadd(wx2, x, here[3]);
            if (!rough) here[4] = fmadd(wx2, mul(x, x), here[4]);
        }
        for (int k = 0; k < 5; k++) tally_add(&sum[k], here[k]);
    }
    for (int k = 0; k < 5; k++) out[k] = tally_total(&sum[k]);
}

LANES_TARGET static void weigh_directly(double out[5], const double *p, const double *z, double center, double l, bool rough,
                                        size_t V)
{
    if (rough) weigh_directly_over(out, p, z, center, l, true, V);
    else weigh_directly_over(out, p, z, center, l, false, V);
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
            here = add(here, if_less(x, lowest, zero, exp_of(most(x, lowest))));
        }
        tally_add(&sum, here);
    }
    return tally_total(&sum);
}

LANES_TARGET static void write_row(double *out, const double *lp, const double *z, double center, double l, double lnz,
                                   size_t V)
{
    const lanes c = all(center), by = all(l), minus = all(-lnz);
    for (size_t i = 0; i < V; i += 8) {
        lanes a = load_some(lp + i, V - i, 0), s = load_some(z + i, V - i, 0);
        store_some(out + i, add(a, fmadd(sub(s, c), by, minus)), V - i);
    }
}

LANES_TARGET static double policy(double *pi, const double *lp, size_t V)
{
    const lanes lowest = all(-708), zero = all(0);
    lanes minus_top = all(INFINITY);
    for (size_t i = 0; i < V; i += 8) {
        lanes a = load_some(lp + i, V - i, -INFINITY);
        minus_top = least(minus_top, sub(zero, a));
        store_some(pi + i, if_less(a, lowest, zero, exp_of(most(a, lowest))), V - i);
    }
    return -lanes_least(minus_top);
}

LANES_TARGET static void slopes(double out[4], const double *pi, const double *z, const double *g, double center, size_t V)
{
    const lanes zero = all(0), c = all(center);
    tally sum[4] = {{zero, zero}, {zero, zero}, {zero, zero}, {zero, zero}};
    for (size_t chunk = 0; chunk < V; chunk += CHUNK) {
        size_t end = V - chunk < CHUNK ? V : chunk + CHUNK;
        lanes here[4] = {zero, zero, zero, zero};
        for (size_t i = chunk; i < end; i += 8) {
            lanes p = load_some(pi + i, end - i, 0), t = if_less(zero, p, sub(load_some(z + i, end - i, 0), c), zero);
            lanes by = if_less(zero, p, load_some(g + i, end - i, 0), zero), pt = mul(p, t);
            here[0] = add(here[0], pt);
            here[1] = fmadd(pt, t, here[1]);
            here[2] = add(here[2], by);
            here[3] = fmadd(by, t, here[3]);
        }
        for (int k = 0; k < 4; k++) tally_add(&sum[k], here[k]);
    }
    for (int k = 0; k < 4; k++) out[k] = tally_total(&sum[k]);
}

LANES_TARGET static double gradient(double *pi, const double *z, const double *g, double center, double l, double a, double b,
                                    size_t V)
{
    const lanes zero = all(0), c = all(center), by_t = all(a), by_1 = all(b), by = all(l);
    tally sum = {zero, zero};
    for (size_t chunk = 0; chunk < V; chunk += CHUNK) {
        size_t end = V - chunk < CHUNK ? V : chunk + CHUNK;
        lanes here = zero;
        for (size_t i = chunk; i < end; i += 8) {
            lanes p = load_some(pi + i, end - i, 0), t = sub(load_some(z + i, end - i, 0), c);
            lanes d = mul(by, fmadd(p, fmadd(by_t, t, by_1), load_some(g + i, end - i, 0)));
            d = if_less(zero, p, d, zero);
            here = add(here, d);
            store_some(pi + i, d, end - i);
        }
        tally_add(&sum, here);
    }
    return tally_total(&sum);
}

const mn_tilt_passes TILT_PASSES = {base, moments, weigh, weigh_directly, gather, rest, write_row, policy, slopes, gradient};
