/* A model and its variants that "from the n-th turn on always a". */
#include <math.h>
#include <string.h>

#include "base/logspace.h"
#include "predict/credible.h"
#include "predict/wrap.h"

/* Member 0 is the model itself; the n-th turn's a-th symbol is member 1 + (n - 1) M + a: in the order of ties. Weights are logs
 * up to a common constant, refuted members have -INFINITY. A member whose turn has not come predicts as the model does, so that
 * evidence changes its weight only together with the model's: both stay as they are, and those it compares with move. */
typedef struct switching {
    mn_wrap wrap;     /* inner: an mn_only_new of the model, owned */
    size_t N, M;      /* turns, symbols allowed */
    size_t *slots;    /* [A] place of an allowed symbol among them; else M */
    int32_t *symbols; /* [M] which they are */
    double *lw;       /* [1 + N M] the prior, with the evidence of transcripts */
} switching;

typedef struct switch_worker {
    mn_wrap_worker wrap;
    double *lp;     /* [A] scratch */
    mn_rank *ranks; /* [1 + N M] scratch */
} switch_worker;

typedef struct switch_session {
    mn_wrap_session wrap;
    size_t turns; /* that there have been */
    double *lw;   /* [1 + N M] */
    double *said; /* [length] of a turn that was learnt: lp of its symbol under the model; else UNLEARNT */
} switch_session;

static const double UNLEARNT = 1; /* no logarithm of a probability */

static const switching *switching_of(const mn_session *session)
{
    return (const switching *)session->worker->model;
}

static size_t count(const switching *sw)
{
    return 1 + sw->N * sw->M;
}

/* The end of those members that have switched by this turn. */
static size_t switched_by(const switching *sw, size_t turn)
{
    return 1 + (turn < sw->N ? turn : sw->N) * sw->M;
}

static bool is_turn(const switching *sw, int32_t id)
{
    return sw->slots[id] < sw->M;
}

static void free_model(mn_model *model)
{
    switching *sw = (switching *)model;
    mn_model_free(sw->wrap.inner);
    free(sw->slots);
    free(sw->symbols);
    free(sw->lw);
    free(sw);
}

/* ---- evidence --------------------------------------------------------------------------------------------------- */

/* The symbol of this turn is learnt; the model gives it lp. Members that have switched either said it for certain, and gain -lp
 * relative to the model, or are refuted. A symbol that the model rules out leaves only them. */
static void reweigh(const switching *sw, double *lw, size_t turn, int32_t id, double lp)
{
    size_t switched = switched_by(sw, turn), slot = sw->slots[id], all = count(sw);
    double gain = lw[0] == -INFINITY || lp == -INFINITY ? 0 : -lp;
    for (size_t i = 1; i < switched; i++) lw[i] = (i - 1) % sw->M == slot ? lw[i] + gain : -INFINITY;
    if (lp > -INFINITY) return;
    lw[0] = -INFINITY;
    for (size_t i = switched; i < all; i++) lw[i] = -INFINITY;
}

/* ---- workers and sessions --------------------------------------------------------------------------------------- */

static void worker_free(mn_worker *worker)
{
    switch_worker *w = (switch_worker *)worker;
    mn_wrap_worker_close(&w->wrap);
    free(w->lp);
    free(w->ranks);
    free(w);
}

static mn_status open_worker(switch_worker *w, mn_model *model, size_t sessions, size_t length, mn_err *err)
{
    MN_TRY(mn_wrap_worker_open(&w->wrap, model, sessions, length, err));
    MN_ALLOC_OR_FAIL(w->lp, model->A, err);
    MN_ALLOC_OR_FAIL(w->ranks, count((const switching *)model), err);
    return MN_OK;
}

static mn_status worker_new(mn_worker **out, mn_model *model, size_t sessions, size_t length, mn_err *err)
{
    switch_worker *w;
    MN_ALLOC_OR_FAIL(w, 1, err);
    mn_status status = open_worker(w, model, sessions, length, err);
    if (status != MN_OK) return worker_free(&w->wrap.worker), status;
    *out = &w->wrap.worker;
    return MN_OK;
}

static void session_free(mn_session *session)
{
    switch_session *s = (switch_session *)session;
    mn_session_free(s->wrap.inner);
    free(s->lw);
    free(s->said);
    free(s);
}

static mn_status open_session(switch_session *s, mn_worker *worker, const switch_session *fork_of, mn_err *err)
{
    const switching *sw = (const switching *)worker->model;
    MN_TRY(mn_wrap_session_open(&s->wrap, worker, fork_of ? &fork_of->wrap.session : NULL, err));
    MN_ALLOC_OR_FAIL(s->lw, count(sw), err);
    MN_ALLOC_OR_FAIL(s->said, worker->length, err);
    memcpy(s->lw, fork_of ? fork_of->lw : sw->lw, count(sw) * sizeof *s->lw);
    if (!fork_of) return MN_OK;
    memcpy(s->said, fork_of->said, fork_of->wrap.session.n * sizeof *s->said);
    s->turns = fork_of->turns;
    return MN_OK;
}

