/* All programs, or one: their mixture as a predictor. */
#include <math.h>
#include <string.h>

#include "base/logspace.h"
#include "predict/predict.h"
#include "predict/universe.h"
#include "predict/wrap.h"

typedef struct program {
    mn_model model;
    mn_universe universe;
    double *lw;     /* [n] ln of prior times evidence */
    mn_terms terms; /* of one program; none for a class */
} program;

typedef struct program_worker {
    mn_worker worker;
    double *leaf; /* [leaves] scratch */
} program_worker;

typedef struct program_session {
    mn_session session;
    mn_past past;
    uint8_t *answers; /* [atoms] */
    double *lw;       /* [n] relative to one of them */
    bool *learnt;     /* [length] */
} program_session;

static const program *program_of(const mn_session *session)
{
    return (const program *)session->worker->model;
}

static void free_model(mn_model *model)
{
    program *p = (program *)model;
    mn_universe_close(&p->universe);
    free(p->lw);
    free(p->terms.at);
    free(p);
}

static const char *piece(const mn_model *model, int32_t id, size_t *len)
{
    static const char *const digits[MN_PROGRAM_SYMBOLS] = {"0", "1", "2", "3"};
    (void)model;
    *len = 1;
    return digits[id];
}

static mn_status tokenize(const mn_model *model, int32_t *ids, size_t cap, size_t *n, const char *text, size_t len,
                          bool opening, mn_err *err)
{
    (void)opening;
    *n = len;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] >= '0' + (char)model->A)
            return mn_fail(err, MN_ERR_INPUT, "character %zu: expected a symbol, a digit below %zu", i + 1, model->A);
        if (i < cap) ids[i] = text[i] - '0';
    }
    return MN_OK;
}

/* ---- workers and sessions -------------------------------------------------------------------------------------- */

static void worker_free(mn_worker *worker)
{
    free(((program_worker *)worker)->leaf);
    free(worker);
}

static mn_status worker_new(mn_worker **out, mn_model *model, size_t sessions, size_t length, mn_err *err)
{
    program_worker *w;
    (void)sessions, (void)length;
    MN_ALLOC_OR_FAIL(w, 1, err);
    w->leaf = mn_alloc(((const program *)model)->universe.d.n_leaves, sizeof *w->leaf);
    if (!w->leaf) return free(w), mn_fail(err, MN_ERR_MEMORY, "out of memory");
    *out = &w->worker;
    return MN_OK;
}

static void session_free(mn_session *session)
{
    program_session *s = (program_session *)session;
    free(s->answers);
    free(s->lw);
    free(s->learnt);
    free(s);
}

static void start(program_session *s)
{
    const program *p = program_of(&s->session);
    s->past = (mn_past){0};
    memset(s->answers, 0, p->universe.d.n_atoms);
    mn_diagram_answer(s->answers, &p->universe.d, &s->past);
    memcpy(s->lw, p->lw, p->universe.n * sizeof *s->lw);
}

static mn_status open_session(program_session *s, const program_session *fork_of, mn_err *err)
{
    const program *p = program_of(&s->session);
    MN_ALLOC_OR_FAIL(s->answers, p->universe.d.n_atoms, err);
    MN_ALLOC_OR_FAIL(s->lw, p->universe.n, err);
    MN_ALLOC_OR_FAIL(s->learnt, s->session.worker->length, err);
    if (!fork_of) return start(s), MN_OK;
    s->past = fork_of->past;
    memcpy(s->answers, fork_of->answers, p->universe.d.n_atoms);
    memcpy(s->lw, fork_of->lw, p->universe.n * sizeof *s->lw);
    memcpy(s->learnt, fork_of->learnt, fork_of->session.n * sizeof *s->learnt);
    return MN_OK;
}

