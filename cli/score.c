#include "score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fit.h"

static mn_status no_memory(mn_err *err)
{
    return mn_fail(err, MN_ERR_MEMORY, "out of memory");
}

mn_status predictor_prepare(predictor *p, mn_err *err)
{
    if (!p->bytes) p->depth = mn_bct_depth(p->model);
    p->skip = p->bytes || mn_bct_start(p->model) >= 0 ? 0 : p->depth;
    p->p = malloc(mn_model_alphabet(p->model) * sizeof *p->p);
    p->recent = malloc((p->depth + 1) * sizeof *p->recent);
    if (!p->p || !p->recent) return no_memory(err);
    if (p->learns) return MN_OK;
    mn_status status = mn_worker_new(&p->worker, p->model, 1, p->depth + CLI_CHUNK, err);
    return status == MN_OK ? mn_session_begin(&p->session, p->worker, err) : status;
}

void predictor_free(predictor *p)
{
    mn_worker_free(p->worker);
    mn_model_free(p->model);
    free(p->p);
    free(p->recent);
}

/* ---- running -------------------------------------------------------------------------------------------------------- */

static bool beaten(const double *lp, size_t A, int32_t x)
{
    for (size_t a = 0; a < A; a++)
        if (lp[a] > lp[x] || (lp[a] == lp[x] && a < (size_t)x)) return true;
    return false;
}

/* Keeps the last symbols, in their order. */
static void remember(predictor *p, const int32_t *ids, size_t n, bool begins)
{
    if (begins) p->n_recent = 0;
    size_t fresh = n < p->depth ? n : p->depth, old = p->n_recent < p->depth - fresh ? p->n_recent : p->depth - fresh;
    memmove(p->recent, p->recent + (p->n_recent - old), old * sizeof *ids);
    memcpy(p->recent + old, ids + (n - fresh), fresh * sizeof *ids);
    p->n_recent = old + fresh;
}

/* A tree that does not learn looks no further back than its depth: the session is begun anew with so much of the sequence. */
static mn_status go_on(predictor *p, bool begins, mn_err *err)
{
    mn_status status = mn_session_rewind(p->session, 0, err);
    return begins || status != MN_OK ? status : mn_session_append(p->session, p->recent, p->n_recent, err);
}

static mn_status run_session(predictor *p, double *lp, bool *lost, const int32_t *ids, size_t n, bool begins, mn_err *err)
{
    mn_status status = go_on(p, begins, err);
    for (size_t i = 0; status == MN_OK && i < n; i++) {
        status = mn_session_predict(p->session, p->p, err);
        if (status != MN_OK) break;
        lp[i] = p->p[ids[i]];
        lost[i] = beaten(p->p, mn_model_alphabet(p->model), ids[i]);
        status = mn_session_append(p->session, ids + i, 1, err);
    }
    if (status == MN_OK) remember(p, ids, n, begins);
    return status;
}

static mn_status run_bytes(predictor *p, double *lp, const int32_t *ids, size_t n, bool begins, mn_err *err)
{
    unsigned char data[CLI_CHUNK];
    for (size_t i = 0; i < n; i++) data[i] = (unsigned char)ids[i];
    remember(p, ids, n, begins);
    return mn_bytes_learn(p->model, lp, data, n, begins, err);
}

mn_status predictor_run(predictor *p, double *lp, bool *lost, const int32_t *ids, size_t n, bool begins, mn_err *err)
{
    if (p->bytes) return run_bytes(p, lp, ids, n, begins, err);
    if (p->learns) return mn_bct_predict_all(p->model, lp, lost, NULL, ids, n, begins, err);
    return run_session(p, lp, lost, ids, n, begins, err);
}

/* Where a session comes to by the sequence's last bytes the model stands too. */
static mn_status next_byte(predictor *p, double *lp, mn_err *err)
{
    mn_status status = mn_worker_new(&p->worker, p->model, 1, p->depth + 1, err);
    if (status == MN_OK) status = mn_session_begin(&p->session, p->worker, err);
    if (status == MN_OK) status = go_on(p, false, err);
    return status == MN_OK ? mn_session_predict(p->session, lp, err) : status;
}

mn_status predictor_next(predictor *p, double *lp, mn_err *err)
{
    if (p->bytes) return next_byte(p, lp, err);
    if (p->learns) return mn_bct_predict_all(p->model, NULL, NULL, lp, NULL, 0, false, err);
    return mn_session_predict(p->session, lp, err);
}

/* ---- sums ------------------------------------------------------------------------------------------------------------ */

void total_add(total *t, double x)
{
    double sum = t->sum + x;
    t->lost += fabs(t->sum) >= fabs(x) ? (t->sum - sum) + x : (x - sum) + t->sum;
    t->sum = sum;
}

double total_of(const total *t)
{
    return isinf(t->sum) ? t->sum : t->sum + t->lost;
}

void ratio_add(ratio *r, double x, double n)
{
    total_add(&r->x, x);
    r->n += n;
    r->units++;
    r->xx += x * x;
    r->xn += x * n;
    r->nn += n * n;
}

double ratio_mean(const ratio *r)
{
    return total_of(&r->x) / r->n;
}

double ratio_error(const ratio *r)
{
    double mean = ratio_mean(r), squares = r->xx - 2 * mean * r->xn + mean * mean * r->nn;
    if (r->units < 2 || !(squares > 0)) return 0;
    return sqrt(r->units / (r->units - 1) * squares) / r->n;
}
