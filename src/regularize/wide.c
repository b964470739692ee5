/* The same problem in 113-bit arithmetic, for rows that double cannot decide: entries of probability below e^-708 that matter,
 * scores of 1e300, budgets of 1e-300, steps between neighbouring doubles l that cross the limit. */
#include <math.h>
#include <string.h>

#include "regularize/row.h"

typedef __float128 wide;

static const double UNIT = 0x1p-112;

/* ---- functions ---- */

static wide ln2(void)
{
    return (wide)0x1.62e42fefa39efp-1 + (wide)0x1.abc9e3b39803fp-56 + (wide)0x1.7b57a079a1934p-111;
}

static wide power_of_2(int k)
{
    wide out = 1;
    for (; k > 1000; k -= 1000) out *= (wide)0x1p1000;
    for (; k < -1000; k += 1000) out *= (wide)0x1p-1000;
    return out * (wide)ldexp(1, k);
}

/* 0 below the range of wide, infinite above. */
static wide exp_of(wide x)
{
    if (x < -11300) return 0;
    if (x > 11300) return INFINITY;
    int k = (int)lrint((double)x / M_LN2);
    wide r = (x - k * ln2()) / 16, sum = 1;
    for (int n = 15; n > 0; n--) sum = 1 + sum * r / n;
    for (int i = 0; i < 4; i++) sum *= sum;
    return sum * power_of_2(k);
}

/* y > 0: a logarithm in double, and one Newton step */
static wide log_of(wide y)
{
    int k = 0;
    if (y == (wide)INFINITY) return y;
    for (; y > (wide)0x1p1000; k += 1000) y *= (wide)0x1p-1000;
    for (; y < (wide)0x1p-1000; k -= 1000) y *= (wide)0x1p1000;
    wide near = log((double)y), e = y * exp_of(-near) - 1;
    return near + e - e * e / 2 + e * e * e / 3 + k * ln2();
}

/* ln(1 + x), x > -1 */
static wide log1p_of(wide x)
{
    if (!(x < .25 && x > -.25)) return log_of(1 + x);
    wide s = x / (2 + x), s2 = s * s, sum = 0;
    for (int n = 41; n > 0; n -= 2) sum = sum * s2 + (wide)1 / n;
    return 2 * s * sum;
}

/* (1 + s) ln(1 + s) - s, s > -1 */
static wide excess_of(wide s)
{
    if (!(s < .01 && s > -.01)) return (1 + s) * log1p_of(s) - s;
    wide sum = 0; /* sum over n >= 2 of (-s)^n / (n (n - 1)) */
    for (int n = 20; n > 1; n--) sum = (wide)1 / (n * (n - 1)) - s * sum;
    return s * s * sum;
}

/* e^x - 1 - x, |x| < .5 */
static wide curve_of(wide x)
{
    wide sum = 1;
    for (int n = 26; n > 2; n--) sum = 1 + sum * x / n;
    return x * x / 2 * sum;
}

static wide size_of(wide x)
{
    return x < 0 ? -x : x;
}

/* ---- a row ---- */

typedef struct wide_row {
    const mn_row *row;
    double least, most, center; /* of the scores that are kept; the center is that of the likeliest entry */
    double top;                 /* greatest lp kept */
    wide kept;                  /* sum of exp(lp - top) that is kept */
    wide cost;                  /* nats of the mask */
    wide var;                   /* of the scores under the base */
} wide_row;

typedef struct wide_point {
    wide kl, error, var;
    double lp, z; /* an entry */
    wide lnz;     /* ln of the sum of weights relative to it */
} wide_point;

static bool is_kept(const mn_row *row, size_t i)
{
    return row->lp[i] > -INFINITY && row->z[i] > -INFINITY;
}

/* ln of the sum of exp(lp), over all or what is kept */
static wide log_sum(const mn_row *row, bool kept)
{
    double top = -INFINITY;
    wide sum = 0;
    for (size_t i = 0; i < row->V; i++)
        if (!kept || is_kept(row, i)) top = fmax(top, row->lp[i]);
    for (size_t i = 0; i < row->V; i++)
        if ((!kept || is_kept(row, i)) && row->lp[i] > -INFINITY) sum += exp_of((wide)row->lp[i] - top);
    return top + log_of(sum);
}

