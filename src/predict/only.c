/* Models confined to some symbols. */
#include <math.h>
#include <string.h>

#include "base/logspace.h"
#include "predict/wrap.h"

typedef struct only {
    mn_wrap wrap;
    mn_kind kind;  /* own: members and counts only where the model inside has them */
    bool *allowed; /* [A] */
} only;

static void free_model(mn_model *model)
{
    free(((only *)model)->allowed);
    free(model);
}

/* Zero elsewhere; floors stay as they are: what is true of a probability is the more so when others are ruled out. */
static void confine(double *lp, const only *o, bool renormalise)
{
    size_t A = o->wrap.model.A;
    for (size_t a = 0; a < A; a++)
        if (!o->allowed[a]) lp[a] = -INFINITY;
    double sum = renormalise ? mn_log_sum_exp(lp, A) : 0;
    if (sum == -INFINITY) return;
    for (size_t a = 0; a < A; a++) lp[a] -= sum;
}

static mn_status predict(mn_session *session, double *lp, mn_err *err)
{
    MN_TRY(mn_session_predict(mn_session_inner(session), lp, err));
    confine(lp, (const only *)session->worker->model, true);
    return MN_OK;
}

static mn_status members(mn_session *session, double leaf_alpha, double *lp_weights, double *lp, size_t cap, size_t *n,
                         mn_err *err)
{
    const only *o = (const only *)session->worker->model;
    MN_TRY(mn_session_floors(mn_session_inner(session), leaf_alpha, lp_weights, lp, cap, n, err));
    for (size_t i = 0; i < *n && i < cap; i++) confine(lp + i * o->wrap.model.A, o, !(leaf_alpha > 0));
    return MN_OK;
}

static const mn_kind kind = {.name = "only",
                             .free = free_model,
                             .predict = predict,
                             .members = members,
                             .counts = mn_wrap_counts,
                             MN_WRAP_MODEL,
                             MN_WRAP_SESSIONS};

mn_status mn_only_new(mn_model **out, mn_model *model, const bool *allowed, mn_err *err)
{
    size_t A = mn_model_alphabet(model);
    only *o;
    MN_ALLOC_OR_FAIL(o, 1, err);
    o->kind = kind;
    if (!model->kind->members) o->kind.members = NULL;
    if (!model->kind->counts) o->kind.counts = NULL;
    o->wrap = (mn_wrap){mn_wrap_model(&o->kind, model), model};
    o->allowed = mn_alloc(A, sizeof *o->allowed);
    if (!o->allowed) return free_model(&o->wrap.model), mn_fail(err, MN_ERR_MEMORY, "out of memory");
    memcpy(o->allowed, allowed, A * sizeof *allowed);
    *out = &o->wrap.model;
    return MN_OK;
}
