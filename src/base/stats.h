/* Means and how sure they are. */
#ifndef MN_STATS_H
#define MN_STATS_H

#include "base/base.h"

/* Running mean and sum of squared deviations (Welford 1962), one pass, no cancellation. Start from {0}. Plain data. */
typedef struct mn_stats {
    size_t n;
    double mean, m2;
} mn_stats;

void mn_stats_add(mn_stats *stats, double x);
/* Of n numbers in index order; n = 0 gives {0}. */
mn_stats mn_stats_of(const double *x, size_t n);
/* Unbiased sample variance m2/(n-1); 0 for n < 2. */
double mn_stats_variance(const mn_stats *stats);
/* Standard error of the mean, sqrt(variance/n); 0 for n < 2. */
double mn_stats_error(const mn_stats *stats);
/* How many standard errors `a` lies above `b`: (a - b)/error; 0 where both are equal, else of infinite size at error 0. */
double mn_z_score(double a, double b, double error);
/* mean(a) above mean(b) in standard errors of the difference of two independent samples (Welch). */
double mn_stats_z(const mn_stats *a, const mn_stats *b);

#endif
