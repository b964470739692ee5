/* Bayesian mixtures: a weight for each member, moved by how well it predicted. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/logspace.h"
#include "predict/credible.h"
#include "predict/wrap.h"

typedef struct mixture {
    mn_model model;
    size_t n;
    mn_model **models; /* [n] borrowed */
    double *lw;        /* [n] prior */
    double share;
} mixture;

typedef struct mixture_worker {
    mn_worker worker;
    mn_worker **inner;     /* [n] */
    mn_session **sessions; /* [most] scratch, and so are the others */
    double *lp /* [n,A] */, *column /* [n] */;
    uint64_t *counts; /* [A] */
    mn_rank *ranks;   /* [n] */
} mixture_worker;

typedef struct mixture_session {
    mn_session session;
    mn_session **inner; /* [n] */
    double *lw;         /* [n] log weights, a common constant apart; all -INFINITY: everything is refuted */
    bool *learnt;       /* [length] which symbols of the timeline were learnt */
    double *past;       /* [room,n] the weights before each of those */
    size_t n_past, room;
} mixture_session;

static const mixture *mixture_of(const mn_session *session)
{
    return (const mixture *)session->worker->model;
}

static mn_model *first(const mn_model *model)
{
    return ((const mixture *)model)->models[0];
}

static void free_model(mn_model *model)
{
    free(((mixture *)model)->models);
    free(((mixture *)model)->lw);
    free(model);
}

static const char *piece(const mn_model *model, int32_t id, size_t *len)
{
    return mn_model_piece(first(model), id, len);
}

static bool ends_generation(const mn_model *model, int32_t id)
{
    return mn_model_ends_generation(first(model), id);
}

static mn_status tokenize(const mn_model *model, int32_t *ids, size_t cap, size_t *n, const char *text, size_t len,
                          bool opening, mn_err *err)
{
    return mn_model_tokenize(first(model), ids, cap, n, text, len, opening, err);
}

/* ---- workers ------------------------------------------------------------------------------------------------ */

static void worker_free(mn_worker *worker)
{
    mixture_worker *w = (mixture_worker *)worker;
    for (size_t i = 0; w->inner && i < ((const mixture *)worker->model)->n; i++) mn_worker_free(w->inner[i]);
    free(w->inner);
    free(w->sessions);
    free(w->lp);
    free(w->column);
    free(w->counts);
    free(w->ranks);
    free(w);
}

static mn_status open_worker(mixture_worker *w, const mixture *m, size_t sessions, size_t length, mn_err *err)
{
    size_t entries;
    if (!mn_mul_size(&entries, m->n, m->model.A))
        return mn_fail(err, MN_ERR_LIMIT, "%zu models of %zu symbols are too many", m->n, m->model.A);
    MN_ALLOC_OR_FAIL(w->inner, m->n, err);
    MN_ALLOC_OR_FAIL(w->sessions, sessions, err);
    MN_ALLOC_OR_FAIL(w->lp, entries, err);
    MN_ALLOC_OR_FAIL(w->column, m->n, err);
    MN_ALLOC_OR_FAIL(w->counts, m->model.A, err);
    MN_ALLOC_OR_FAIL(w->ranks, m->n, err);
    for (size_t i = 0; i < m->n; i++) MN_TRY(mn_worker_new(&w->inner[i], m->models[i], sessions, length, err));
    return MN_OK;
}

static mn_status worker_new(mn_worker **out, mn_model *model, size_t sessions, size_t length, mn_err *err)
{
    mixture_worker *w;
    MN_ALLOC_OR_FAIL(w, 1, err);
    w->worker.model = model;
    mn_status status = open_worker(w, (const mixture *)model, sessions, length, err);
    if (status != MN_OK) return worker_free(&w->worker), status;
    *out = &w->worker;
    return MN_OK;
}

/* ---- sessions ------------------------------------------------------------------------------------------------- */

