/* The byte model behind the predictor interface. */
#include "predict/bytes.h"

#include <math.h>
#include <string.h>

/* State before a symbol of the timeline. */
typedef struct mark {
    size_t changes, learnt;
    uint32_t n;
} mark;

typedef struct bytes_session {
    mn_session session;
    mn_bytes_store store;
    mn_bytes_cursor cursor;
    mark *marks;           /* [length] */
    size_t learnt;
} bytes_session;

typedef struct bytes_worker {
    mn_worker worker;
    mn_bytes_paths paths;
} bytes_worker;

static mn_bytes *bytes_of(const mn_session *session)
{
    return (mn_bytes *)session->worker->model;
}

static mn_bytes_paths *paths_of(const mn_session *session)
{
    return &((bytes_worker *)session->worker)->paths;
}

static void bytes_free(mn_model *model)
{
    mn_bytes *b = (mn_bytes *)model;
    mn_bytes_store_free(&b->store);
    mn_bytes_paths_free(&b->paths);
    free(b->cursor.place);
    free(b->odds);
    free(b);
}

/* ---- texts ------------------------------------------------------------------------------------------------------ */

static const char *piece(const mn_model *model, int32_t id, size_t *len)
{
    *len = 1;
    return ((const mn_bytes *)model)->pieces[id];
}

static mn_status tokenize(const mn_model *model, int32_t *ids, size_t cap, size_t *n, const char *text, size_t len,
                          bool opening, mn_err *err)
{
    (void)model, (void)opening, (void)err;
    for (size_t i = 0; i < len && i < cap; i++) ids[i] = (unsigned char)text[i];
    *n = len;
    return MN_OK;
}

/* ---- sessions ---------------------------------------------------------------------------------------------------- */

static void worker_free(mn_worker *worker)
{
    mn_bytes_paths_free(&((bytes_worker *)worker)->paths);
    free(worker);
}

static mn_status worker_new(mn_worker **out, mn_model *model, size_t sessions, size_t length, mn_err *err)
{
    bytes_worker *w;
    (void)sessions, (void)length;
    MN_ALLOC_OR_FAIL(w, 1, err);
    mn_status status = mn_bytes_paths_new(&w->paths, (mn_bytes *)model, err);
    if (status != MN_OK) return worker_free(&w->worker), status;
    *out = &w->worker;
    return MN_OK;
}

static void session_free(mn_session *session)
{
    bytes_session *s = (bytes_session *)session;
    mn_bytes_store_free(&s->store);
    free(s->cursor.place);
    free(s->marks);
    free(s);
}

static mn_status fill_session(bytes_session *s, const mn_bytes *b, const bytes_session *from, size_t length, mn_err *err)
{
    MN_TRY(mn_bytes_cursor_new(&s->cursor, b, err));
    MN_ALLOC_OR_FAIL(s->marks, length, err);
    if (!from) {
        s->store = (mn_bytes_store){.below = &b->store, .base = b->store.n, .n = b->store.n, .kept = b->store.n};
        mn_bytes_start(&s->cursor, b);
        return MN_OK;
    }
    memcpy(s->cursor.place, from->cursor.place, (b->opts.depth + 1) * sizeof *s->cursor.place);
    memcpy(s->cursor.last, from->cursor.last, sizeof s->cursor.last);
    memcpy(s->marks, from->marks, from->session.n * sizeof *s->marks);
    s->learnt = from->learnt;
    return mn_bytes_store_copy(&s->store, &from->store, err);
}

static mn_status session_new(mn_session **out, mn_worker *worker, const mn_session *fork_of, mn_err *err)
{
    bytes_session *s;
    MN_ALLOC_OR_FAIL(s, 1, err);
    mn_status status = fill_session(s, (mn_bytes *)worker->model, (const bytes_session *)fork_of, worker->length, err);
    if (status != MN_OK) return session_free(&s->session), status;
    *out = &s->session;
    return MN_OK;
}

static void go_back(bytes_session *s, size_t length)
{
    const mark *m = &s->marks[length];
    mn_bytes_undo(&s->store, m->changes, m->n);
    s->learnt = m->learnt;
    mn_bytes_locate(&s->cursor, bytes_of(&s->session), &s->store, s->session.ids, length);
}

