/* The public operator: checks a row, picks the solver, writes the policy. */
#include <math.h>
#include <string.h>

#include "regularize/measure.h"
#include "regularize/row.h"

/* Says what is wrong with a row that the base pass found bad. */
static mn_status complain(const mn_row *row, size_t b, mn_err *err)
{
    for (size_t i = 0; i < row->V; i++) {
        const char *what = isnan(row->lp[i])          ? "the base is NaN"
                           : isnan(row->z[i])         ? "the score is NaN"
                           : row->z[i] == INFINITY    ? "the score is +inf"
                           : row->lp[i] > 1           ? "the base is more than 1"
                                                      : NULL;
        if (what) return mn_fail(err, MN_ERR_NUM, "row %zu, entry %zu: %s", b, i, what);
    }
    return MN_OK;
}

static mn_status check(const mn_row *row, double limit, size_t b, mn_err *err)
{
    const mn_tilt_base *base = &row->base;
    double sum = base->kept + base->masked;
    if (base->bad) MN_TRY(complain(row, b, err));
    if (!(fabs(sum - 1) <= 1e-9)) return mn_fail(err, MN_ERR_NUM, "row %zu: the base sums to %.12g, expected 1", b, sum);
    if (base->least > base->most) return mn_fail(err, MN_ERR_NUM, "row %zu: every score on the support is -inf", b);
    if (!(limit >= 0)) return mn_fail(err, MN_ERR_NUM, "row %zu: the limit is %g, expected at least 0", b, limit);
    return MN_OK;
}

static void keep_base(mn_row_answer *answer, const mn_row *row, double l)
{
    memcpy(row->out, row->lp, row->V * sizeof *row->out);
    *answer = (mn_row_answer){.l = l};
}

/* Policy and KL at a given l > 0. */
static void tilt(mn_row_answer *answer, mn_row *row, bool ready, double l)
{
    if (ready && mn_row_at(answer, row, l))
        mn_tilt()->write(row->out, row->lp, row->z, row->center, answer->l, answer->lnz, row->V);
    else
        *answer = mn_wide_at(row, l);
}

static void spend(mn_row_answer *answer, mn_row *row, bool ready, double limit)
{
    if (!ready || !mn_row_budget(answer, row, limit))
        *answer = mn_wide_budget(row, limit);
    else if (answer->l > 0)
        mn_tilt()->write(row->out, row->lp, row->z, row->center, answer->l, answer->lnz, row->V);
    if (answer->l == 0) keep_base(answer, row, 0);
}

static void solve(mn_reg_kind kind, mn_row_answer *answer, mn_row *row, double limit)
{
    bool free = kind == MN_REG_PENALTY || kind == MN_REG_NONE, flat = row->base.least == row->base.most && !row->base.masks;
    if (flat || limit == 0) {
        keep_base(answer, row, flat);
        return;
    }
    if (!free && limit < INFINITY && kind != MN_REG_BUDGET) {
        double l = mn_measure_largest_l(row, kind, limit);
        if (l == 0) {
            keep_base(answer, row, 0);
            return;
        }
        row->base = mn_tilt()->base(row->out, row->lp, row->z, row->V); /* the measure has used its place */
        tilt(answer, row, mn_row_prepare(row), l);
        return;
    }
    bool ready = mn_row_prepare(row);
    if (free || limit == INFINITY) tilt(answer, row, ready, 1);
    else spend(answer, row, ready, limit);
}

mn_status mn_regularize(mn_reg_kind kind, double *lp_policy, double *lambda, double *nats, const double *lp_base,
                        const double *scores, const double *limit, size_t B, size_t V, mn_err *err)
{
    for (size_t b = 0; b < B; b++) {
        mn_row row = {.lp = lp_base + b * V, .z = scores + b * V, .out = lp_policy + b * V, .V = V};
        double most = kind == MN_REG_PENALTY || kind == MN_REG_NONE ? INFINITY : limit[b];
        mn_row_answer answer;
        row.base = mn_tilt()->base(row.out, row.lp, row.z, V);
        MN_TRY(check(&row, most, b, err));
        solve(kind, &answer, &row, most);
        lambda[b] = answer.l;
        nats[b] = fmin(answer.nats, kind == MN_REG_BUDGET ? most : INFINITY);
    }
    return MN_OK;
}

mn_status mn_kl_nats(double *out, const double *lp, const double *lq, size_t A)
{
    long double sum = 0;
    for (size_t i = 0; i < A; i++) {
        if (isnan(lp[i]) || isnan(lq[i])) return MN_ERR_NUM;
        if (lp[i] > -INFINITY && lq[i] == -INFINITY) return *out = INFINITY, MN_OK;
        if (lp[i] > -INFINITY) sum += (long double)exp(lp[i]) * ((long double)lp[i] - lq[i]);
    }
    *out = (double)sum;
    return MN_OK;
}
