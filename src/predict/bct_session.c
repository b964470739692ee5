/* Context trees as predictors: workers and sessions. What a session learns is a tree of its own beside the model's: counts in
 * addition, and odds in place of the model's. Each symbol learnt is noted with the odds before it: rewinding restores them. */
#include <math.h>
#include <string.h>

#include "predict/bct_file.h"
#include "predict/bct_members.h"

typedef struct bct_worker {
    mn_worker worker;
    mn_bct_members members;
} bct_worker;

/* Odds of one node before a symbol was learnt. */
typedef struct old_odds {
    double odds;
    int32_t scale;
    uint32_t node;
} old_odds;

typedef struct bct_session {
    mn_session session;
    mn_bct_store own;
    size_t learnt, room;         /* symbols learnt, and room for so many */
    size_t *where;               /* [learnt] where in the timeline */
    old_odds *undo;              /* [learnt,D+1] by depth */
    int32_t *context;            /* [D] */
    uint32_t *path, *own_path;   /* [D+1] */
} bct_session;

static const mn_bct *tree_of(const mn_session *session)
{
    return (const mn_bct *)session->worker->model;
}

/* ---- the context at hand ---- */

/* That of the first n symbols. */
static size_t context_at(const mn_session *session, size_t n, int32_t *context)
{
    const mn_bct *b = tree_of(session);
    size_t k = 0;
    for (; k < b->D && k < n; k++) context[k] = session->ids[n - 1 - k];
    if (b->start >= 0)
        for (; k < b->D; k++) context[k] = b->start;
    return k;
}

size_t mn_bct_session_context(const mn_session *session, int32_t *context)
{
    return context_at(session, session->n, context);
}

/* ---- probabilities ---- */

/* The session's own nodes of the context, without those that have unlearnt all they knew. */
static size_t walk_own(bct_session *s, size_t length)
{
    size_t found = s->learnt ? mn_bct_walk(&s->own, s->own_path, s->context, length) : 0;
    while (found && !s->own.nodes[s->own_path[found - 1]].total) found--;
    return found;
}

static mn_status predict(mn_session *session, double *lp, mn_err *err)
{
    bct_session *s = (bct_session *)session;
    const mn_bct *b = tree_of(session);
    size_t length = context_at(session, session->n, s->context);
    MN_TRY(mn_bct_check(b, s->context, length, err));
    size_t found = mn_bct_walk(&b->store, s->path, s->context, length);
    mn_bct_mix(lp, b, s->path, found, &s->own, s->own_path, walk_own(s, length), length);
    for (size_t a = 0; a < b->model.A; a++) lp[a] = log(lp[a]);
    return MN_OK;
}

mn_status mn_bct_session_counts(mn_session *session, uint64_t *counts, mn_err *err)
{
    bct_session *s = (bct_session *)session;
    size_t length = context_at(session, session->n, s->context), n;
    MN_TRY(mn_bct_counts(session->worker->model, counts, s->context, length, err));
    if (walk_own(s, length) <= length) return MN_OK;
    const mn_bct_entry *e = mn_bct_entries(&s->own, s->own_path[length], &n);
    for (size_t i = 0; i < n; i++)
        if (e[i].key) counts[e[i].key - 1] += e[i].count;
    return MN_OK;
}

/* ---- learning ---- */

static mn_status room_for_one(bct_session *s, mn_err *err)
{
    size_t width = tree_of(&s->session)->D + 1, room = s->room * 2 + 16, bytes;
    if (s->learnt < s->room) return MN_OK;
    void *where = realloc(s->where, room * sizeof *s->where);
    if (where) s->where = where;
    void *undo = where && mn_mul_size(&bytes, room, width * sizeof *s->undo) ? realloc(s->undo, bytes) : NULL;
    if (!undo) return mn_fail(err, MN_ERR_MEMORY, "out of memory (%zu symbols learnt by a session)", room);
    s->undo = undo;
    s->room = room;
    return MN_OK;
}

/* A node that has seen nothing itself, with the odds of the model's. */
static mn_bct_node own_node(const mn_bct *b, uint32_t node)
{
    const mn_bct_node *v = &b->store.nodes[node];
    return (mn_bct_node){.odds = v->odds, .scale = v->scale};
}

/* The session's own nodes of its context, made where there are none. */
static mn_status make_own_path(bct_session *s, size_t found, mn_err *err)
{
    const mn_bct *b = tree_of(&s->session);
    s->own_path[0] = 0;
    for (size_t d = 0; d < b->D; d++) {
        mn_bct_node fresh = d + 1 < found ? own_node(b, s->path[d + 1]) : b->fresh;
        MN_TRY(mn_bct_child_at(&s->own_path[d + 1], &s->own, s->own_path[d], (uint32_t)s->context[d], fresh, err));
    }
    return MN_OK;
}