static mn_status session_new(mn_session **out, mn_worker *worker, const mn_session *fork_of, mn_err *err)
{
    program_session *s;
    MN_ALLOC_OR_FAIL(s, 1, err);
    s->session.worker = worker;
    mn_status status = open_session(s, (const program_session *)fork_of, err);
    if (status != MN_OK) return session_free(&s->session), status;
    *out = &s->session;
    return MN_OK;
}

/* ---- learning -------------------------------------------------------------------------------------------------- */

/* lw of every member plus times the ln of what it gives to the symbol; refuted ones are passed over. leaf: [leaves] scratch. */
static void weigh(double *lw, double *leaf, const mn_universe *u, const uint8_t *answers, const mn_past *past, int32_t symbol,
                  double times)
{
    for (size_t l = 0; l < u->d.n_leaves; l++) {
        double p[MN_PROGRAM_SYMBOLS];
        mn_leaf_say(p, &u->d, l, past);
        leaf[l] = times * log(p[symbol]);
    }
    for (size_t i = 0; i < u->n; i++)
        if (lw[i] > -INFINITY) lw[i] += leaf[mn_diagram_leaf(&u->d, answers, u->root[i])];
}

static void say_one(program_session *s, int32_t symbol, bool learn)
{
    const mn_universe *u = &program_of(&s->session)->universe;
    double *leaf = ((program_worker *)s->session.worker)->leaf;
    if (learn && mn_past_is_turn(&s->past)) weigh(s->lw, leaf, u, s->answers, &s->past, symbol, 1);
    mn_past_add(&s->past, symbol);
    if (mn_past_is_turn(&s->past)) mn_diagram_answer(s->answers, &u->d, &s->past);
}

static mn_status append(mn_session *session, const int32_t *ids, size_t n, bool learn, mn_err *err)
{
    program_session *s = (program_session *)session;
    (void)err;
    for (size_t i = 0; i < n; i++) {
        s->learnt[session->n + i] = learn;
        say_one(s, ids[i], learn);
    }
    return MN_OK;
}

/* What was answered once cannot be taken back, so all is said again. */
static void rewound(mn_session *session, size_t length)
{
    program_session *s = (program_session *)session;
    start(s);
    for (size_t i = 0; i < length; i++) say_one(s, session->ids[i], s->learnt[i]);
}

/* ---- predictions ----------------------------------------------------------------------------------------------- */

static mn_status check_turn(const program_session *s, mn_err *err)
{
    if (mn_past_is_turn(&s->past)) return MN_OK;
    return mn_fail(err, MN_ERR_INPUT, "after %u symbols it is the world's turn: programs say what the actor does", s->past.n);
}

static mn_status predict(mn_session *session, double *lp, mn_err *err)
{
    const program_session *s = (const program_session *)session;
    const mn_universe *u = &program_of(session)->universe;
    double *mass = ((program_worker *)session->worker)->leaf, sum[MN_PROGRAM_SYMBOLS] = {0}, p[MN_PROGRAM_SYMBOLS], all = 0,
           top = -INFINITY;
    MN_TRY(check_turn(s, err));
    memset(mass, 0, u->d.n_leaves * sizeof *mass);
    for (size_t i = 0; i < u->n; i++) top = fmax(top, s->lw[i]);
    for (size_t i = 0; i < u->n; i++)
        if (s->lw[i] > -INFINITY) mass[mn_diagram_leaf(&u->d, s->answers, u->root[i])] += exp(s->lw[i] - top);
    for (size_t l = 0; l < u->d.n_leaves; l++) {
        if (!(mass[l] > 0)) continue;
        mn_leaf_say(p, &u->d, l, &s->past);
        for (size_t a = 0; a < u->d.A; a++) sum[a] += mass[l] * p[a];
        all += mass[l];
    }
    for (size_t a = 0; a < u->d.A; a++) lp[a] = all > 0 ? log(sum[a] / all) : -INFINITY; /* all refuted: all is help */
    return MN_OK;
}

