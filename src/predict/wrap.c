#include "predict/wrap.h"

#include <assert.h>
#include <string.h>

static mn_model *inner_model(const mn_model *model)
{
    return ((const mn_wrap *)model)->inner;
}

static mn_session *inner_session(mn_session *session)
{
    return ((mn_wrap_session *)session)->inner;
}

mn_model mn_wrap_model(const mn_kind *kind, const mn_model *inner)
{
    return (mn_model){.kind = kind, .A = inner->A, .F = inner->F, .E = inner->E, .longest = inner->longest};
}

const char *mn_wrap_piece(const mn_model *model, int32_t id, size_t *len)
{
    return mn_model_piece(inner_model(model), id, len);
}

bool mn_wrap_ends_generation(const mn_model *model, int32_t id)
{
    return mn_model_ends_generation(inner_model(model), id);
}

mn_status mn_wrap_tokenize(const mn_model *model, int32_t *ids, size_t cap, size_t *n, const char *text, size_t len,
                           bool opening, mn_err *err)
{
    return mn_model_tokenize(inner_model(model), ids, cap, n, text, len, opening, err);
}

mn_status mn_wrap_embeddings(const mn_model *model, float *out, mn_err *err)
{
    return mn_model_embeddings(inner_model(model), out, err);
}

/* ---- workers ------------------------------------------------------------------------------------------------ */

mn_status mn_wrap_worker_open(mn_wrap_worker *worker, mn_model *model, size_t sessions, size_t length, mn_err *err)
{
    MN_TRY(mn_worker_new(&worker->inner, inner_model(model), sessions, length, err));
    MN_ALLOC_OR_FAIL(worker->sessions, sessions, err);
    MN_ALLOC_OR_FAIL(worker->counts, model->A, err);
    return MN_OK;
}

void mn_wrap_worker_close(mn_wrap_worker *worker)
{
    mn_worker_free(worker->inner);
    free(worker->sessions);
    free(worker->counts);
}

mn_status mn_wrap_worker_new(mn_worker **out, mn_model *model, size_t sessions, size_t length, mn_err *err)
{
    mn_wrap_worker *w;
    MN_ALLOC_OR_FAIL(w, 1, err);
    mn_status status = mn_wrap_worker_open(w, model, sessions, length, err);
    if (status != MN_OK) return mn_wrap_worker_free(&w->worker), status;
    *out = &w->worker;
    return MN_OK;
}

void mn_wrap_worker_free(mn_worker *worker)
{
    mn_wrap_worker_close((mn_wrap_worker *)worker);
    free(worker);
}

/* ---- sessions ------------------------------------------------------------------------------------------------- */

mn_status mn_wrap_session_open(mn_wrap_session *session, mn_worker *worker, const mn_session *fork_of, mn_err *err)
{
    if (fork_of) return mn_session_fork(&session->inner, ((const mn_wrap_session *)fork_of)->inner, err);
    return mn_session_begin(&session->inner, ((mn_wrap_worker *)worker)->inner, err);
}

mn_status mn_wrap_session_new(mn_session **out, mn_worker *worker, const mn_session *fork_of, mn_err *err)
{
    mn_wrap_session *s;
    MN_ALLOC_OR_FAIL(s, 1, err);
    mn_status status = mn_wrap_session_open(s, worker, fork_of, err);
    if (status != MN_OK) return free(s), status;
    *out = &s->session;
    return MN_OK;
}

void mn_wrap_session_free(mn_session *session)
{
    mn_session_free(inner_session(session));
    free(session);
}

void mn_wrap_rewound(mn_session *session, size_t length)
{
    mn_status status = mn_session_rewind(inner_session(session), length, NULL);
    assert(status == MN_OK); /* the timelines are equally long */
    (void)status;
}

mn_status mn_wrap_append(mn_session *session, const int32_t *ids, size_t n, bool learn, mn_err *err)
{
    return (learn ? mn_session_learn : mn_session_append)(inner_session(session), ids, n, err);
}

mn_status mn_wrap_advance(mn_session *const *sessions, size_t n, mn_err *err)
{
    mn_session **inner = ((mn_wrap_worker *)sessions[0]->worker)->sessions;
    for (size_t i = 0; i < n; i++) inner[i] = inner_session(sessions[i]);
    return mn_advance(inner, n, err);
}

mn_status mn_wrap_features(mn_session *session, float *x, mn_err *err)
{
    return mn_session_features(inner_session(session), x, err);
}

mn_status mn_wrap_key(mn_session *session, unsigned char *key, size_t cap, size_t *n, mn_err *err)
{
    return mn_session_key(inner_session(session), key, cap, n, err);
}

mn_status mn_wrap_counts(mn_session *session, uint64_t *counts, mn_err *err)
{
    mn_session *inner = inner_session(session);
    return inner->worker->model->kind->counts(inner, counts, err);
}

mn_session *mn_session_inner(mn_session *session)
{
    return session->worker->model->kind->advance == mn_wrap_advance ? inner_session(session) : NULL;
}

/* ---- members and keys ------------------------------------------------------------------------------------------- */

static int compare(const void *first, const void *second)
{
    const mn_rank *a = first, *b = second;
    if (a->lw != b->lw) return a->lw > b->lw ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

void mn_rank_sort(mn_rank *ranks, size_t n)
{
    qsort(ranks, n, sizeof *ranks, compare);
}

void mn_key_add(unsigned char *key, size_t cap, size_t *n, const void *data, size_t size)
{
    if (*n < cap) memcpy(key + *n, data, size < cap - *n ? size : cap - *n);
    *n += size;
}

mn_status mn_key_add_session(unsigned char *key, size_t cap, size_t *n, mn_session *session, mn_err *err)
{
    size_t at = *n + sizeof at, length;
    bool room = at < cap;
    MN_TRY(mn_session_key(session, room ? key + at : NULL, room ? cap - at : 0, &length, err));
    mn_key_add(key, cap, n, &length, sizeof length);
    *n += length;
    return MN_OK;
}