static wide_row prepare(const mn_row *row)
{
    wide_row w = {.row = row, .least = INFINITY, .most = -INFINITY, .top = -INFINITY};
    wide masked = 0, mean = 0, square = 0;
    for (size_t i = 0; i < row->V; i++) {
        if (!is_kept(row, i)) continue;
        w.least = fmin(w.least, row->z[i]), w.most = fmax(w.most, row->z[i]);
        if (row->lp[i] > w.top) w.top = row->lp[i], w.center = row->z[i];
    }
    for (size_t i = 0; i < row->V; i++) {
        wide p = row->lp[i] > -INFINITY && row->lp[i] - w.top < 11000 ? exp_of((wide)row->lp[i] - w.top) : 0;
        if (!is_kept(row, i)) {
            masked += p;
            continue;
        }
        w.kept += p;
        wide d = (wide)row->z[i] - w.center;
        mean += p * d;
        square += p * d * d;
    }
    mean /= w.kept;
    w.var = square / w.kept - mean * mean;
    w.cost = w.top < -1000 ? log_sum(row, false) - log_sum(row, true) : log1p_of(masked / w.kept);
    return w;
}

/* How much higher entry i is than an entry (lp, z): lp_i - lp + l z_i - l z. The four terms are exact, and their sum is
 * compensated (Knuth's two-sum); *size is to be taken by 8 UNIT for the error. */
static wide rise_over(wide *size, const mn_row *row, size_t i, double l, double lp, double z)
{
    wide terms[] = {row->lp[i], (wide)l * row->z[i], -lp, -(wide)l * z}, sum = 0, lost = 0;
    for (int k = 0; k < 4; k++) {
        wide more = sum + terms[k], back = more - sum;
        lost += (sum - (more - back)) + (terms[k] - back);
        sum = more;
    }
    *size = size_of(sum + lost) + size_of(lost);
    return sum + lost;
}

/* e to that; to *sizes what its error can come to, infinite where the difference has lost its meaning. */
static wide weight(wide *sizes, const mn_row *row, size_t i, double l, double lp, double z)
{
    wide size, d = rise_over(&size, row, i, l, lp, z), miss = 8 * UNIT * size, w = exp_of(d);
    if (miss > 1e-9 && d + miss > -12000) *sizes = INFINITY;
    *sizes += w * (size + 1) * (size_of(l * ((wide)row->z[i] - z)) + 1);
    return w;
}

/* The formulas of budget.c, where no weight is beyond the range. */
static wide_point near_point(const wide_row *w, double l)
{
    wide f = 0, s = 0, mean = 0, x2 = 0, sizes = 0;
    for (size_t i = 0; i < w->row->V; i++) {
        if (!is_kept(w->row, i)) continue;
        wide x = l * ((wide)w->row->z[i] - w->center), p = exp_of((wide)w->row->lp[i] - w->top), gain, phi;
        if (x < .5 && x > -.5) {
            wide curve = curve_of(x);
            gain = p * (x + curve), phi = p * (x * (x + curve) - curve);
        } else {
            gain = weight(&sizes, w->row, i, l, w->top, w->center) - p, phi = x * (gain + p) - gain, sizes += p;
        }
        f += phi;
        s += gain;
        mean += (p + gain) * x;
        x2 += (p + gain) * x * x;
    }
    f /= w->kept, s /= w->kept, mean /= w->kept, x2 /= w->kept, sizes /= w->kept;
    wide Z = 1 + s, over = excess_of(s), lnz = log1p_of(s), kl = (f - over) / Z;
    /* sum p |gain| <= 1 + Z, and <= sqrt(2 f (1 + s/3)) by Bennett's bound on phi and Cauchy's */
    sizes += f + over + x2 + (size_of(lnz) + size_of(kl)) * (s < 1 ? (wide)sqrt((double)(4 * f)) : 2 + s);
    return (wide_point){.kl = kl, .error = UNIT * (double)(w->row->V + 100) * sizes / Z, .var = x2 / Z - mean / Z * mean / Z,
                        .lp = w->top, .z = w->center, .lnz = lnz + log_of(w->kept)};
}

/* Everything relative to the likeliest entry h of the tilt, x = l (z - z_h): entries far below it do not count, so nothing
 * large is ever subtracted. */