/* The cap heaviest of those not refuted, by falling weight and then index; *n: how many there are. */
static void heaviest(mn_rank *ranks, size_t *n, size_t cap, const double *lw, size_t members)
{
    size_t held = 0;
    *n = 0;
    for (size_t i = 0; i < members; i++) {
        if (lw[i] == -INFINITY) continue;
        ++*n;
        size_t at = held < cap ? held++ : cap;
        if (at == cap && (!cap || lw[i] <= ranks[cap - 1].lw)) continue;
        if (at == cap) at--;
        for (; at && ranks[at - 1].lw < lw[i]; at--) ranks[at] = ranks[at - 1];
        ranks[at] = (mn_rank){lw[i], i};
    }
}

/* Ordered for a few that are asked for by insertion, for many by sorting all. */
static void rank(mn_rank *ranks, size_t *n, size_t cap, const double *lw, size_t members)
{
    if (cap <= 256) {
        heaviest(ranks, n, cap, lw, members);
        return;
    }
    *n = 0;
    for (size_t i = 0; i < members; i++)
        if (lw[i] > -INFINITY) ranks[(*n)++] = (mn_rank){lw[i], i};
    mn_rank_sort(ranks, *n);
}

static mn_status members(mn_session *session, double leaf_alpha, double *lp_weights, double *lp, size_t cap, size_t *n,
                         mn_err *err)
{
    const program_session *s = (const program_session *)session;
    const mn_universe *u = &program_of(session)->universe;
    mn_rank *ranks;
    (void)leaf_alpha; /* programs have no parameters that were estimated */
    MN_TRY(check_turn(s, err));
    MN_ALLOC_OR_FAIL(ranks, cap <= 256 ? cap : u->n, err);
    rank(ranks, n, cap, s->lw, u->n);
    double sum = mn_log_sum_exp(s->lw, u->n);
    for (size_t k = 0; k < *n && k < cap; k++) {
        double *own = lp + k * u->d.A;
        lp_weights[k] = ranks[k].lw - sum;
        mn_leaf_say(own, &u->d, mn_diagram_leaf(&u->d, s->answers, u->root[ranks[k].index]), &s->past);
        for (size_t a = 0; a < u->d.A; a++) own[a] = log(own[a]);
    }
    free(ranks);
    return MN_OK;
}

/* What programs can see, and the exact posterior. */
static mn_status key(mn_session *session, unsigned char *out, size_t cap, size_t *n, mn_err *err)
{
    const program_session *s = (const program_session *)session;
    const mn_universe *u = &program_of(session)->universe;
    (void)err;
    *n = 0;
    mn_key_add(out, cap, n, &s->past, sizeof s->past);
    mn_key_add(out, cap, n, s->answers, u->d.n_atoms);
    mn_key_add(out, cap, n, s->lw, u->n * sizeof *s->lw);
    return MN_OK;
}

static const mn_kind kind = {.name = "program",
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
                             .members = members};

/* ---- making one ------------------------------------------------------------------------------------------------ */

static mn_status begin(program **out, size_t A, mn_err *err)
{
    if (A < 2 || A > MN_PROGRAM_SYMBOLS)
        return mn_fail(err, MN_ERR_LIMIT, "%zu symbols: programs have 2 to %d", A, MN_PROGRAM_SYMBOLS);
    MN_ALLOC_OR_FAIL(*out, 1, err);
    (*out)->model = (mn_model){.kind = &kind, .A = A, .longest = INT32_MAX};
    (*out)->terms.A = A;
    return MN_OK;
}

static mn_status take_weights(program *p, mn_err *err)
{
    MN_ALLOC_OR_FAIL(p->lw, p->universe.n, err);
    for (size_t i = 0; i < p->universe.n; i++) p->lw[i] = log(p->universe.weight[i]);
    if (p->terms.n) p->lw[0] = -(double)p->universe.bits * log(2); /* its weight may be below the least double */
    return MN_OK;
}