static void session_free(mn_session *session)
{
    mixture_session *s = (mixture_session *)session;
    for (size_t i = 0; s->inner && i < mixture_of(session)->n; i++) mn_session_free(s->inner[i]);
    free(s->inner);
    free(s->lw);
    free(s->learnt);
    free(s->past);
    free(s);
}

static mn_status copy_past(mixture_session *s, const mixture_session *from, size_t n, mn_err *err)
{
    MN_ALLOC_OR_FAIL(s->past, from->n_past * n, err);
    memcpy(s->past, from->past, from->n_past * n * sizeof *s->past);
    s->n_past = s->room = from->n_past;
    return MN_OK;
}

static mn_status open_session(mixture_session *s, const mixture_session *fork_of, mn_err *err)
{
    const mixture *m = mixture_of(&s->session);
    const mixture_worker *w = (const mixture_worker *)s->session.worker;
    MN_ALLOC_OR_FAIL(s->inner, m->n, err);
    MN_ALLOC_OR_FAIL(s->lw, m->n, err);
    MN_ALLOC_OR_FAIL(s->learnt, w->worker.length, err);
    for (size_t i = 0; i < m->n; i++)
        MN_TRY(fork_of ? mn_session_fork(&s->inner[i], fork_of->inner[i], err)
                       : mn_session_begin(&s->inner[i], w->inner[i], err));
    memcpy(s->lw, fork_of ? fork_of->lw : m->lw, m->n * sizeof *s->lw);
    if (!fork_of) return MN_OK;
    memcpy(s->learnt, fork_of->learnt, fork_of->session.n * sizeof *s->learnt);
    return fork_of->n_past ? copy_past(s, fork_of, m->n, err) : MN_OK;
}

static mn_status session_new(mn_session **out, mn_worker *worker, const mn_session *fork_of, mn_err *err)
{
    mixture_session *s;
    MN_ALLOC_OR_FAIL(s, 1, err);
    s->session.worker = worker;
    mn_status status = open_session(s, (const mixture_session *)fork_of, err);
    if (status != MN_OK) return session_free(&s->session), status;
    *out = &s->session;
    return MN_OK;
}

/* Back to length symbols, of end that there are. */
static void go_back(mixture_session *s, size_t length, size_t end)
{
    size_t n = mixture_of(&s->session)->n, learnt = 0;
    for (size_t t = length; t < end; t++) learnt += s->learnt[t];
    s->n_past -= learnt;
    if (learnt) memcpy(s->lw, s->past + s->n_past * n, n * sizeof *s->lw);
    for (size_t i = 0; i < n; i++)
        if (mn_session_length(s->inner[i]) > length) {
            mn_status status = mn_session_rewind(s->inner[i], length, NULL);
            assert(status == MN_OK);
            (void)status;
        }
}

static void rewound(mn_session *session, size_t length)
{
    go_back((mixture_session *)session, length, session->n);
}

static mn_status advance(mn_session *const *sessions, size_t n, mn_err *err)
{
    mn_session **inner = ((mixture_worker *)sessions[0]->worker)->sessions;
    for (size_t i = 0; i < mixture_of(sessions[0])->n; i++) {
        for (size_t k = 0; k < n; k++) inner[k] = ((mixture_session *)sessions[k])->inner[i];
        MN_TRY(mn_advance(inner, n, err));
    }
    return MN_OK;
}

/* ---- predictions ------------------------------------------------------------------------------------------------ */

/* The worker's lp: [n,A] of members not refuted; of the others -INFINITY. */
static mn_status predict_all(mixture_session *s, mn_err *err)
{
    size_t A = s->session.worker->model->A;
    double *lp = ((mixture_worker *)s->session.worker)->lp;
    for (size_t i = 0; i < mixture_of(&s->session)->n; i++)
        if (s->lw[i] > -INFINITY)
            MN_TRY(mn_session_predict(s->inner[i], lp + i * A, err));
        else
            for (size_t a = 0; a < A; a++) lp[i * A + a] = -INFINITY;
    return MN_OK;
}

