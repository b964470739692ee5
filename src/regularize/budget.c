/* The budget solver in double: Newton on a local quartic model of the KL, each point with a bound on its error.
 *
 * With p the base, x = l (z - c), phi(x) = (x - 1) e^x + 1 >= 0, and sums that do not cancel however small l is:
 *   F = sum p phi(x),  s = sum p (e^x - 1),  Z = sum p e^x = 1 + s,   KL = (F - ((1 + s) ln(1 + s) - s))/Z.
 * c is the base's mean, so that s is of second order in l like everything else. */
#include "regularize/row.h"

#include <math.h>

static const double UNIT = 0x1p-53;
/* Relative error of p in units, at the most (lp of -708). */
static const double BASE_ERROR = 228;
/* Of the limit: how far below it the solver aims, and how much error it then allows. KL error <= 1e-12 of the limit, never
 * above. */
static const double AIM = 5e-13, ALLOWED = 4e-13;
/* x is at most 300: an entry of probability below e^-708, taken for that, then never counts for more than e^-408. */
static const double X_MOST = 300, LIMIT_LEAST = 1e-100;
/* A rough pass first, where a full one costs more than it. */
enum { ROUGH_FROM = 1024 };
/* Nats from which the direct formula is good enough. */
static const double DIRECT_FROM = .1;

/* The tilt at l; cumulants are those of x. */
typedef struct point {
    double l, kl, error, mean, x2, x4, var, k3, k4;
} point;

/* Center and var of scores of any scale, in two passes. */
static bool measure(mn_row *row)
{
    const mn_tilt_base *base = &row->base;
    double range = base->most - base->least, m[2];
    if (!(fabs(base->least) < 1e300 && fabs(base->most) < 1e300 && range > 1e-280)) return false;
    row->scale = ldexp(1, -ilogb(range));
    mn_tilt()->moments(m, row->out, row->z, base->least, row->scale, row->V);
    row->center = fmin(base->most, base->least + m[0] / base->kept / row->scale);
    mn_tilt()->moments(m, row->out, row->z, row->center, row->scale, row->V);
    row->var = m[1] / base->kept;
    return true;
}

bool mn_row_prepare(mn_row *row)
{
    const mn_tilt_base *base = &row->base;
    double ratio = base->masked / base->kept, m1 = base->z1 / base->kept, m2 = base->z2 / base->kept;
    row->cost = log1p(ratio);
    row->cost_error = 2 * UNIT * ((mn_tilt_rounding(row->V) + 4) * (ratio / (1 + ratio)) + row->cost);
    row->scale = 1;
    row->center = base->least;
    if (!(base->kept > 1e-280)) return false;
    if (base->least == base->most) return true;
    row->center = m1;
    row->var = m2 - m1 * m1;
    return (base->plain && row->var > 1e-3 * m2 && row->var > 1e-100) || measure(row);
}

/* (1 + s) ln(1 + s) - s */
static double excess(double s)
{
    if (fabs(s) > .01) return (1 + s) * log1p(s) - s;
    return s * s *
           (1 / 2. - s * (1 / 6. - s * (1 / 12. - s * (1 / 20. - s * (1 / 30. - s * (1 / 42. - s * (1 / 56. - s / 72)))))));
}

/* Second to fourth cumulant from the moments. */
static void cumulants(point *at, double x3)
{
    double mean = at->mean;
    at->var = at->x2 - mean * mean;
    at->k3 = x3 - mean * (3 * at->x2 - 2 * mean * mean);
    at->k4 = at->x4 - mean * (4 * x3 - mean * (6 * at->x2 - 3 * mean * mean)) - 3 * at->var * at->var;
}

static point evaluate(const mn_row *row, double l)
{
    bool wide = !row->base.plain || l * (row->center - row->base.least) > 700;
    mn_tilt_sums sums = mn_tilt()->weigh(row->out, row->z, row->center, l, wide, row->V);
    double kept = row->base.kept, F = sums.phi / kept, s = sums.gain / kept, Z = 1 + s, over = excess(s), lnz = log1p(s),
           by = 1 / (kept * Z);
    double mean = sums.x1 * by;
    point at = {.l = l, .kl = (F - over) / Z, .mean = mean, .x2 = sums.x2 * by, .x4 = sums.x4 * by};
    cumulants(&at, sums.x3 * by);
    /* Sums by their terms' sizes, with sum p |e^x - 1| <= sqrt(2 F (1 + s/3)) by Bennett's bound on phi and Cauchy's; the
     * terms of phi where x is far from 0, at most 2 + |x| of each; x by its two roundings, p by that of exp, ln Z. */
    double sizes = (F + (fabs(lnz) + fabs(at.kl)) * sqrt(2 * F * (1 + fabs(s)))) / Z;
    at.error = UNIT *
               (2 * mn_tilt_rounding(row->V) * sizes + 4 * (2 + fmin(l * (row->center - row->base.least), 708)) * F / Z +
                3 * at.x2 + 2 * BASE_ERROR * fabs(at.kl) + 4 * over / Z + (fabs(s) > .01 ? 4 * (fabs(lnz) + fabs(s) / Z) : 0));
    return at;
}