/* As the model learns, with the sums of both trees' counts. */
static void update(bct_session *s, size_t found, uint32_t x)
{
    const mn_bct *b = tree_of(&s->session);
    double half = .5 * (double)b->model.A, p = 1;
    for (size_t d = b->D + 1; d-- > 0;) {
        const mn_bct_entry *e = d < found ? mn_bct_find(&b->store, s->path[d], x) : NULL;
        mn_bct_entry *mine = (mn_bct_entry *)mn_bct_find(&s->own, s->own_path[d], x);
        mn_bct_node *v = &s->own.nodes[s->own_path[d]];
        double total = (double)v->total + (d < found ? (double)b->store.nodes[s->path[d]].total : 0);
        double estimate = ((e ? (double)e->count : 0) + mine->count + .5) / (total + half), odds = mn_bct_odds(v), below = p;
        s->undo[s->learnt * (b->D + 1) + d] = (old_odds){v->odds, v->scale, s->own_path[d]};
        p = d == b->D ? estimate : (odds * estimate + below) / (odds + 1);
        if (d < b->D) mn_bct_raise(v, estimate / below);
        mine->count++;
        v->total++;
    }
}

/* Learns the timeline's symbol at n from those before it. */
static mn_status learn_one(bct_session *s, size_t n, mn_err *err)
{
    const mn_bct *b = tree_of(&s->session);
    uint32_t x = (uint32_t)s->session.ids[n], entry;
    if (context_at(&s->session, n, s->context) < b->D) return MN_OK;
    if (!s->own.n_nodes) MN_TRY(mn_bct_store_init(&s->own, b->model.A, false, own_node(b, 0), err));
    MN_TRY(mn_bct_check(b, s->context, b->D, err));
    MN_TRY(room_for_one(s, err));
    size_t found = mn_bct_walk(&b->store, s->path, s->context, b->D);
    MN_TRY(make_own_path(s, found, err));
    for (size_t d = 0; d <= b->D; d++) MN_TRY(mn_bct_entry_at(&entry, &s->own, s->own_path[d], x, err));
    update(s, found, x);
    s->where[s->learnt++] = n;
    return MN_OK;
}

/* Forgets the symbol learnt last. */
static void unlearn_one(bct_session *s)
{
    size_t width = tree_of(&s->session)->D + 1;
    uint32_t x = (uint32_t)s->session.ids[s->where[--s->learnt]];
    for (size_t d = 0; d < width; d++) {
        const old_odds *old = &s->undo[s->learnt * width + d];
        mn_bct_node *v = &s->own.nodes[old->node];
        v->odds = old->odds;
        v->scale = old->scale;
        v->total--;
        ((mn_bct_entry *)mn_bct_find(&s->own, old->node, x))->count--;
    }
}

static void rewound(mn_session *session, size_t length)
{
    bct_session *s = (bct_session *)session;
    while (s->learnt && s->where[s->learnt - 1] >= length) unlearn_one(s);
}

static mn_status append(mn_session *session, const int32_t *ids, size_t n, bool learn, mn_err *err)
{
    bct_session *s = (bct_session *)session;
    mn_status status = MN_OK;
    if (!learn || !n) return MN_OK;
    memcpy(session->ids + session->n, ids, n * sizeof *ids); /* there is room, and there they will be */
    for (size_t i = 0; i < n && status == MN_OK; i++) status = learn_one(s, session->n + i, err);
    if (status != MN_OK) rewound(session, session->n);
    return status;
}

/* ---- workers and sessions ---- */

static void worker_free(mn_worker *worker)
{
    bct_worker *w = (bct_worker *)worker;
    mn_bct_members_free(&w->members);
    free(w);
}

static mn_status worker_new(mn_worker **out, mn_model *model, size_t sessions, size_t length, mn_err *err)
{
    bct_worker *w;
    (void)sessions, (void)length;
    MN_ALLOC_OR_FAIL(w, 1, err);
    mn_status status = mn_bct_members_open(&w->members, (const mn_bct *)model, err);
    if (status != MN_OK) return worker_free(&w->worker), status;
    *out = &w->worker;
    return MN_OK;
}

static void session_free(mn_session *session)
{
    bct_session *s = (bct_session *)session;
    mn_bct_store_free(&s->own);
    free(s->where);
    free(s->undo);
    free(s->context);
    free(s->path);
    free(s->own_path);
    free(s);
}

