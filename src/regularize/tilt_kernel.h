/* The passes of tilt.h over eight lanes. Included by the files that define LANES and TILT_PASSES. */
#include "base/lanes.h"
#include "regularize/tilt.h"

enum { CHUNK = MN_TILT_CHUNK, AHEAD = 512 }; /* entries to ask the caches for in advance */

/* A step takes SIDE registers; what is left of a chunk, one at a time, of which n entries are there. */

typedef struct base_sums {
    lanes sum[3], least, most, lowest; /* of p z^k, z, lp */
} base_sums;

LANE void base_step(base_sums *s, double *p, const double *lp, const double *z, double fill, size_t n, int side)
{
    lanes a[SIDE], b[SIDE], prob[SIDE];
    BESIDE __builtin_prefetch(lp + AHEAD + 8 * j), __builtin_prefetch(z + AHEAD + 8 * j);
    BESIDE __builtin_prefetch(p + AHEAD + 8 * j, 1);
    BESIDE a[j] = load_some(lp + 8 * j, n, -700), b[j] = load_some(z + 8 * j, n, fill);
    exp_of(prob, a, side);
    BESIDE store_some(p + 8 * j, prob[j], n);
    BESIDE {
        lanes pz = mul(prob[j], b[j]);
        s->sum[0] = add(s->sum[0], prob[j]);
        s->sum[1] = add(s->sum[1], pz);
        s->sum[2] = fmadd(pz, b[j], s->sum[2]);
        s->least = least(s->least, b[j]);
        s->most = most(s->most, b[j]);
        s->lowest = least(s->lowest, a[j]);
    }
}

