/* The least that any credible member says. */
#include <math.h>
#include <string.h>

#include "predict/credible.h"
#include "predict/wrap.h"

typedef struct pessimist {
    mn_wrap wrap;
    double alpha, leaf_alpha;
} pessimist;

typedef struct pessimist_worker {
    mn_wrap_worker wrap;
    size_t room;
    double *lp_weights /* [room] */, *lp /* [room,A] */; /* the likeliest members */
} pessimist_worker;

static void free_model(mn_model *model)
{
    free(model);
}

static void worker_free(mn_worker *worker)
{
    pessimist_worker *w = (pessimist_worker *)worker;
    mn_wrap_worker_close(&w->wrap);
    free(w->lp_weights);
    free(w->lp);
    free(w);
}

static mn_status make_room(pessimist_worker *w, size_t A, size_t room, mn_err *err)
{
    size_t entries;
    free(w->lp_weights);
    free(w->lp);
    w->lp_weights = w->lp = NULL;
    w->room = 0;
    if (!mn_mul_size(&entries, room, A)) return mn_fail(err, MN_ERR_LIMIT, "%zu members of %zu symbols are too many", room, A);
    MN_ALLOC_OR_FAIL(w->lp_weights, room, err);
    MN_ALLOC_OR_FAIL(w->lp, entries, err);
    w->room = room;
    return MN_OK;
}

static mn_status worker_new(mn_worker **out, mn_model *model, size_t sessions, size_t length, mn_err *err)
{
    pessimist_worker *w;
    MN_ALLOC_OR_FAIL(w, 1, err);
    mn_status status = mn_wrap_worker_open(&w->wrap, model, sessions, length, err);
    if (status != MN_OK) return worker_free(&w->wrap.worker), status;
    *out = &w->wrap.worker;
    return MN_OK;
}

/* The likeliest members into the worker's arrays, all that could be kept: w_n >= alpha (w_1 + ... + w_n) >= alpha n w_n only
 * for n <= 1/alpha. A model that has none, but counts, is the only one. */
static mn_status list(size_t *n, mn_session *session, mn_err *err)
{
    const pessimist *p = (const pessimist *)session->worker->model;
    pessimist_worker *w = (pessimist_worker *)session->worker;
    mn_session *inner = mn_session_inner(session);
    const double most = 1 / p->alpha + 1;
    if (!w->room) MN_TRY(make_room(w, p->wrap.model.A, 1, err));
    MN_TRY(mn_session_floors(inner, p->leaf_alpha, w->lp_weights, w->lp, w->room, n, err));
    if (*n > w->room && (double)w->room < floor(most)) {
        MN_TRY(make_room(w, p->wrap.model.A, (double)*n < most ? *n : (size_t)most, err));
        MN_TRY(mn_session_floors(inner, p->leaf_alpha, w->lp_weights, w->lp, w->room, n, err));
    }
    if (*n > w->room) *n = w->room;
    if (*n) return MN_OK;
    *n = 1;
    w->lp_weights[0] = 0;
    return mn_credible_say(inner, p->leaf_alpha, w->lp, w->wrap.counts, err);
}

/* How many of n by falling weight are kept: a beginning of them, because what is asked of a weight only rises. */
static size_t count_kept(const double *lp_weights, size_t n, double alpha)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double weight = exp(lp_weights[i] - lp_weights[0]);
        sum += weight;
        if (weight < alpha * sum) return i;
    }
    return n;
}

static mn_status predict(mn_session *session, double *lp, mn_err *err)
{
    const pessimist *p = (const pessimist *)session->worker->model;
    const pessimist_worker *w = (const pessimist_worker *)session->worker;
    size_t n, A = p->wrap.model.A;
    MN_TRY(list(&n, session, err));
    n = count_kept(w->lp_weights, n, p->alpha);
    for (size_t a = 0; a < A; a++) {
        lp[a] = w->lp[a];
        for (size_t i = 1; i < n; i++) lp[a] = fmin(lp[a], w->lp[i * A + a]);
    }
    return MN_OK;
}

/* The kept ones, as they speak here. */
static mn_status members(mn_session *session, double leaf_alpha, double *lp_weights, double *lp, size_t cap, size_t *n,
                         mn_err *err)
{
    const pessimist *p = (const pessimist *)session->worker->model;
    const pessimist_worker *w = (const pessimist_worker *)session->worker;
    (void)leaf_alpha; /* has its own */
    MN_TRY(list(n, session, err));
    *n = count_kept(w->lp_weights, *n, p->alpha);
    size_t some = *n < cap ? *n : cap;
    if (!some) return MN_OK;
    memcpy(lp_weights, w->lp_weights, some * sizeof *lp_weights);
    memcpy(lp, w->lp, some * p->wrap.model.A * sizeof *lp);
    return MN_OK;
}

static const mn_kind kind = {.name = "pessimist",
                             .free = free_model,
                             .worker_new = worker_new,
                             .worker_free = worker_free,
                             .session_new = mn_wrap_session_new,
                             .session_free = mn_wrap_session_free,
                             .rewound = mn_wrap_rewound,
                             .append = mn_wrap_append,
                             .key = mn_wrap_key,
                             .predict = predict,
                             .members = members,
                             MN_WRAP_MODEL};

mn_status mn_pessimist_new(mn_model **out, mn_model *model, double alpha, double leaf_alpha, mn_err *err)
{
    pessimist *p;
    if (!(alpha > 0 && alpha < 1)) return mn_fail(err, MN_ERR_NUM, "alpha %g: expected a number between 0 and 1", alpha);
    if (!(leaf_alpha >= 0 && leaf_alpha < 1))
        return mn_fail(err, MN_ERR_NUM, "leaf_alpha %g: expected a number between 0 and 1, or 0 for none", leaf_alpha);
    if (!model->kind->members && !model->kind->counts)
        return mn_fail(err, MN_ERR_INPUT, "\"%s\" has no members among which one could be pessimistic", model->kind->name);
    MN_ALLOC_OR_FAIL(p, 1, err);
    *p = (pessimist){.wrap = {mn_wrap_model(&kind, model), model}, .alpha = alpha, .leaf_alpha = leaf_alpha};
    *out = &p->wrap.model;
    return MN_OK;
}