/* The same for a plain row, by KL = E x - ln Z: cheaper, and good where the KL is not small. rough: to about five digits, no
 * bound. */
static point evaluate_directly(const mn_row *row, double l, bool rough)
{
    double sums[5], kept = row->base.kept;
    mn_tilt()->weigh_directly(sums, row->out, row->z, row->center, l, rough, row->V);
    double mean = sums[1] / sums[0], x2 = sums[2] / sums[0], lnz = log(sums[0] / kept);
    point at = {.l = l, .kl = mean - lnz, .mean = mean, .x2 = x2, .x4 = sums[4] / sums[0]};
    cumulants(&at, sums[3] / sums[0]);
    at.error = UNIT * (mn_tilt_rounding(row->V) * (sqrt(x2) + fabs(mean) + 2) + 3 * x2 + 2 * BASE_ERROR * fabs(at.kl) +
                       4 * (fabs(mean) + fabs(lnz) + 1));
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

/* Bound on what the model leaves out between l and l (1 + e): the fifth cumulant, at most the fifth moment and ten times the
 * second and third, by the range of x; and the errors of the cumulants. INFINITY where e is too large for it. */
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

/* By the variance at l = 0, for the first point. */
static double guess(const mn_row *row, double target)
{
    return sqrt(2 * target / row->var) * row->scale;
}

/* The first l to weigh: on a long row the guess is improved where that is cheap. */
static double start(const mn_row *row, double target, double cap)
{
    double l = fmin(cap, guess(row, target)), e = 1;
    for (int i = 0; i < 3 && fabs(e) > .2; i++) {
        point at = evaluate_directly(row, l, true);
        at.k4 = 0;
        if (l == cap && at.kl < target) break;
        e = step(&at, target);
        if (!(fabs(e) < .9)) break;
        l = fmin(cap, l * (1 + e));
    }
    return l;
}

/* Newton from l, held within a bracket; false where the errors do not allow a proof. */
static bool search(mn_row_answer *out, const mn_row *row, double l, double cap, double left, double slack, bool direct)
{
    double lo = 0, hi = cap, target = left - slack, allowed = slack * (ALLOWED / AIM) - row->cost_error;
    for (int i = 0; i < 64; i++) {
        point at = direct ? evaluate_directly(row, l, false) : evaluate(row, l);
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

bool mn_row_budget(mn_row_answer *out, const mn_row *row, double limit)
{
    double left = limit - row->cost, slack = fmin(AIM * limit, left / 2);
    if (limit < LIMIT_LEAST) return false;
    if (left < -row->cost_error) return *out = (mn_row_answer){0}, true;
    if (row->base.least == row->base.most) {
        *out = (mn_row_answer){.l = 1, .nats = row->cost, .lnz = log(row->base.kept)};
        return left > row->cost_error;
    }
    double cap = fmin(1, X_MOST / (row->base.most - row->center));
    bool direct = row->base.plain && left > DIRECT_FROM && cap * (row->center - row->base.least) < 700;
    double l = direct && row->V >= ROUGH_FROM ? start(row, left - slack, cap) : fmin(cap, guess(row, left - slack));
    if (!(left > 0 && l > 1e-280)) return false;
    return (direct && search(out, row, l, cap, left, slack, true)) || search(out, row, l, cap, left, slack, false);
}

bool mn_row_at(mn_row_answer *out, const mn_row *row, double l)
{
    if (row->base.least == row->base.most) {
        *out = (mn_row_answer){.l = l, .nats = row->cost, .lnz = log(row->base.kept)};
        return true;
    }
    if (!(l > 1e-280 && l * (row->base.most - row->center) <= X_MOST)) return false;
    point at = evaluate(row, l);
    if (!(at.error + row->cost_error <= 1e-12 * (row->cost + at.kl))) return false;
    return answer(out, row, &at, 0), true;
}