static void rewound(mn_session *session, size_t length)
{
    if (length < session->n) go_back((bytes_session *)session, length);
}

/* A symbol that only conditions leaves its path too, without counts: a longer context may come to be learnt there. */
static mn_status append(mn_session *session, const int32_t *ids, size_t n, bool learn, mn_err *err)
{
    bytes_session *s = (bytes_session *)session;
    const mn_bytes *b = bytes_of(session);
    for (size_t i = 0; i < n; i++) {
        mn_status status = mn_bytes_make_room(b, &s->store, err);
        if (status != MN_OK && i) go_back(s, session->n);
        MN_TRY(status);
        s->marks[session->n + i] = (mark){s->store.changes, s->learnt, s->store.n};
        s->store.kept = s->store.n;
        mn_bytes_visit(b, &s->store, &s->cursor, paths_of(session), (unsigned)ids[i], learn);
        s->learnt += learn;
    }
    return MN_OK;
}

static mn_status predict(mn_session *session, double *lp, mn_err *err)
{
    bytes_session *s = (bytes_session *)session;
    (void)err;
    mn_bytes_predict(lp, bytes_of(session), &s->store, &s->cursor, paths_of(session));
    for (size_t a = 0; a < 256; a++) lp[a] = log(lp[a]);
    return MN_OK;
}

/* The last bytes; fewer than the depth are those since the start. */
static mn_status key(mn_session *session, unsigned char *out, size_t cap, size_t *n, mn_err *err)
{
    size_t depth = bytes_of(session)->opts.depth;
    if (((bytes_session *)session)->learnt)
        return mn_fail(err, MN_ERR_INPUT, "a byte model that has learnt in its session has no key");
    *n = session->n < depth ? session->n : depth;
    for (size_t i = 0; i < *n && i < cap; i++) out[i] = (unsigned char)session->ids[session->n - *n + i];
    return MN_OK;
}

static const mn_kind kind = {.name = "bytes",
                             .free = bytes_free,
                             .piece = piece,
                             .tokenize = tokenize,
                             .worker_new = worker_new,
                             .worker_free = worker_free,
                             .session_new = session_new,
                             .session_free = session_free,
                             .rewound = rewound,
                             .predict = predict,
                             .append = append,
                             .key = key};

/* ---- making one ------------------------------------------------------------------------------------------------------ */

static mn_status fill(mn_bytes *b, mn_err *err)
{
    for (size_t a = 0; a < 256; a++) b->pieces[a][0] = (char)a;
    MN_TRY(mn_bytes_plant(b, err));
    MN_TRY(mn_bytes_paths_new(&b->paths, b, err));
    MN_TRY(mn_bytes_cursor_new(&b->cursor, b, err));
    mn_bytes_start(&b->cursor, b);
    return MN_OK;
}

mn_status mn_bytes_new(mn_model **out, const mn_bytes_opts *opts, mn_err *err)
{
    mn_bytes *b;
    double discount = opts->discount == 0 ? .98 : opts->discount;
    if (opts->depth > MN_BYTES_DEEPEST)
        return mn_fail(err, MN_ERR_LIMIT, "depth %zu: expected 0 to %d bytes", opts->depth, MN_BYTES_DEEPEST);
    if (!(discount > 0 && discount <= 1)) return mn_fail(err, MN_ERR_NUM, "discount %g: expected one in (0,1]", opts->discount);
    MN_ALLOC_OR_FAIL(b, 1, err);
    b->model = (mn_model){.kind = &kind, .A = 256, .longest = SIZE_MAX / 64};
    b->opts = *opts;
    b->opts.discount = discount;
    mn_status status = fill(b, err);
    if (status != MN_OK) return bytes_free(&b->model), status;
    *out = &b->model;
    return MN_OK;
}

mn_status mn_bytes_learn(mn_model *model, double *lp, const unsigned char *data, size_t n, bool begins, mn_err *err)
{
    mn_bytes *b = (mn_bytes *)model;
    if (begins) mn_bytes_start(&b->cursor, b);
    for (size_t i = 0; i < n; i++) {
        MN_TRY(mn_bytes_make_room(b, &b->store, err));
        double p = mn_bytes_visit(b, &b->store, &b->cursor, &b->paths, data[i], true);
        if (lp) lp[i] = log(p);
    }
    return MN_OK;
}
