/* Explicit probabilities: a Markov chain of order D. */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "predict/predict.h"

typedef struct table {
    mn_model model;
    size_t D, S;  /* order, rows: (A + 1)^D */
    double *lp;   /* [S,A] */
    char **texts; /* [A] */
    size_t *lens; /* [A] */
} table;

static void table_free(mn_model *model)
{
    table *t = (table *)model;
    for (size_t a = 0; t->texts && a < t->model.A; a++) free(t->texts[a]);
    free(t->texts);
    free(t->lens);
    free(t->lp);
    free(t->model.weights);
    free(t);
}

static const char *piece(const mn_model *model, int32_t id, size_t *len)
{
    const table *t = (const table *)model;
    *len = t->lens[id];
    return t->texts[id];
}

/* The longest text that begins here; A: none. */
static size_t longest_match(const table *t, const char *text, size_t len)
{
    size_t best = t->model.A, most = 0;
    for (size_t a = 0; a < t->model.A; a++)
        if (t->lens[a] > most && t->lens[a] <= len && memcmp(text, t->texts[a], t->lens[a]) == 0) {
            best = a;
            most = t->lens[a];
        }
    return best;
}

static mn_status tokenize(const mn_model *model, int32_t *ids, size_t cap, size_t *n, const char *text, size_t len,
                          bool opening, mn_err *err)
{
    const table *t = (const table *)model;
    (void)opening;
    *n = 0;
    for (size_t at = 0; at < len;) {
        size_t a = longest_match(t, text + at, len - at);
        if (a == t->model.A)
            return mn_fail(err, MN_ERR_INPUT, "no symbol of the table begins the text \"%.*s\"",
                           (int)(len - at < 40 ? len - at : 40), text + at);
        if (*n < cap) ids[*n] = (int32_t)a;
        ++*n;
        at += t->lens[a];
    }
    return MN_OK;
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

static mn_status session_new(mn_session **out, mn_worker *worker, const mn_session *fork_of, mn_err *err)
{
    (void)worker, (void)fork_of;
    MN_ALLOC_OR_FAIL(*out, 1, err);
    return MN_OK;
}

static void session_free(mn_session *session)
{
    free(session);
}

static size_t row_of(const mn_session *session)
{
    const table *t = (const table *)session->worker->model;
    size_t row = 0, place = 1;
    for (size_t k = 0; k < t->D; k++, place *= t->model.A + 1)
        if (k < session->n) row += place * ((size_t)session->ids[session->n - 1 - k] + 1);
    return row;
}

static mn_status predict(mn_session *session, double *lp, mn_err *err)
{
    const table *t = (const table *)session->worker->model;
    (void)err;
    memcpy(lp, t->lp + row_of(session) * t->model.A, t->model.A * sizeof *lp);
    return MN_OK;
}

static mn_status features(mn_session *session, float *x, mn_err *err)
{
    const table *t = (const table *)session->worker->model;
    (void)err;
    memset(x, 0, t->S * sizeof *x);
    x[row_of(session)] = 1;
    return MN_OK;
}

static mn_status key(mn_session *session, unsigned char *out, size_t cap, size_t *n, mn_err *err)
{
    size_t row = row_of(session);
    (void)err;
    *n = sizeof row;
    memcpy(out, &row, cap < *n ? cap : *n);
    return MN_OK;
}

static const mn_kind kind = {.name = "table",
                             .free = table_free,
                             .piece = piece,
                             .tokenize = tokenize,
                             .worker_new = worker_new,
                             .worker_free = worker_free,
                             .session_new = session_new,
                             .session_free = session_free,
                             .predict = predict,
                             .features = features,
                             .key = key};

/* ---- making one ---------------------------------------------------------------------------------------------- */

static mn_status count_rows(size_t *S, size_t A, size_t D, mn_err *err)
{
    size_t entries;
    bool fits = A > 0 && A < INT32_MAX;
    *S = 1;
    for (size_t k = 0; fits && k < D; k++) fits = mn_mul_size(S, *S, A + 1) && *S < SIZE_MAX / 64;
    if (!fits || !mn_mul_size(&entries, *S, A))
        return mn_fail(err, MN_ERR_LIMIT, "a table of %zu symbols and order %zu is too large", A, D);
    return MN_OK;
}

static mn_status check_row(const double *lp, size_t A, size_t row, mn_err *err)
{
    double sum = 0;
    for (size_t a = 0; a < A; a++) {
        if (isnan(lp[a]) || lp[a] > 1e-9) return mn_fail(err, MN_ERR_NUM, "row %zu: entry %zu is not a probability", row, a);
        sum += exp(lp[a]);
    }
    if (sum > 1 + 1e-9) return mn_fail(err, MN_ERR_NUM, "row %zu sums to %.12g: expected at most 1", row, sum);
    return MN_OK;
}

static mn_status copy_texts(table *t, const char *const *texts, mn_err *err)
{
    MN_ALLOC_OR_FAIL(t->texts, t->model.A, err);
    MN_ALLOC_OR_FAIL(t->lens, t->model.A, err);
    for (size_t a = 0; a < t->model.A; a++) {
        t->lens[a] = strlen(texts[a]);
        if (!(t->texts[a] = strdup(texts[a]))) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    }
    return MN_OK;
}

static mn_status fill(table *t, const double *lp, const char *const *texts, mn_err *err)
{
    MN_TRY(copy_texts(t, texts, err));
    MN_ALLOC_OR_FAIL(t->lp, t->S * t->model.A, err);
    for (size_t s = 0; s < t->S; s++) MN_TRY(check_row(lp + s * t->model.A, t->model.A, s, err));
    memcpy(t->lp, lp, t->S * t->model.A * sizeof *lp);
    return MN_OK;
}

mn_status mn_table_new(mn_model **out, size_t A, size_t D, const double *lp, const char *const *texts, mn_err *err)
{
    table *t;
    size_t S;
    MN_TRY(count_rows(&S, A, D, err));
    MN_ALLOC_OR_FAIL(t, 1, err);
    t->model = (mn_model){.kind = &kind, .A = A, .F = S, .longest = SIZE_MAX / 64};
    t->D = D;
    t->S = S;
    mn_status status = fill(t, lp, texts, err);
    if (status != MN_OK) return table_free(&t->model), status;
    *out = &t->model;
    return MN_OK;
}

/* ---- from a file ------------------------------------------------------------------------------------------------ */

static mn_status bad(mn_err *err, const char *path, const char *what)
{
    return mn_fail_at(err, MN_ERR_INPUT, path, 0, 0, "expected %s", what);
}

static mn_status read_row(double *lp, const json_t *row, size_t A, size_t s, const char *path, mn_err *err)
{
    if (json_array_size(row) != A)
        return mn_fail_at(err, MN_ERR_INPUT, path, 0, 0, "row %zu: expected %zu probabilities", s, A);
    for (size_t a = 0; a < A; a++) {
        double p;
        if (mn_json_number(&p, json_array_get(row, a)) != MN_OK || !(p >= 0 && p <= 1))
            return mn_fail_at(err, MN_ERR_INPUT, path, 0, 0, "row %zu, entry %zu: expected a probability", s, a);
        lp[a] = log(p);
    }
    return MN_OK;
}

static mn_status read_arrays(mn_model **out, const json_t *symbols, const json_t *rows, size_t D, const char *path, mn_err *err)
{
    size_t A = json_array_size(symbols), S;
    const char **texts;
    double *lp;
    MN_TRY(count_rows(&S, A, D, err));
    if (json_array_size(rows) != S)
        return mn_fail_at(err, MN_ERR_INPUT, path, 0, 0, "expected %zu rows, (symbols + 1)^depth, got %zu", S,
                          json_array_size(rows));
    MN_ALLOC_OR_FAIL(texts, A, err);
    lp = mn_alloc(S * A, sizeof *lp);
    mn_status status = lp ? MN_OK : mn_fail(err, MN_ERR_MEMORY, "out of memory");
    for (size_t a = 0; status == MN_OK && a < A; a++)
        if (!(texts[a] = json_string_value(json_array_get(symbols, a)))) status = bad(err, path, "\"symbols\" to be texts");
    for (size_t s = 0; status == MN_OK && s < S; s++) status = read_row(lp + s * A, json_array_get(rows, s), A, s, path, err);
    if (status == MN_OK) status = mn_table_new(out, A, D, lp, texts, err);
    if (status == MN_ERR_NUM && err) snprintf(err->file, sizeof err->file, "%s", path);
    free(texts);
    free(lp);
    return status;
}

static mn_status read_table(mn_model **out, const json_t *root, const char *path, mn_err *err)
{
    const json_t *symbols = json_object_get(root, "symbols"), *depth = json_object_get(root, "depth"),
                 *rows = json_object_get(root, "rows");
    if (!json_is_array(symbols) || !json_array_size(symbols)) return bad(err, path, "\"symbols\": a list of texts");
    if (!json_is_integer(depth) || json_integer_value(depth) < 0 || json_integer_value(depth) > 64)
        return bad(err, path, "\"depth\": an integer from 0 to 64");
    if (!json_is_array(rows)) return bad(err, path, "\"rows\": a list of rows of probabilities");
    return read_arrays(out, symbols, rows, (size_t)json_integer_value(depth), path, err);
}

mn_status mn_table_open(mn_model **out, const char *path, mn_err *err)
{
    mn_buf buf = {0};
    json_t *root = NULL;
    mn_status status = mn_file_read(&buf, path, err);
    if (status == MN_OK) status = mn_json_parse(&root, buf.data, buf.len, path, 0, err);
    if (status == MN_OK) status = read_table(out, root, path, err);
    if (status == MN_OK) {
        mn_model *model = *out;
        model->weights = strdup(path);
        status = model->weights ? mn_file_sha256(model->sha256, path, err) : mn_fail(err, MN_ERR_MEMORY, "out of memory");
        memcpy(model->weights_sha256, model->sha256, sizeof model->sha256);
        if (status != MN_OK) mn_model_free(model);
    }
    json_decref(root);
    mn_buf_free(&buf);
    return status;
}
