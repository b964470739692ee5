/* Independent symbols, counted. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "predict/predict.h"

typedef struct kt {
    mn_model model;
    double a0;
    mn_model *names; /* a table of order 0, for the texts of symbols */
} kt;

typedef struct kt_session {
    mn_session session;
    uint64_t *counts; /* [A] */
    bool *learnt;     /* [length] */
} kt_session;

static void free_model(mn_model *model)
{
    mn_model_free(((kt *)model)->names);
    free(model);
}

static const char *piece(const mn_model *model, int32_t id, size_t *len)
{
    return mn_model_piece(((const kt *)model)->names, id, len);
}

static mn_status tokenize(const mn_model *model, int32_t *ids, size_t cap, size_t *n, const char *text, size_t len,
                          bool opening, mn_err *err)
{
    return mn_model_tokenize(((const kt *)model)->names, ids, cap, n, text, len, opening, err);
}

/* ---- sessions ---------------------------------------------------------------------------------------------- */

static mn_status worker_new(mn_worker **out, mn_model *model, size_t sessions, size_t length, mn_err *err)
{
    (void)model, (void)sessions, (void)length;
    MN_ALLOC_OR_FAIL(*out, 1, err);
    return MN_OK;
}

static void worker_free(mn_worker *worker)
{
    free(worker);
}

static void session_free(mn_session *session)
{
    free(((kt_session *)session)->counts);
    free(((kt_session *)session)->learnt);
    free(session);
}

static mn_status session_new(mn_session **out, mn_worker *worker, const mn_session *fork_of, mn_err *err)
{
    size_t A = worker->model->A;
    kt_session *s;
    MN_ALLOC_OR_FAIL(s, 1, err);
    s->counts = mn_alloc(A, sizeof *s->counts);
    s->learnt = mn_alloc(worker->length, sizeof *s->learnt);
    if (!s->counts || !s->learnt) return session_free(&s->session), mn_fail(err, MN_ERR_MEMORY, "out of memory");
    if (fork_of) {
        memcpy(s->counts, ((const kt_session *)fork_of)->counts, A * sizeof *s->counts);
        memcpy(s->learnt, ((const kt_session *)fork_of)->learnt, fork_of->n * sizeof *s->learnt);
    }
    *out = &s->session;
    return MN_OK;
}

static void rewound(mn_session *session, size_t length)
{
    kt_session *s = (kt_session *)session;
    for (size_t t = length; t < session->n; t++) s->counts[session->ids[t]] -= s->learnt[t];
}

static mn_status append(mn_session *session, const int32_t *ids, size_t n, bool learn, mn_err *err)
{
    kt_session *s = (kt_session *)session;
    (void)err;
    for (size_t i = 0; i < n; i++) {
        s->learnt[session->n + i] = learn;
        s->counts[ids[i]] += learn;
    }
    return MN_OK;
}

static mn_status predict(mn_session *session, double *lp, mn_err *err)
{
    const kt *k = (const kt *)session->worker->model;
    const uint64_t *counts = ((kt_session *)session)->counts;
    size_t A = k->model.A;
    double sum = (double)A * k->a0;
    (void)err;
    for (size_t a = 0; a < A; a++) sum += (double)counts[a];
    for (size_t a = 0; a < A; a++) lp[a] = log(((double)counts[a] + k->a0) / sum);
    return MN_OK;
}

static mn_status key(mn_session *session, unsigned char *out, size_t cap, size_t *n, mn_err *err)
{
    const uint64_t *counts = ((kt_session *)session)->counts;
    (void)err;
    *n = session->worker->model->A * sizeof *counts;
    memcpy(out, counts, cap < *n ? cap : *n);
    return MN_OK;
}

static mn_status copy_counts(mn_session *session, uint64_t *counts, mn_err *err)
{
    (void)err;
    memcpy(counts, ((kt_session *)session)->counts, session->worker->model->A * sizeof *counts);
    return MN_OK;
}

static const mn_kind kind = {.name = "kt",
                             .free = free_model,
                             .piece = piece,
                             .tokenize = tokenize,
                             .worker_new = worker_new,
                             .worker_free = worker_free,
                             .session_new = session_new,
                             .session_free = session_free,
                             .rewound = rewound,
                             .predict = predict,
                             .append = append,
                             .key = key,
                             .counts = copy_counts};

/* ---- making one ---------------------------------------------------------------------------------------------- */

/* A table of order 0 with these names; without any they are 0, 1, ... */
static mn_status make_names(mn_model **out, size_t A, const char *const *names, mn_err *err)
{
    char(*numbers)[12] = NULL;
    const char **texts = NULL;
    double *lp = mn_alloc(A, sizeof *lp);
    mn_status status = MN_OK;
    if (!names) {
        texts = mn_alloc(A, sizeof *texts);
        numbers = mn_alloc(A, sizeof *numbers);
    }
    if (!lp || (!names && (!texts || !numbers))) status = mn_fail(err, MN_ERR_MEMORY, "out of memory");
    for (size_t a = 0; status == MN_OK && a < A; a++) {
        lp[a] = -INFINITY;
        if (names) continue;
        snprintf(numbers[a], sizeof numbers[a], "%d", (int)a);
        texts[a] = numbers[a];
    }
    if (status == MN_OK) status = mn_table_new(out, A, 0, lp, names ? names : texts, err);
    free(lp);
    free(texts);
    free(numbers);
    return status;
}

mn_status mn_kt_new(mn_model **out, size_t A, double a0, const char *const *names, mn_err *err)
{
    kt *k;
    if (!A || A > INT32_MAX) return mn_fail(err, MN_ERR_LIMIT, "%zu symbols: expected 1 to %d", A, INT32_MAX);
    if (a0 == 0) a0 = .5;
    if (!(a0 > 0 && a0 < INFINITY)) return mn_fail(err, MN_ERR_NUM, "a0 %g: expected a number above 0", a0);
    MN_ALLOC_OR_FAIL(k, 1, err);
    k->model = (mn_model){.kind = &kind, .A = A, .longest = SIZE_MAX / 64};
    k->a0 = a0;
    mn_status status = make_names(&k->names, A, names, err);
    if (status != MN_OK) return free_model(&k->model), status;
    *out = &k->model;
    return MN_OK;
}
