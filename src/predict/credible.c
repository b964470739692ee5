#include "predict/credible.h"

#include <float.h>
#include <math.h>

#include "predict/wrap.h"

/* ---- the floor ------------------------------------------------------------------------------------------------- */

/* ln Gamma(x) without Stirling's leading terms (x - 1/2) ln x - x + ln(2 pi)/2: at most 1/(12 x). */
static double stirling_rest(double x)
{
    double sum = 0;
    for (; x < 16; x++) sum += (x + .5) * log1p(1 / x) - 1; /* the rest at x less the rest at x + 1 */
    double i = 1 / (x * x);
    return sum + (1. / 12 - i * (1. / 360 - i * (1. / 1260 - i * (1. / 1680 - i / 1188)))) / x;
}

/* ln Lik_max(c) - ln KT(c), n the sum of c over the M symbols there are. Stirling's leading terms, of the size of n ln n, are
 * cancelled by hand: the result is only of the size of M ln n. */
static double regret(const double *lp, const uint64_t *counts, size_t A, double *n)
{
    double sum = 0, half = 0;
    *n = 0;
    for (size_t a = 0; a < A; a++) {
        if (lp[a] == -INFINITY) continue;
        half += .5;
        if (!counts[a]) continue;
        double c = (double)counts[a];
        *n += c;
        sum += (1 - M_LN2) / 2 - c * log1p(.5 / c) - stirling_rest(c + .5);
    }
    if (*n == 0) return 0;
    return sum + *n * log1p(half / *n) + (half - .5) * log1p(*n / half) + stirling_rest(*n + half) - stirling_rest(half);
}

/* ln q, q the root below c/n of n kl(c/n || q) = nats > 0. In v = ln(q n/c) the function is convex and falls, so that from a v
 * where it is too large Newton's steps only rise, up to where rounding stops them. */
static double log_root(double c, double n, double nats)
{
    double others = n - c;
    if (others == 0) return -nats / n;
    double odds = c / others, v = -(nats + others * log1p(odds)) / c, last;
    do {
        last = v;
        double e = expm1(v), f = -c * v - others * log1p(-odds * e) - nats, slope = c * e * (1 + odds) / (1 - odds * e);
        v -= f / slope;
    } while (v > last && v < 0);
    return last - log1p(others / c);
}

void mn_credible_floor(double *lp, const uint64_t *counts, size_t A, double leaf_alpha)
{
    double n, nats = regret(lp, counts, A, &n) - log(leaf_alpha);
    for (size_t a = 0; a < A; a++) {
        if (lp[a] == -INFINITY) continue;
        double floor = counts[a] ? log_root((double)counts[a], n, nats) * (1 + 8 * DBL_EPSILON) : -INFINITY;
        if (floor < lp[a]) lp[a] = floor;
    }
}

mn_status mn_credible_say(mn_session *session, double leaf_alpha, double *lp, uint64_t *counts, mn_err *err)
{
    const mn_model *model = session->worker->model;
    MN_TRY(mn_session_predict(session, lp, err));
    if (!(leaf_alpha > 0) || !model->kind->counts) return MN_OK;
    MN_TRY(model->kind->counts(session, counts, err));
    mn_credible_floor(lp, counts, model->A, leaf_alpha);
    return MN_OK;
}

/* ---- the model -------------------------------------------------------------------------------------------------- */

typedef struct credible {
    mn_wrap wrap;
    double leaf_alpha;
} credible;

static void free_model(mn_model *model)
{
    free(model);
}

static mn_status predict(mn_session *session, double *lp, mn_err *err)
{
    const credible *model = (const credible *)session->worker->model;
    uint64_t *counts = ((mn_wrap_worker *)session->worker)->counts;
    return mn_credible_say(mn_session_inner(session), model->leaf_alpha, lp, counts, err);
}

static const mn_kind kind = {.name = "credible", .free = free_model, .predict = predict, MN_WRAP_MODEL, MN_WRAP_SESSIONS};

mn_status mn_credible_new(mn_model **out, mn_model *model, double leaf_alpha, mn_err *err)
{
    credible *c;
    if (!(leaf_alpha > 0 && leaf_alpha < 1))
        return mn_fail(err, MN_ERR_NUM, "leaf_alpha %g: expected a number between 0 and 1", leaf_alpha);
    if (!model->kind->counts)
        return mn_fail(err, MN_ERR_INPUT, "\"%s\" does not count: expected a context tree or a kt", mn_model_name(model));
    MN_ALLOC_OR_FAIL(c, 1, err);
    *c = (credible){.wrap = {mn_wrap_model(&kind, model), model}, .leaf_alpha = leaf_alpha};
    *out = &c->wrap.model;
    return MN_OK;
}
