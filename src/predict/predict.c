#include "predict/predict.h"

#include <string.h>

void mn_model_free(mn_model *model)
{
    if (model) model->kind->free(model);
}

size_t mn_model_alphabet(const mn_model *model)
{
    return model->A;
}

size_t mn_model_features(const mn_model *model)
{
    return model->F;
}

size_t mn_model_longest(const mn_model *model)
{
    return model->longest;
}

const char *mn_model_name(const mn_model *model)
{
    return model->kind->name;
}

const char *mn_model_weights(const mn_model *model)
{
    return model->weights ? model->weights : "";
}

const char *mn_model_sha256(const mn_model *model)
{
    return model->sha256;
}

const char *mn_model_weights_sha256(const mn_model *model)
{
    return model->weights_sha256;
}

static bool known(const mn_model *model, int32_t id)
{
    return id >= 0 && (size_t)id < model->A;
}

const char *mn_model_piece(const mn_model *model, int32_t id, size_t *len)
{
    size_t own;
    if (!len) len = &own;
    if (known(model, id)) return model->kind->piece(model, id, len);
    *len = 0;
    return "";
}

bool mn_model_ends_generation(const mn_model *model, int32_t id)
{
    return known(model, id) && model->kind->ends_generation && model->kind->ends_generation(model, id);
}

mn_status mn_model_tokenize(const mn_model *model, int32_t *ids, size_t cap, size_t *n, const char *text, size_t len,
                            bool opening, mn_err *err)
{
    return model->kind->tokenize(model, ids, cap, n, text, len, opening, err);
}

size_t mn_model_embedding_width(const mn_model *model)
{
    return model->E;
}

mn_status mn_model_embeddings(const mn_model *model, float *out, mn_err *err)
{
    if (!model->E) return mn_fail(err, MN_ERR_INPUT, "a %s has no token embeddings", model->kind->name);
    return model->kind->embeddings(model, out, err);
}

/* ---- workers ------------------------------------------------------------------------------------------------ */

mn_status mn_worker_new(mn_worker **out, mn_model *model, size_t sessions, size_t length, mn_err *err)
{
    if (!sessions || !length) return mn_fail(err, MN_ERR_LIMIT, "a worker needs at least one session of one symbol");
    if (length > model->longest)
        return mn_fail(err, MN_ERR_LIMIT, "sessions of %zu symbols: the model holds %zu", length, model->longest);
    MN_TRY(model->kind->worker_new(out, model, sessions, length, err));
    (*out)->model = model;
    (*out)->most = sessions;
    (*out)->length = length;
    return MN_OK;
}

void mn_worker_free(mn_worker *worker)
{
    if (!worker) return;
    while (worker->sessions) mn_session_free(worker->sessions);
    worker->model->kind->worker_free(worker);
}

/* ---- sessions ------------------------------------------------------------------------------------------------- */

static mn_status add_session(mn_session **out, mn_worker *worker, const mn_session *fork_of, mn_err *err)
{
    int32_t *ids;
    if (worker->n == worker->most) return mn_fail(err, MN_ERR_LIMIT, "this worker has room for %zu sessions", worker->most);
    MN_ALLOC_OR_FAIL(ids, worker->length, err);
    mn_status status = worker->model->kind->session_new(out, worker, fork_of, err);
    if (status != MN_OK) return free(ids), status;
    mn_session *s = *out;
    s->worker = worker;
    s->ids = ids;
    s->n = fork_of ? fork_of->n : 0;
    if (fork_of) memcpy(ids, fork_of->ids, fork_of->n * sizeof *ids);
    s->next = worker->sessions;
    if (s->next) s->next->previous = s;
    worker->sessions = s;
    worker->n++;
    return MN_OK;
}

mn_status mn_session_begin(mn_session **out, mn_worker *worker, mn_err *err)
{
    return add_session(out, worker, NULL, err);
}

