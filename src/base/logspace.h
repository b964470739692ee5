/* Sums of probabilities kept as natural logarithms. */
#ifndef MN_LOGSPACE_H
#define MN_LOGSPACE_H

#include "base/base.h"

/* log sum_i exp(x_i), the largest subtracted first; n = 0 and all -INFINITY give -INFINITY, a NaN gives NaN. In index order. */
double mn_log_sum_exp(const double *x, size_t n);
/* log(1 - exp(x)) for x <= 0 to full relative accuracy, by one of two formulas on either side of -ln 2 (Maechler 2012);
 * 0 gives -INFINITY, x > 0 NaN. */
double mn_log1mexp(double x);

#endif