static mn_status session_new(mn_session **out, mn_worker *worker, const mn_session *fork_of, mn_err *err)
{
    switch_session *s;
    MN_ALLOC_OR_FAIL(s, 1, err);
    mn_status status = open_session(s, worker, (const switch_session *)fork_of, err);
    if (status != MN_OK) return session_free(&s->wrap.session), status;
    *out = &s->wrap.session;
    return MN_OK;
}

/* The weights after the first n symbols of the timeline, computed again: the same bits. */
static void replay(switch_session *s, size_t n)
{
    const switching *sw = switching_of(&s->wrap.session);
    const int32_t *ids = s->wrap.session.ids;
    memcpy(s->lw, sw->lw, count(sw) * sizeof *s->lw);
    s->turns = 0;
    for (size_t t = 0; t < n; t++) {
        s->turns += is_turn(sw, ids[t]);
        if (s->said[t] != UNLEARNT) reweigh(sw, s->lw, s->turns, ids[t], s->said[t]);
    }
}

static void rewound(mn_session *session, size_t length)
{
    mn_wrap_rewound(session, length);
    replay((switch_session *)session, length);
}

static mn_status append_one(switch_session *s, size_t at, int32_t id, bool learn, mn_err *err)
{
    const switching *sw = switching_of(&s->wrap.session);
    double *lp = ((switch_worker *)s->wrap.session.worker)->lp;
    bool turn = is_turn(sw, id);
    if (turn && learn) MN_TRY(mn_session_predict(s->wrap.inner, lp, err));
    MN_TRY(mn_session_append(s->wrap.inner, &id, 1, err));
    s->said[at] = turn && learn ? lp[id] : UNLEARNT;
    s->turns += turn;
    if (turn && learn) reweigh(sw, s->lw, s->turns, id, lp[id]);
    return MN_OK;
}

static mn_status append(mn_session *session, const int32_t *ids, size_t n, bool learn, mn_err *err)
{
    for (size_t i = 0; i < n; i++) {
        mn_status status = append_one((switch_session *)session, session->n + i, ids[i], learn, err);
        if (status != MN_OK) return rewound(session, session->n), status;
    }
    return MN_OK;
}

/* ---- predictions ------------------------------------------------------------------------------------------------ */

static double log_add(double x, double y)
{
    double most = x > y ? x : y, least = x > y ? y : x;
    return least == -INFINITY ? most : most + log1p(exp(least - most));
}

static mn_status predict(mn_session *session, double *lp, mn_err *err)
{
    const switching *sw = switching_of(session);
    const switch_session *s = (const switch_session *)session;
    size_t switched = switched_by(sw, s->turns + 1), A = sw->wrap.model.A;
    double as_model = log_add(s->lw[0], mn_log_sum_exp(s->lw + switched, count(sw) - switched)),
           sum = mn_log_sum_exp(s->lw, count(sw));
    MN_TRY(mn_session_predict(s->wrap.inner, lp, err));
    for (size_t a = 0; a < A; a++) lp[a] += as_model;
    for (size_t i = 1; i < switched; i++) {
        size_t a = (size_t)sw->symbols[(i - 1) % sw->M];
        lp[a] = log_add(lp[a], s->lw[i]);
    }
    for (size_t a = 0; a < A; a++)
        if (lp[a] > -INFINITY) lp[a] -= sum;
    return MN_OK;
}

static mn_status members(mn_session *session, double leaf_alpha, double *lp_weights, double *lp, size_t cap, size_t *n,
                         mn_err *err)
{
    const switching *sw = switching_of(session);
    const switch_session *s = (const switch_session *)session;
    const switch_worker *w = (const switch_worker *)session->worker;
    size_t switched = switched_by(sw, s->turns + 1), A = sw->wrap.model.A;
    double sum = mn_log_sum_exp(s->lw, count(sw));
    MN_TRY(mn_credible_say(s->wrap.inner, leaf_alpha, w->lp, w->wrap.counts, err));
    *n = 0;
    for (size_t i = 0; i < count(sw); i++)
        if (s->lw[i] > -INFINITY) w->ranks[(*n)++] = (mn_rank){s->lw[i], i};
    mn_rank_sort(w->ranks, *n);
    for (size_t k = 0; k < *n && k < cap; k++) {
        size_t i = w->ranks[k].index;
        double *row = lp + k * A;
        lp_weights[k] = s->lw[i] - sum;
        memcpy(row, w->lp, A * sizeof *row);
        if (!i || i >= switched) continue;
        for (size_t a = 0; a < A; a++) row[a] = -INFINITY;
        row[sw->symbols[(i - 1) % sw->M]] = 0;
    }
    return MN_OK;
}

/* What has switched and is not refuted, with its weight; whether the model is refuted; the number of turns, while some switch
 * is still to come: those have the weights they began with. And what decides the model's future. */
