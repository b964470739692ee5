#include "base/stats.h"

#include <math.h>

void mn_stats_add(mn_stats *stats, double x)
{
    double delta = x - stats->mean;
    stats->n++;
    stats->mean += delta / (double)stats->n;
    stats->m2 += delta * (x - stats->mean);
}

mn_stats mn_stats_of(const double *x, size_t n)
{
    mn_stats stats = {0};
    for (size_t i = 0; i < n; i++) mn_stats_add(&stats, x[i]);
    return stats;
}

double mn_stats_variance(const mn_stats *stats)
{
    return stats->n < 2 ? 0 : stats->m2 / (double)(stats->n - 1);
}

double mn_stats_error(const mn_stats *stats)
{
    return stats->n < 2 ? 0 : sqrt(mn_stats_variance(stats) / (double)stats->n);
}

double mn_z_score(double a, double b, double error)
{
    return a == b ? 0 : (a - b) / error;
}

double mn_stats_z(const mn_stats *a, const mn_stats *b)
{
    return mn_z_score(a->mean, b->mean, hypot(mn_stats_error(a), mn_stats_error(b)));
}