mn_status mn_session_fork(mn_session **out, const mn_session *session, mn_err *err)
{
    return add_session(out, session->worker, session, err);
}

void mn_session_free(mn_session *session)
{
    if (!session) return;
    mn_worker *worker = session->worker;
    if (session->next) session->next->previous = session->previous;
    if (session->previous)
        session->previous->next = session->next;
    else
        worker->sessions = session->next;
    worker->n--;
    free(session->ids);
    worker->model->kind->session_free(session);
}

size_t mn_session_length(const mn_session *session)
{
    return session->n;
}

static mn_status extend(mn_session *session, const int32_t *ids, size_t n, bool learn, mn_err *err)
{
    const mn_worker *worker = session->worker;
    if (n > worker->length - session->n)
        return mn_fail(err, MN_ERR_LIMIT, "%zu symbols after %zu: a session of this worker holds %zu", n, session->n,
                       worker->length);
    for (size_t i = 0; i < n; i++)
        if (!known(worker->model, ids[i]))
            return mn_fail(err, MN_ERR_INPUT, "symbol %d: the model has %zu", ids[i], worker->model->A);
    if (worker->model->kind->append) MN_TRY(worker->model->kind->append(session, ids, n, learn, err));
    if (n) memcpy(session->ids + session->n, ids, n * sizeof *ids);
    session->n += n;
    return MN_OK;
}

mn_status mn_session_append(mn_session *session, const int32_t *ids, size_t n, mn_err *err)
{
    return extend(session, ids, n, false, err);
}

mn_status mn_session_learn(mn_session *session, const int32_t *ids, size_t n, mn_err *err)
{
    return extend(session, ids, n, true, err);
}

mn_status mn_session_rewind(mn_session *session, size_t length, mn_err *err)
{
    if (length > session->n)
        return mn_fail(err, MN_ERR_LIMIT, "cannot rewind to %zu symbols: the session has %zu", length, session->n);
    if (session->worker->model->kind->rewound) session->worker->model->kind->rewound(session, length);
    session->n = length;
    return MN_OK;
}

mn_status mn_advance(mn_session *const *sessions, size_t n, mn_err *err)
{
    const mn_kind *kind = n ? sessions[0]->worker->model->kind : NULL;
    return kind && kind->advance ? kind->advance(sessions, n, err) : MN_OK;
}

mn_status mn_session_predict(mn_session *session, double *lp, mn_err *err)
{
    MN_TRY(mn_advance(&session, 1, err));
    return session->worker->model->kind->predict(session, lp, err);
}

mn_status mn_session_features(mn_session *session, float *x, mn_err *err)
{
    if (!session->worker->model->F)
        return mn_fail(err, MN_ERR_INPUT, "a %s has no features", session->worker->model->kind->name);
    MN_TRY(mn_advance(&session, 1, err));
    return session->worker->model->kind->features(session, x, err);
}

mn_status mn_session_floors(mn_session *session, double leaf_alpha, double *lp_weights, double *lp, size_t cap, size_t *n, mn_err *err)
{
    const mn_kind *kind = session->worker->model->kind;
    *n = 0;
    return kind->members ? kind->members(session, leaf_alpha, lp_weights, lp, cap, n, err) : MN_OK;
}

mn_status mn_session_members(mn_session *session, double *lp_weights, double *lp, size_t cap, size_t *n, mn_err *err)
{
    return mn_session_floors(session, 0, lp_weights, lp, cap, n, err);
}

mn_status mn_session_key(mn_session *session, unsigned char *key, size_t cap, size_t *n, mn_err *err)
{
    const mn_kind *kind = session->worker->model->kind;
    unsigned char none;
    if (!cap) key = &none; /* never NULL for a kind, however little it copies */
    if (!kind->key) return mn_fail(err, MN_ERR_INPUT, "the states of a %s cannot be told apart by a key", kind->name);
    return kind->key(session, key, cap, n, err);
}