static wide_point far_point(const wide_row *w, double l, size_t h)
{
    const double *lp = w->row->lp, *z = w->row->z;
    wide Z = 0, mean = 0, square = 0, sizes = 0;
    for (size_t i = 0; i < w->row->V; i++) {
        if (!is_kept(w->row, i)) continue;
        wide x = l * ((wide)z[i] - z[h]), e = weight(&sizes, w->row, i, l, lp[h], z[h]);
        Z += e;
        mean += e * x;
        square += e * x * x;
    }
    mean /= Z;
    wide lnz = log_of(Z), base = log_of(w->kept) + w->top - lp[h];
    sizes = sizes / Z * (1 + size_of(mean)) + lnz + size_of(base);
    return (wide_point){.kl = mean - lnz + base, .error = UNIT * (double)(w->row->V + 100) * sizes,
                        .var = square / Z - mean * mean, .lp = lp[h], .z = z[h], .lnz = lnz};
}

static wide_point evaluate(const wide_row *w, double l)
{
    const mn_row *row = w->row;
    wide size;
    size_t h = row->V;
    for (size_t i = 0; i < row->V; i++)
        if (is_kept(row, i) && (h == row->V || rise_over(&size, row, i, l, row->lp[h], row->z[h]) > 0)) h = i;
    return rise_over(&size, row, h, l, w->top, w->center) < 10000 ? near_point(w, l) : far_point(w, l, h);
}

static mn_row_answer answer(const wide_row *w, double l, const wide_point *at)
{
    const mn_row *row = w->row;
    wide size;
    for (size_t i = 0; i < row->V; i++)
        row->out[i] = is_kept(row, i) ? (double)(rise_over(&size, row, i, l, at->lp, at->z) - at->lnz) : -INFINITY;
    return (mn_row_answer){.l = l, .nats = fmax(0, (double)(w->cost + at->kl))};
}

mn_row_answer mn_wide_at(const mn_row *row, double l)
{
    wide_row w = prepare(row);
    wide_point at = evaluate(&w, l);
    return answer(&w, l, &at);
}

/* ---- the budget ---- */

/* Between doubles lo and hi, halfway in their representation: 62 halvings of [0, 1] leave neighbours. */
static double halfway(double lo, double hi)
{
    uint64_t a, b;
    memcpy(&a, &lo, 8), memcpy(&b, &hi, 8);
    a += (b - a) / 2;
    memcpy(&lo, &a, 8);
    return lo;
}

/* Newton in ln l and ln KL, held between lo and hi; plain halving for what is not solved after 16 steps. */
static double next_l(const wide_point *at, double l, double lo, double hi, wide target, int steps)
{
    double next = 0;
    if (steps < 16 && at->kl > 0 && at->var > 0 && target > 0) {
        double steepness = (double)(at->var / at->kl), miss = (double)(log_of(target) - log_of(at->kl));
        next = l * exp(miss / steepness);
    }
    return next > lo && next < hi ? next : halfway(lo, hi);
}

mn_row_answer mn_wide_budget(const mn_row *row, double limit)
{
    wide_row w = prepare(row);
    wide left = limit - w.cost, near = left - 1e-12 * (wide)limit, target = left - 5e-13 * (wide)limit;
    if (!(left - UNIT * (double)(row->V + 100) * w.cost >= 0)) return (mn_row_answer){0};
    wide_point at = evaluate(&w, 1), best = at;
    if (w.least == w.most || limit == INFINITY || at.kl + at.error <= left) return answer(&w, 1, &at);
    double lo = 0, hi = 1, l = w.var > 0 && left > 0 ? sqrt((double)(2 * left / w.var)) : 0;
    if (!(l > 0 && l < 1)) l = halfway(lo, hi);
    for (int steps = 0; nextafter(lo, 1) < hi && !(lo > 0 && best.kl > near); steps++) {
        at = evaluate(&w, l);
        if (at.kl + at.error <= left) lo = l, best = at;
        else hi = l;
        l = next_l(&at, l, lo, hi, target > 0 ? target : left / 2, steps);
    }
    return lo > 0 ? answer(&w, lo, &best) : (mn_row_answer){0};
}
