/* One state's best policy given the values of its moves, under a limit on this step's divergence alone. */
#include <math.h>

#include "learn/plan.h"

static double most_of(const double *q, const double *base, size_t n, bool supported)
{
    double most = -INFINITY;
    for (size_t a = 0; a < n; a++)
        if ((!supported || base[a] > 0) && q[a] > most) most = q[a];
    return most;
}

/* All mass on the best moves that the base ever makes, in its proportions. */
static void best_supported(double *pi, const double *q, const double *base, size_t n, double tie)
{
    double least = most_of(q, base, n, true) - tie, sum = 0;
    for (size_t a = 0; a < n; a++) sum += pi[a] = base[a] > 0 && q[a] >= least ? base[a] : 0;
    for (size_t a = 0; a < n; a++) pi[a] /= sum;
}

/* Total variation at most limit: so much mass goes from the worst moves to the best, which the base need not make; of equally
 * good ones each gets its share. Only moves of the greatest value gain. */
static void total_variation(double *pi, const double *q, const double *base, size_t n, double limit, double tie)
{
    double best = most_of(q, base, n, false) - tie, held = 0, gain = 0;
    size_t count = 0;
    for (size_t a = 0; a < n; a++) {
        pi[a] = base[a];
        if (q[a] >= best) held += base[a], count++;
    }
    while (gain < limit) {
        size_t worst = n;
        for (size_t a = 0; a < n; a++)
            if (pi[a] > 0 && q[a] < best && (worst == n || q[a] < q[worst])) worst = a;
        if (worst == n) break;
        double mass = fmin(pi[worst], limit - gain);
        gain += mass;
        pi[worst] = mass < pi[worst] ? pi[worst] - mass : 0;
        if (pi[worst] > 0) break;
    }
    for (size_t a = 0; a < n; a++)
        if (q[a] >= best) pi[a] += gain * (held > 0 ? base[a] / held : 1 / (double)count);
}

/* Sums of base, base q and base q^2 over the moves of at least the value least, q taken from the best on. */
static void moments(double m[3], const double *q, const double *base, size_t n, double least, double best)
{
    m[0] = m[1] = m[2] = 0;
    for (size_t a = 0; a < n; a++) {
        if (!(base[a] > 0) || q[a] < least) continue;
        m[0] += base[a];
        m[1] += base[a] * (q[a] - best);
        m[2] += base[a] * (q[a] - best) * (q[a] - best);
    }
}

static double next_below(const double *q, const double *base, size_t n, double above)
{
    double next = -INFINITY;
    for (size_t a = 0; a < n; a++)
        if (base[a] > 0 && q[a] < above && q[a] > next) next = q[a];
    return next;
}

/* chi-squared(pi || base) <= limit: pi ∝ base max(0, q - c), the least c that the limit allows (Lagrange; the multipliers of
 * pi >= 0 cut off the worst moves). With those above c of mass m and mean and variance of q among them: (1 + variance/(mean -
 * c)^2)/m = 1 + limit. */
static void chi_squared(double *pi, const double *q, const double *base, size_t n, double limit, double tie)
{
    double best = most_of(q, base, n, true), least = best - tie, m[3], cut = 0, sum = 0;
    moments(m, q, base, n, least, best);
    if (limit >= 1 / m[0] - 1) {
        best_supported(pi, q, base, n, tie);
        return;
    }
    for (double below = next_below(q, base, n, least); below > -INFINITY;) {
        least = below;
        below = next_below(q, base, n, least);
        moments(m, q, base, n, least, best);
        double mean = m[1] / m[0], variance = m[2] / m[0] - mean * mean, over = m[0] * (1 + limit) - 1;
        cut = over > 0 ? mean - sqrt(fmax(variance, 0) / over) : -INFINITY;
        if (cut >= below - best) break;
    }
    if (cut == -INFINITY) { /* limit 0 */
        for (size_t a = 0; a < n; a++) pi[a] = base[a];
        return;
    }
    for (size_t a = 0; a < n; a++) sum += pi[a] = base[a] > 0 && q[a] >= least ? base[a] * fmax(0, q[a] - best - cut) : 0;
    for (size_t a = 0; a < n; a++) pi[a] /= sum;
}

void mn_plan_rule(double *pi, const double *q, const double *base, size_t n, mn_reg_kind kind, double limit, double tie)
{
    switch (kind) {
    case MN_REG_TVD: total_variation(pi, q, base, n, limit, tie); return;
    case MN_REG_CHI2: chi_squared(pi, q, base, n, limit, tie); return;
    case MN_REG_NONE: total_variation(pi, q, base, n, INFINITY, tie); return;
    case MN_REG_BUDGET:
    case MN_REG_PENALTY: break;
    }
    best_supported(pi, q, base, n, tie);
}