/* Nearly every row is plain, and then needs no care at each entry. */
LANES_TARGET static mn_tilt_base plain_base(double *p, const double *lp, const double *z, size_t V)
{
    const lanes zero = all(0), big = all(INFINITY);
    tally sum[3] = {{zero, zero}, {zero, zero}, {zero, zero}};
    base_sums s = {.least = big, .most = all(-INFINITY), .lowest = big};
    for (size_t chunk = 0; chunk < V; chunk += CHUNK) {
        size_t end = V - chunk < CHUNK ? V : chunk + CHUNK, i = chunk;
        for (int k = 0; k < 3; k++) s.sum[k] = zero;
        for (; i + 8 * SIDE <= end; i += 8 * SIDE) base_step(&s, p + i, lp + i, z + i, z[0], 8, SIDE);
        for (; i < end; i += 8) base_step(&s, p + i, lp + i, z + i, z[0], end - i, 1);
        for (int k = 0; k < 3; k++) tally_add(&sum[k], s.sum[k]);
    }
    mn_tilt_base out = {.kept = tally_total(&sum[0]), .z1 = tally_total(&sum[1]), .z2 = tally_total(&sum[2]),
                        .least = lanes_least(s.least), .most = -lanes_least(sub(zero, s.most))};
    out.plain = lanes_least(s.lowest) > MN_TILT_LOWEST && out.kept < 2 && isfinite(out.z2) && out.least > -INFINITY;
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
            lanes cut = least(most(a, lowest), all(1)), prob;
            exp_of(&prob, &cut, 1);
            prob = if_less(a, lowest, zero, prob);
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

LANES_TARGET static void moments(double out[2], const double *p, const double *z, double center, double scale, size_t V)
{
    const lanes zero = all(0), c = all(center), unit = all(scale), far = all(2), minus_far = all(-2);
    tally sum[2] = {{zero, zero}, {zero, zero}};
    for (size_t chunk = 0; chunk < V; chunk += CHUNK) {
        size_t end = V - chunk < CHUNK ? V : chunk + CHUNK;
        lanes here[2] = {zero, zero};
        for (size_t i = chunk; i < end; i += 8) {
            lanes prob = load_some(p + i, end - i, 0), u = mul(sub(load_some(z + i, end - i, 0), c), unit);
            u = most(least(u, far), minus_far);
            lanes pu = mul(prob, u);
            here[0] = add(here[0], pu);
            here[1] = fmadd(pu, u, here[1]);
        }
        for (int k = 0; k < 2; k++) tally_add(&sum[k], here[k]);
    }
    for (int k = 0; k < 2; k++) out[k] = tally_total(&sum[k]);
}

LANE void weigh_step(lanes sum[6], const double *p, const double *z, double center, double l, bool wide, size_t n, int side)
{
    const lanes one = all(1), by = all(l), shift = all(-center * l);
    lanes prob[SIDE], x[SIDE];
    exp_parts e[SIDE];
    BESIDE prob[j] = load_some(p + 8 * j, n, 0), x[j] = fmadd(load_some(z + 8 * j, n, center), by, shift);
    if (wide) BESIDE x[j] = most(least(x[j], all(709)), all(-708));
    exp_split(e, x, side);
    BESIDE {
        /* Without cancellation also where x is small: then scale is 1, r is x, and only r2p is left of e^x - 1 - x. */
        lanes rest = sub(e[j].scale, one), sr = mul(e[j].scale, e[j].r);
        lanes gain = fmadd(e[j].scale, e[j].r2p, add(rest, sr)), curve = fmadd(e[j].scale, e[j].r2p, add(rest, sub(sr, x[j])));
        lanes phi = sub(mul(x[j], gain), curve), w = fmadd(prob[j], gain, prob[j]), wx = mul(w, x[j]), wx2 = mul(wx, x[j]);
        sum[0] = fmadd(prob[j], phi, sum[0]);
        sum[1] = fmadd(prob[j], gain, sum[1]);
        sum[2] = add(sum[2], wx);
        sum[3] = add(sum[3], wx2);
        sum[4] = fmadd(wx2, x[j], sum[4]);
        sum[5] = fmadd(wx2, mul(x[j], x[j]), sum[5]);
    }
}

LANE mn_tilt_sums weigh_over(const double *p, const double *z, double center, double l, bool wide, size_t V)
{
    const lanes zero = all(0);
    tally sum[6] = {{zero, zero}, {zero, zero}, {zero, zero}, {zero, zero}, {zero, zero}, {zero, zero}};
    for (size_t chunk = 0; chunk < V; chunk += CHUNK) {
        size_t end = V - chunk < CHUNK ? V : chunk + CHUNK, i = chunk;
        lanes here[6] = {zero, zero, zero, zero, zero, zero};
        for (; i + 8 * SIDE <= end; i += 8 * SIDE) weigh_step(here, p + i, z + i, center, l, wide, 8, SIDE);
        for (; i < end; i += 8) weigh_step(here, p + i, z + i, center, l, wide, end - i, 1);
        for (int k = 0; k < 6; k++) tally_add(&sum[k], here[k]);
    }
    return (mn_tilt_sums){tally_total(&sum[0]), tally_total(&sum[1]), tally_total(&sum[2]),
                          tally_total(&sum[3]), tally_total(&sum[4]), tally_total(&sum[5])};
}

LANES_TARGET static mn_tilt_sums weigh(const double *p, const double *z, double center, double l, bool wide, size_t V)
{
    return wide ? weigh_over(p, z, center, l, true, V) : weigh_over(p, z, center, l, false, V);
}

LANE void weigh_directly_step(lanes sum[5], const double *p, const double *z, double center, double l, bool rough, size_t n,
                              int side)
{
    const lanes by = all(l), shift = all(-center * l);
    lanes prob[SIDE], x[SIDE], w[SIDE];
    BESIDE __builtin_prefetch(p + AHEAD + 8 * j), __builtin_prefetch(z + AHEAD + 8 * j);
    BESIDE prob[j] = load_some(p + 8 * j, n, 0), x[j] = fmadd(load_some(z + 8 * j, n, center), by, shift);
    if (rough) {
        times_rough_exp(w, prob, x, side);
    } else {
        exp_of(w, x, side);
        BESIDE w[j] = mul(prob[j], w[j]);
    }
    BESIDE {
        lanes x2 = mul(x[j], x[j]), wx2 = mul(w[j], x2);
        sum[0] = add(sum[0], w[j]);
        sum[1] = fmadd(w[j], x[j], sum[1]);
        sum[2] = add(sum[2], wx2);
        sum[3] = fmadd(wx2, x[j], sum[3]);
        if (!rough) sum[4] = fmadd(wx2, x2, sum[4]);
    }
}

LANE void weigh_directly_over(double out[5], const double *p, const double *z, double center, double l, bool rough, size_t V)
{
    const lanes zero = all(0);
    tally sum[5] = {{zero, zero}, {zero, zero}, {zero, zero}, {zero, zero}, {zero, zero}};
    for (size_t chunk = 0; chunk < V; chunk += CHUNK) {
        size_t end = V - chunk < CHUNK ? V : chunk + CHUNK, i = chunk;
        lanes here[5] = {zero, zero, zero, zero, zero};
        for (; i + 8 * SIDE <= end; i += 8 * SIDE) weigh_directly_step(here, p + i, z + i, center, l, rough, 8, SIDE);
        for (; i < end; i += 8) weigh_directly_step(here, p + i, z + i, center, l, rough, end - i, 1);
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

/* ids [*next..n_ids) are left out; lp is entry `from`. */
LANE lanes rest_step(lanes sum, const double *lp, double offset, size_t n, const int32_t *ids, size_t n_ids, size_t *next,
                     size_t from, int side)
{
    const lanes lowest = all(MN_TILT_LOWEST), zero = all(0);
    lanes x[SIDE], cut[SIDE], e[SIDE];
    BESIDE x[j] = load_some(lp + 8 * j, n, -INFINITY);
    if (*next < n_ids && (size_t)ids[*next] < from + 8 * (size_t)side)
        BESIDE {
            double some[8];
            size_t first = from + 8 * (size_t)j;
            store(some, x[j]);
            for (; *next < n_ids && (size_t)ids[*next] < first + 8; ++*next) some[(size_t)ids[*next] - first] = -INFINITY;
            x[j] = load(some);
        }
    BESIDE x[j] = sub(x[j], all(offset)), cut[j] = most(x[j], lowest);
    exp_of(e, cut, side);
    BESIDE sum = add(sum, if_less(x[j], lowest, zero, e[j]));
    return sum;
}

LANES_TARGET static double rest(const double *lp, size_t from, size_t to, const int32_t *ids, size_t n_ids, double offset)
{
    tally sum = {all(0), all(0)};
    size_t next = 0;
    while (next < n_ids && (size_t)ids[next] < from) next++;
    for (size_t chunk = from; chunk < to; chunk += CHUNK) {
        size_t end = to - chunk < CHUNK ? to : chunk + CHUNK, i = chunk;
        lanes here = all(0);
        for (; i + 8 * SIDE <= end; i += 8 * SIDE) here = rest_step(here, lp + i, offset, 8, ids, n_ids, &next, i, SIDE);
        for (; i < end; i += 8) here = rest_step(here, lp + i, offset, end - i, ids, n_ids, &next, i, 1);
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

LANE lanes policy_step(lanes minus_top, double *pi, const double *lp, size_t n, int side)
{
    const lanes lowest = all(-708), zero = all(0);
    lanes a[SIDE], cut[SIDE], e[SIDE];
    BESIDE a[j] = load_some(lp + 8 * j, n, -INFINITY), cut[j] = most(a[j], lowest);
    exp_of(e, cut, side);
    BESIDE minus_top = least(minus_top, sub(zero, a[j])), store_some(pi + 8 * j, if_less(a[j], lowest, zero, e[j]), n);
    return minus_top;
}

LANES_TARGET static double policy(double *pi, const double *lp, size_t V)
{
    lanes minus_top = all(INFINITY);
    size_t i = 0;
    for (; i + 8 * SIDE <= V; i += 8 * SIDE) minus_top = policy_step(minus_top, pi + i, lp + i, 8, SIDE);
    for (; i < V; i += 8) minus_top = policy_step(minus_top, pi + i, lp + i, V - i, 1);
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
