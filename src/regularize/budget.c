/* The budget solver in double: Newton on a local quartic model of the KL, each point with a bound on its error.
 *
 * With p the base, x = l (z - c), q(x) = e^x - 1 - x and s = sum p x + sum p q, all that is needed are sums that do not cancel
 * however small l is:
 *   Z = sum p e^x = 1 + s,    E x = (sum p x + sum p x^2 + sum p q x)/Z,
 *   KL = E x - ln Z = (sum p x^2 + sum p q x - sum p q - ((1 + s) ln(1 + s) - s))/Z.
 * An error in sum p x enters the KL only times E x: that is why c is the base's mean. */
#include "regularize/row.h"

#include <math.h>

static const double UNIT = 0x1p-53;
/* Of the limit: how far below it the solver aims, and how much error it then allows. KL error <= 1e-12 of the limit, never above. */
static const double AIM = 5e-13, ALLOWED = 4e-13;
/* x stays within [-700, 300]: an entry of probability below e^-708, taken for 0, then never counts as much as e^-408. */
static const double X_LEAST = -700, X_MOST = 300, LIMIT_LEAST = 1e-100;

/* The tilt at l; cumulants are those of x. */
typedef struct point {
    double l, kl, error, mean, x2, x4, var, k3, k4;
} point;

bool mn_row_prepare(mn_row *row)
{
    const mn_tilt_base *base = &row->base;
    const mn_tilt_passes *passes = mn_tilt();
    double range = base->most - base->least, ratio = base->masked / base->kept;
    row->cost = log1p(ratio);
    row->cost_error = 2 * UNIT * ((mn_tilt_rounding(row->V) + 4) * (ratio / (1 + ratio)) + row->cost);
    row->frame = (mn_tilt_frame){base->least, base->least, base->most};
    row->scale = 1;
    if (range == 0) return base->kept > 1e-280;
    if (!(base->kept > 1e-280 && fabs(base->least) < 1e300 && fabs(base->most) < 1e300 && range > 1e-280)) return false;
    row->scale = ldexp(1, -ilogb(range));
    passes->moments(row->moments, row->out, row->z, row->frame, row->scale, row->V);
    row->frame.center = fmin(base->most, base->least + row->moments[0] / base->kept / row->scale);
    passes->moments(row->moments, row->out, row->z, row->frame, row->scale, row->V);
    for (int k = 0; k < 4; k++) row->moments[k] /= base->kept;
    return true;
}

/* (1 + s) ln(1 + s) - s */
static double excess(double s)
{
    if (fabs(s) > .01) return (1 + s) * log1p(s) - s;
    return s * s * (1 / 2. - s * (1 / 6. - s * (1 / 12. - s * (1 / 20. - s * (1 / 30. - s * (1 / 42. - s * (1 / 56. - s / 72)))))));
}

static point evaluate(const mn_row *row, double l)
{
    mn_tilt_sums sums = mn_tilt()->weigh(row->out, row->z, row->frame, l, row->V);
    double by = l / row->scale, b1 = row->moments[0] * by, b2 = row->moments[1] * by * by, kept = row->base.kept;
    double rise = sums.rise / kept, rise1 = sums.rise1 / kept, s = b1 + rise, Z = 1 + s, over = excess(s);
    double mean = (b1 + b2 + rise1) / Z, x2 = sums.x2 / kept / Z, x3 = sums.x3 / kept / Z, x4 = sums.x4 / kept / Z;
    point at = {.l = l, .kl = (b2 + rise1 - rise - over) / Z, .mean = mean, .x2 = x2, .x4 = x4, .var = x2 - mean * mean};
    at.k3 = x3 - mean * (3 * x2 - 2 * mean * mean);
    at.k4 = x4 - mean * (4 * x3 - mean * (6 * x2 - 3 * mean * mean)) - 3 * at.var * at.var;
    /* Sums by their terms' sizes (|x| q <= x^2 for x < 0), x by its two roundings, p by that of exp, and ln Z. */
    double sizes = (fabs(mean) * sqrt(b2) + 3 * b2 + fabs(rise1) + (1 + fabs(mean)) * rise) / Z;
    at.error = UNIT * (2 * mn_tilt_rounding(row->V) * sizes + 3 * x2 + 12 * fabs(at.kl) + (fabs(s) > .01 ? 4 * (fabs(log1p(s)) + fabs(s) / Z) : 0));
    return at;
}

/* The KL at l (1 + e), by the integral of (1 + s) (var + k3 s + k4 s^2/2); its derivative in *slope. */
static double model(double *slope, const point *at, double e)
{
    *slope = (1 + e) * (at->var + e * (at->k3 + e * at->k4 / 2));
    return at->kl + e * (at->var + e * ((at->var + at->k3) / 2 + e * ((at->k3 + at->k4 / 2) / 3 + e * at->k4 / 8)));
}