static mn_status predict(mn_session *session, double *lp, mn_err *err)
{
    mixture_session *s = (mixture_session *)session;
    const mixture_worker *w = (const mixture_worker *)session->worker;
    size_t n = mixture_of(session)->n, A = w->worker.model->A;
    MN_TRY(predict_all(s, err));
    double sum = mn_log_sum_exp(s->lw, n);
    for (size_t a = 0; a < A; a++) {
        for (size_t i = 0; i < n; i++) w->column[i] = s->lw[i] + w->lp[i * A + a];
        double own = mn_log_sum_exp(w->column, n);
        lp[a] = own == -INFINITY ? own : own - sum;
    }
    return MN_OK;
}

static mn_status members(mn_session *session, double leaf_alpha, double *lp_weights, double *lp, size_t cap, size_t *n,
                         mn_err *err)
{
    mixture_session *s = (mixture_session *)session;
    const mixture *m = mixture_of(session);
    const mixture_worker *w = (const mixture_worker *)session->worker;
    double sum = mn_log_sum_exp(s->lw, m->n);
    *n = 0;
    for (size_t i = 0; i < m->n; i++)
        if (s->lw[i] > -INFINITY) w->ranks[(*n)++] = (mn_rank){s->lw[i], i};
    mn_rank_sort(w->ranks, *n);
    for (size_t k = 0; k < *n && k < cap; k++) {
        lp_weights[k] = w->ranks[k].lw - sum;
        MN_TRY(mn_credible_say(s->inner[w->ranks[k].index], leaf_alpha, lp + k * m->model.A, w->counts, err));
    }
    return MN_OK;
}

/* Parts of the exact posterior, the weights of n members and the members themselves. */
static mn_status key(mn_session *session, unsigned char *out, size_t cap, size_t *n, mn_err *err)
{
    mixture_session *s = (mixture_session *)session;
    size_t members = mixture_of(session)->n;
    *n = 0;
    mn_key_add(out, cap, n, s->lw, members * sizeof *s->lw);
    for (size_t i = 0; i < members; i++) MN_TRY(mn_key_add_session(out, cap, n, s->inner[i], err));
    return MN_OK;
}

/* ---- learning --------------------------------------------------------------------------------------------------- */

/* Weights relative to the first member that survives: equal predictions then leave every weight at its bits. */
static void reweigh(double *lw, const double *lp, size_t n, double share)
{
    size_t ref = 0;
    while (ref < n && lw[ref] + lp[ref] == -INFINITY) ref++;
    for (size_t i = 0; i < n; i++) lw[i] = ref == n ? -INFINITY : lw[i] + (lp[i] - lp[ref]);
    double sum = share > 0 ? mn_log_sum_exp(lw, n) : -INFINITY;
    if (sum == -INFINITY) return;
    for (size_t i = 0; i < n; i++) lw[i] = log((1 - share) * exp(lw[i] - sum) + share / (double)n);
}

static mn_status learn_one(mixture_session *s, size_t at, int32_t id, mn_err *err)
{
    const mixture *m = mixture_of(&s->session);
    const mixture_worker *w = (const mixture_worker *)s->session.worker;
    MN_TRY(predict_all(s, err));
    for (size_t i = 0; i < m->n; i++) MN_TRY(mn_session_learn(s->inner[i], &id, 1, err));
    for (size_t i = 0; i < m->n; i++) w->column[i] = w->lp[i * m->model.A + (size_t)id];
    memcpy(s->past + s->n_past++ * m->n, s->lw, m->n * sizeof *s->lw);
    reweigh(s->lw, w->column, m->n, m->share);
    s->learnt[at] = true;
    return MN_OK;
}