static mn_status key(mn_session *session, unsigned char *out, size_t cap, size_t *n, mn_err *err)
{
    const switching *sw = switching_of(session);
    const switch_session *s = (const switch_session *)session;
    size_t switched = switched_by(sw, s->turns), alive = 0, ahead = 0;
    for (size_t i = 1; i < switched; i++) alive += s->lw[i] > -INFINITY;
    for (size_t i = switched; i < count(sw); i++) ahead += s->lw[i] > -INFINITY;
    size_t head[] = {alive, ahead ? s->turns : SIZE_MAX, s->lw[0] > -INFINITY};
    *n = 0;
    mn_key_add(out, cap, n, head, sizeof head);
    for (size_t i = 1; i < switched; i++) {
        if (s->lw[i] == -INFINITY) continue;
        mn_key_add(out, cap, n, &i, sizeof i);
        mn_key_add(out, cap, n, &s->lw[i], sizeof s->lw[i]);
    }
    return mn_key_add_session(out, cap, n, s->wrap.inner, err);
}

static const mn_kind kind = {.name = "switch",
                             .free = free_model,
                             .worker_new = worker_new,
                             .worker_free = worker_free,
                             .session_new = session_new,
                             .session_free = session_free,
                             .rewound = rewound,
                             .predict = predict,
                             .append = append,
                             .key = key,
                             .members = members,
                             MN_WRAP_MODEL};

/* ---- making one ---------------------------------------------------------------------------------------------- */

static mn_status list_symbols(switching *sw, const bool *allowed, mn_err *err)
{
    size_t A = sw->wrap.model.A;
    MN_ALLOC_OR_FAIL(sw->slots, A, err);
    MN_ALLOC_OR_FAIL(sw->symbols, A, err);
    for (size_t a = 0; a < A; a++)
        if (allowed[a]) sw->symbols[sw->M++] = (int32_t)a;
    for (size_t a = 0; a < A; a++) sw->slots[a] = sw->M;
    for (size_t slot = 0; slot < sw->M; slot++) sw->slots[sw->symbols[slot]] = slot;
    return sw->M ? MN_OK : mn_fail(err, MN_ERR_INPUT, "no symbol is allowed: expected those of the speaker's turns");
}

static mn_status set_prior(switching *sw, mn_err *err)
{
    size_t n;
    if (!mn_mul_size(&n, sw->N, sw->M) || n > SIZE_MAX / 64)
        return mn_fail(err, MN_ERR_LIMIT, "%zu turns of %zu symbols are too many", sw->N, sw->M);
    MN_ALLOC_OR_FAIL(sw->lw, n + 1, err);
    double N = (double)sw->N, M = (double)sw->M;
    sw->lw[0] = log((N + 2) / (2 * (N + 1)));
    for (size_t i = 0; i < n; i++) {
        double turn = (double)(i / sw->M + 1);
        sw->lw[1 + i] = -log(2 * M * turn * (turn + 1));
    }
    return MN_OK;
}

mn_status mn_switch_new(mn_model **out, const mn_switch_opts *opts, mn_err *err)
{
    switching *sw;
    MN_ALLOC_OR_FAIL(sw, 1, err);
    sw->wrap.model = mn_wrap_model(&kind, opts->model);
    sw->N = opts->turns;
    mn_status status = list_symbols(sw, opts->allowed, err);
    if (status == MN_OK) status = set_prior(sw, err);
    if (status == MN_OK) status = mn_only_new(&sw->wrap.inner, opts->model, opts->allowed, err);
    if (status != MN_OK) return free_model(&sw->wrap.model), status;
    *out = &sw->wrap.model;
    return MN_OK;
}

static mn_status learn_transcript(const switching *sw, double *lw, mn_session *session, double *lp, const int32_t *ids,
                                  size_t n, mn_err *err)
{
    size_t turn = 0;
    for (size_t t = 0; t < n; t++) {
        if (ids[t] >= 0 && (size_t)ids[t] < sw->wrap.model.A && is_turn(sw, ids[t])) {
            MN_TRY(mn_session_predict(session, lp, err));
            reweigh(sw, lw, ++turn, ids[t], lp[ids[t]]);
        }
        MN_TRY(mn_session_append(session, ids + t, 1, err));
    }
    return MN_OK;
}

mn_status mn_switch_learn(mn_model *model, const int32_t *ids, size_t n, mn_err *err)
{
    switching *sw = (switching *)model;
    mn_worker *worker = NULL;
    mn_session *session;
    if (!n) return MN_OK;
    double *lw = mn_alloc(count(sw), sizeof *lw), *lp = mn_alloc(model->A, sizeof *lp);
    mn_status status = lw && lp ? mn_worker_new(&worker, sw->wrap.inner, 1, n, err)
                                : mn_fail(err, MN_ERR_MEMORY, "out of memory");
    if (status == MN_OK) status = mn_session_begin(&session, worker, err);
    if (status == MN_OK) memcpy(lw, sw->lw, count(sw) * sizeof *lw);
    if (status == MN_OK) status = learn_transcript(sw, lw, session, lp, ids, n, err);
    if (status == MN_OK) memcpy(sw->lw, lw, count(sw) * sizeof *lw);
    mn_worker_free(worker);
    free(lw);
    free(lp);
    return status;
}
