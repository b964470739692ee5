#include "regularize/measure.h"

#include <math.h>

/* pi/p at l for entries of the support, up to the factor e^-lnz: scores are taken relative to the greatest. */
static double relative(const mn_row *row, double l, size_t i)
{
    return exp(l * (row->z[i] - row->base.most));
}

/* f at l > 0, with p = base/sum in row->out. */
static double measure(const mn_row *row, mn_reg_kind kind, double l)
{
    const double *p = row->out;
    double Z = 0, f = 0;
    for (size_t i = 0; i < row->V; i++)
        if (p[i] > 0) Z += p[i] * relative(row, l, i);
    for (size_t i = 0; i < row->V; i++) {
        double gain = p[i] > 0 ? relative(row, l, i) / Z - 1 : 0;
        f += p[i] * (kind == MN_REG_TVD ? fabs(gain) / 2 : gain * gain);
    }
    return f;
}

/* Where to look next between lo (within the limit) and hi (beyond it). The measures rise like l or l^2 from 0; every third step
 * halves the exponent, for scores of any scale. */
static double between(double lo, double hi, double f_lo, double f_hi, double limit, double order, int steps)
{
    double l = lo == 0 ? hi * pow(limit / f_hi, 1 / order) : lo + (hi - lo) * (limit - f_lo) / (f_hi - f_lo);
    if (steps % 3 == 2 || !(l > lo && l < hi))
        l = lo == 0 ? hi * (hi < 1e-3 ? fmax(hi, 0x1p-60) : .5) : hi > 4 * lo ? sqrt(lo) * sqrt(hi) : lo + (hi - lo) / 2;
    return l > lo && l < hi ? l : lo;
}

double mn_measure_largest_l(const mn_row *row, mn_reg_kind kind, double limit)
{
    double lo = 0, hi = 1, f_lo = 0, f_hi, sum = row->base.kept + row->base.masked, order = kind == MN_REG_TVD ? 1 : 2;
    for (size_t i = 0; i < row->V; i++) row->out[i] = exp(row->lp[i]) / sum;
    f_hi = measure(row, kind, 1);
    if (f_hi <= limit) return 1;
    if (row->base.masks && measure(row, kind, 0x1p-1070) > limit) return 0;
    for (int steps = 0; steps < 200 && hi - lo > 0x1p-52 * hi && limit - f_lo > 1e-14 * limit; steps++) {
        double l = between(lo, hi, f_lo, f_hi, limit, order, steps);
        if (l == lo) break;
        double f = measure(row, kind, l);
        if (f <= limit) lo = l, f_lo = f;
        else hi = l, f_hi = f;
    }
    return lo;
}
