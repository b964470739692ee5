#include "base/logspace.h"

#include <math.h>

double mn_log_sum_exp(const double *x, size_t n)
{
    double most = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++)
        if (!(x[i] <= most)) most = x[i]; /* a NaN becomes the largest and stays in the sum */
    if (isinf(most)) {
        for (size_t i = 0; i < n; i++)
            if (isnan(x[i])) return NAN;
        return most;
    }
    for (size_t i = 0; i < n; i++) sum += exp(x[i] - most);
    return most + log(sum);
}

double mn_log1mexp(double x)
{
    return x > -M_LN2 ? log(-expm1(x)) : log1p(-exp(x));
}