static mn_status finish(mn_model **out, program *p, mn_status status)
{
    if (status != MN_OK) return free_model(&p->model), status;
    *out = &p->model;
    return MN_OK;
}

mn_status mn_program_new(mn_model **out, size_t A, size_t bits, mn_err *err)
{
    program *p;
    MN_TRY(begin(&p, A, err));
    mn_status status = mn_universe_open(&p->universe, A, bits, err);
    if (status == MN_OK) status = take_weights(p, err);
    return finish(out, p, status);
}

mn_status mn_program_read(mn_model **out, const char *text, size_t A, mn_err *err)
{
    program *p;
    MN_TRY(begin(&p, A, err));
    mn_status status = mn_terms_parse(&p->terms, text, true, err);
    if (status == MN_OK) status = mn_universe_of(&p->universe, &p->terms, err);
    if (status == MN_OK) status = take_weights(p, err);
    return finish(out, p, status);
}

mn_status mn_program_decode(mn_model **out, const char *code, size_t A, mn_err *err)
{
    program *p;
    size_t used = 0;
    MN_TRY(begin(&p, A, err));
    mn_status status = mn_terms_decode(&p->terms, &used, code, err);
    if (status == MN_OK && code[used]) status = mn_fail(err, MN_ERR_INPUT, "bit %zu: expected the end of the program", used);
    if (status == MN_OK) status = mn_universe_of(&p->universe, &p->terms, err);
    if (status == MN_OK) status = take_weights(p, err);
    return finish(out, p, status);
}

mn_status mn_program_text(char **text, char **code, const mn_model *model, mn_err *err)
{
    const program *p = (const program *)model;
    mn_buf words = {0}, bits = {0};
    if (!p->terms.n) return mn_fail(err, MN_ERR_INPUT, "a class of programs has no text");
    mn_status status = mn_terms_print(&words, &p->terms);
    if (status == MN_OK) status = mn_terms_encode(&bits, &p->terms);
    if (status != MN_OK) {
        mn_buf_free(&words);
        mn_buf_free(&bits);
        return mn_fail(err, status, "out of memory");
    }
    *text = words.data;
    *code = bits.data;
    return MN_OK;
}

/* ---- evidence -------------------------------------------------------------------------------------------------- */

mn_status mn_program_learn(mn_model *model, const int32_t *ids, size_t n, double times, mn_err *err)
{
    program *p = (program *)model;
    const mn_diagrams *d = &p->universe.d;
    mn_past past = {0};
    uint8_t *answers;
    double *leaf;
    if (!(times >= 0 && times < INFINITY)) return mn_fail(err, MN_ERR_NUM, "times %g: expected a number from 0", times);
    if (n > p->model.longest) return mn_fail(err, MN_ERR_LIMIT, "transcripts of more than %zu symbols", p->model.longest);
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || (size_t)ids[i] >= model->A)
            return mn_fail(err, MN_ERR_INPUT, "symbol %d: programs here have %zu", ids[i], model->A);
    MN_ALLOC_OR_FAIL(leaf, d->n_leaves, err);
    answers = mn_alloc(d->n_atoms, 1);
    if (!answers) return free(leaf), mn_fail(err, MN_ERR_MEMORY, "out of memory");
    for (size_t i = 0; times > 0 && i < n; i++) {
        if (mn_past_is_turn(&past)) {
            mn_diagram_answer(answers, d, &past);
            weigh(p->lw, leaf, &p->universe, answers, &past, ids[i], times);
        }
        mn_past_add(&past, ids[i]);
    }
    free(answers);
    free(leaf);
    return MN_OK;
}

double mn_program_log_evidence(const mn_model *program_model)
{
    const program *p = (const program *)program_model;
    return mn_log_sum_exp(p->lw, p->universe.n);
}

size_t mn_program_count(const mn_model *program_model)
{
    return (size_t)((const program *)program_model)->universe.programs;
}

size_t mn_program_members(const mn_model *program_model)
{
    return ((const program *)program_model)->universe.n;
}
