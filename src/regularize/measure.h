/* The constraints that the budget is compared with: total variation and chi-squared. */
#ifndef MN_MEASURE_H
#define MN_MEASURE_H

#include "regularize/row.h"

/* The largest l in [0,1], up to rounding, at which MN_REG_TVD: 1/2 sum |pi - p|, or MN_REG_CHI2: sum p (pi/p - 1)^2, is within
 * limit; both rise with l. Uses row->out. About 60 steps of one exp an entry. */
double mn_measure_largest_l(const mn_row *row, mn_reg_kind kind, double limit);

#endif