/* The e at which the model reaches target; the square root of the KL is nearly a line, so that is where it starts. */
static double step(const point *at, double target)
{
    double e = 2 * (sqrt(target * fmax(at->kl, 0)) - at->kl) / at->var, slope;
    for (int i = 0; i < 6; i++) {
        double miss = model(&slope, at, e) - target, by = miss / slope;
        if (!(slope > 0) || !(fabs(by) < 1)) break;
        e -= by;
        if (fabs(by) < 1e-17) break;
    }
    return e;
}

/* Bound on what the model leaves out between l and l (1 + e): the fifth cumulant, at most the fifth moment and ten times the second
 * and third, by the range of x; and the errors of the cumulants. INFINITY where e is too large for it. */
static double model_error(const mn_row *row, const point *at, double e)
{
    double range = at->l * (row->base.most - row->base.least), m4 = at->k4 + 3 * at->var * at->var;
    if (!(fabs(e) * range < .1 && at->var > 0)) return INFINITY;
    double fifth = fabs(m4) * range + 10 * at->var * sqrt(at->var * fabs(m4));
    double sums = 2 * mn_tilt_rounding(row->V) * UNIT * fabs(e) * (2 * at->x2 + 4 * fabs(e) * sqrt(at->x2 * at->x4));
    return e * e * e * e * fifth / 12 + sums + 3 * UNIT * at->var;
}

static void answer(mn_row_answer *out, const mn_row *row, const point *at, double e)
{
    double slope, kl = model(&slope, at, e);
    double mean = (1 + e) * (at->mean + e * (at->var + e * (at->k3 / 2 + e * at->k4 / 6)));
    *out = (mn_row_answer){.l = at->l * (1 + e), .nats = row->cost + fmax(kl, 0), .lnz = mean - kl + log(row->base.kept)};
}

/* By the cumulants at l = 0, for the first point. */
static double guess(const mn_row *row, double target)
{
    const double *m = row->moments;
    double var = m[1] - m[0] * m[0], u = sqrt(2 * target / var), skew = m[2] / var * u / 3;
    return u * row->scale / (1 + fmax(-.5, fmin(skew, 2)));
}

bool mn_row_budget(mn_row_answer *out, const mn_row *row, double limit)
{
    double left = limit - row->cost, slack = fmin(AIM * limit, left / 2), allowed = slack * (ALLOWED / AIM) - row->cost_error;
    if (limit < LIMIT_LEAST) return false;
    if (left < -row->cost_error) return *out = (mn_row_answer){0}, true;
    if (row->base.least == row->base.most) {
        *out = (mn_row_answer){.l = 1, .nats = row->cost, .lnz = log(row->base.kept)};
        return left > row->cost_error;
    }
    double above = row->frame.most - row->frame.center, below = row->frame.center - row->frame.least;
    double cap = fmin(1, fmin(X_MOST / above, X_LEAST / -below)), lo = 0, hi = cap, target = left - slack;
    double l = fmin(cap, guess(row, target));
    if (!(allowed > 0 && l > 1e-280)) return false;
    for (int i = 0; i < 64; i++) {
        point at = evaluate(row, l);
        if (l == 1 && at.kl + at.error + row->cost_error <= left) return answer(out, row, &at, 0), true;
        if (l == cap && at.kl < target) return false;
        double e = step(&at, target), next = l * (1 + e);
        if (fabs(e) < .01 && at.error > allowed) return false;
        if (next < 1 && at.error + model_error(row, &at, e) <= allowed) return answer(out, row, &at, e), true;
        if (at.kl > target) hi = l;
        else lo = l;
        l = next > lo && next < hi ? next : next >= hi && hi == cap && l != cap ? cap : lo > 0 ? lo + (hi - lo) / 2 : hi / 4;
    }
    return false;
}

bool mn_row_at(mn_row_answer *out, const mn_row *row, double l)
{
    double above = row->frame.most - row->frame.center, below = row->frame.center - row->frame.least;
    if (row->base.least == row->base.most) {
        *out = (mn_row_answer){.l = l, .nats = row->cost, .lnz = log(row->base.kept)};
        return true;
    }
    if (!(l > 1e-280 && l * above <= X_MOST && l * below <= -X_LEAST)) return false;
    point at = evaluate(row, l);
    if (!(at.error + row->cost_error <= 1e-12 * (row->cost + at.kl))) return false;
    return answer(out, row, &at, 0), true;
}