static mn_status make_room(mixture_session *s, size_t more, mn_err *err)
{
    size_t room = s->n_past + more > 2 * s->room ? s->n_past + more : 2 * s->room, numbers, bytes;
    if (s->n_past + more <= s->room) return MN_OK;
    if (!mn_mul_size(&numbers, room, mixture_of(&s->session)->n) || !mn_mul_size(&bytes, numbers, sizeof *s->past))
        return mn_fail(err, MN_ERR_LIMIT, "%zu symbols are too many to learn", room);
    double *past = realloc(s->past, bytes);
    if (!past) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    s->past = past;
    s->room = room;
    return MN_OK;
}

static mn_status append(mn_session *session, const int32_t *ids, size_t n, bool learn, mn_err *err)
{
    mixture_session *s = (mixture_session *)session;
    size_t end = session->n;
    mn_status status = learn ? make_room(s, n, err) : MN_OK;
    if (learn)
        for (; status == MN_OK && end < session->n + n; end += status == MN_OK)
            status = learn_one(s, end, ids[end - session->n], err);
    else {
        for (size_t t = 0; t < n; t++) s->learnt[session->n + t] = false;
        for (size_t i = 0; status == MN_OK && i < mixture_of(session)->n; i++)
            status = mn_session_append(s->inner[i], ids, n, err);
    }
    if (status != MN_OK) go_back(s, session->n, end);
    return status;
}

static const mn_kind kind = {.name = "mixture",
                             .free = free_model,
                             .piece = piece,
                             .ends_generation = ends_generation,
                             .tokenize = tokenize,
                             .worker_new = worker_new,
                             .worker_free = worker_free,
                             .session_new = session_new,
                             .session_free = session_free,
                             .rewound = rewound,
                             .advance = advance,
                             .predict = predict,
                             .append = append,
                             .key = key,
                             .members = members};

/* ---- making one ---------------------------------------------------------------------------------------------- */

static mn_status check(mn_model *const *models, const double *lp_prior, size_t n, double share, mn_err *err)
{
    if (!n) return mn_fail(err, MN_ERR_INPUT, "a mixture needs at least one model");
    if (!(share >= 0 && share <= 1)) return mn_fail(err, MN_ERR_NUM, "share %g: expected a number from 0 to 1", share);
    for (size_t i = 0; i < n; i++) {
        if (isnan(lp_prior[i]) || lp_prior[i] == INFINITY)
            return mn_fail(err, MN_ERR_NUM, "prior weight %zu is not a number below inf", i);
        if (models[i]->A != models[0]->A)
            return mn_fail(err, MN_ERR_INPUT, "model %zu has %zu symbols, the first has %zu", i, models[i]->A, models[0]->A);
    }
    if (mn_log_sum_exp(lp_prior, n) == -INFINITY) return mn_fail(err, MN_ERR_NUM, "no model has any prior weight");
    return MN_OK;
}

static mn_status fill(mixture *m, mn_model *const *models, const double *lp_prior, size_t n, mn_err *err)
{
    MN_ALLOC_OR_FAIL(m->models, n, err);
    MN_ALLOC_OR_FAIL(m->lw, n, err);
    for (size_t i = 0; i < n; i++) {
        m->models[i] = models[i];
        m->lw[i] = lp_prior[i];
        if (models[i]->longest < m->model.longest) m->model.longest = models[i]->longest;
    }
    m->n = n;
    return MN_OK;
}

mn_status mn_mixture_new(mn_model **out, mn_model *const *models, const double *lp_prior, size_t n, double share, mn_err *err)
{
    mixture *m;
    MN_TRY(check(models, lp_prior, n, share, err));
    MN_ALLOC_OR_FAIL(m, 1, err);
    m->model = (mn_model){.kind = &kind, .A = models[0]->A, .longest = models[0]->longest};
    m->share = share;
    mn_status status = fill(m, models, lp_prior, n, err);
    if (status != MN_OK) return free_model(&m->model), status;
    *out = &m->model;
    return MN_OK;
}