static mn_status copy_learnt(bct_session *s, const bct_session *from, size_t width, mn_err *err)
{
    if (!from->learnt) return MN_OK;
    MN_TRY(mn_bct_store_copy(&s->own, &from->own, err));
    MN_ALLOC_OR_FAIL(s->where, from->learnt, err);
    MN_ALLOC_OR_FAIL(s->undo, from->learnt * width, err);
    memcpy(s->where, from->where, from->learnt * sizeof *s->where);
    memcpy(s->undo, from->undo, from->learnt * width * sizeof *s->undo);
    s->learnt = s->room = from->learnt;
    return MN_OK;
}

static mn_status fill(bct_session *s, const mn_bct *b, const mn_session *fork_of, mn_err *err)
{
    MN_ALLOC_OR_FAIL(s->context, b->D, err);
    MN_ALLOC_OR_FAIL(s->path, b->D + 1, err);
    MN_ALLOC_OR_FAIL(s->own_path, b->D + 1, err);
    return fork_of ? copy_learnt(s, (const bct_session *)fork_of, b->D + 1, err) : MN_OK;
}

static mn_status session_new(mn_session **out, mn_worker *worker, const mn_session *fork_of, mn_err *err)
{
    bct_session *s;
    MN_ALLOC_OR_FAIL(s, 1, err);
    mn_status status = fill(s, (const mn_bct *)worker->model, fork_of, err);
    if (status != MN_OK) return session_free(&s->session), status;
    *out = &s->session;
    return MN_OK;
}

/* One-hot of each of the last D symbols, the most recent first; the last of each A + 1: before the beginning. */
static mn_status features(mn_session *session, float *x, mn_err *err)
{
    bct_session *s = (bct_session *)session;
    const mn_bct *b = tree_of(session);
    size_t known = context_at(session, session->n, s->context), width = b->model.A + 1;
    (void)err;
    memset(x, 0, b->model.F * sizeof *x);
    for (size_t k = 0; k < b->D; k++) x[k * width + (k < known ? (size_t)s->context[k] : b->model.A)] = 1;
    return MN_OK;
}

static mn_status members(mn_session *session, double leaf_alpha, double *lp_weights, double *lp, size_t cap, size_t *n,
                         mn_err *err)
{
    bct_session *s = (bct_session *)session;
    size_t length = context_at(session, session->n, s->context);
    (void)err;
    mn_bct_members_say(&((bct_worker *)session->worker)->members, tree_of(session), s->learnt ? &s->own : NULL, s->context,
                       length, leaf_alpha, lp_weights, lp, cap, n);
    return MN_OK;
}

static mn_status key(mn_session *session, unsigned char *out, size_t cap, size_t *n, mn_err *err)
{
    bct_session *s = (bct_session *)session;
    if (s->learnt) return mn_fail(err, MN_ERR_INPUT, "a bct that has learnt in its session has no key");
    *n = context_at(session, session->n, s->context) * sizeof *s->context;
    if (*n) memcpy(out, s->context, cap < *n ? cap : *n);
    return MN_OK;
}

/* ---- texts ---- */

static const char *piece(const mn_model *model, int32_t id, size_t *len)
{
    const mn_bct *b = (const mn_bct *)model;
    const char *name = b->names + b->name_at[id];
    *len = strlen(name);
    return name;
}

/* The longest name that begins here; A: none. */
static size_t longest_match(const mn_model *model, const char *text, size_t len)
{
    size_t best = model->A, most = 0, n;
    for (size_t a = 0; a < model->A; a++) {
        const char *name = piece(model, (int32_t)a, &n);
        if (n > most && n <= len && memcmp(text, name, n) == 0) {
            best = a;
            most = n;
        }
    }
    return best;
}

static mn_status tokenize(const mn_model *model, int32_t *ids, size_t cap, size_t *n, const char *text, size_t len,
                          bool opening, mn_err *err)
{
    size_t width;
    (void)opening;
    *n = 0;
    for (size_t at = 0; at < len;) {
        size_t a = longest_match(model, text + at, len - at);
        if (a == model->A && strchr(" \t\r\n,", text[at])) {
            at++;
            continue;
        }
        if (a == model->A)
            return mn_fail(err, MN_ERR_INPUT, "no symbol of the bct begins the text \"%.*s\"",
                           (int)(len - at < 40 ? len - at : 40), text + at);
        if (*n < cap) ids[*n] = (int32_t)a;
        ++*n;
        piece(model, (int32_t)a, &width);
        at += width;
    }
    return MN_OK;
}

const mn_kind mn_bct_kind = {.name = "bct",
                             .free = mn_bct_free,
                             .piece = piece,
                             .tokenize = tokenize,
                             .worker_new = worker_new,
                             .worker_free = worker_free,
                             .session_new = session_new,
                             .session_free = session_free,
                             .rewound = rewound,
                             .predict = predict,
                             .features = features,
                             .append = append,
                             .key = key,
                             .members = members,
                             .counts = mn_bct_session_counts};
