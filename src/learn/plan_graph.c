#include "learn/plan_graph.h"

#include <string.h>

#include <sodium/crypto_generichash.h>

enum { HASH = 16 };

/* Which hashes there are, numbered as they came. */
typedef struct seen {
    unsigned char *hashes;  /* [cap,HASH] */
    uint32_t *slots;        /* [n_slots] number + 1, 0: free */
    size_t n, cap, n_slots; /* n_slots: a power of two */
} seen;

/* How a state was first come to. */
typedef struct origin {
    uint32_t parent;
    uint16_t move, answer;
    uint16_t step;
    bool helped;
} origin;

typedef struct builder {
    const mn_plan_problem *problem;
    mn_plan_graph graph; /* arrays with room for cap states */
    size_t cap, edge_cap, row_cap;
    seen states, edges, rows;
    uint32_t *edge;  /* [1 + O] the row and what follows, scratch */
    origin *origins; /* [cap] */
    mn_worker *workers[2];
    mn_session **base;     /* [2 T + 1] after each symbol of the present way: stepping back drops one, with what it learnt */
    mn_session *world;
    uint32_t *path; /* [T + 1] the states that the sessions have come through, by step */
    uint32_t *way;  /* [T + 1] scratch */
    size_t depth;   /* steps that the sessions hold */
    unsigned char *key;
    size_t key_cap;
    double *lp; /* [A] */
} builder;

static size_t seen_slot(const seen *x, const unsigned char *hash)
{
    uint64_t at;
    memcpy(&at, hash, sizeof at);
    size_t slot = (size_t)at & (x->n_slots - 1);
    while (x->slots[slot] && memcmp(x->hashes + (size_t)(x->slots[slot] - 1) * HASH, hash, HASH) != 0)
        slot = (slot + 1) & (x->n_slots - 1);
    return slot;
}

static mn_status seen_grow(seen *x, mn_err *err)
{
    size_t cap = x->cap ? 2 * x->cap : 256;
    unsigned char *hashes = reallocarray(x->hashes, cap, HASH);
    if (!hashes) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    x->hashes = hashes;
    uint32_t *slots;
    MN_ALLOC_OR_FAIL(slots, 2 * cap, err);
    free(x->slots);
    x->slots = slots;
    x->n_slots = 2 * cap;
    x->cap = cap;
    for (size_t i = 0; i < x->n; i++) x->slots[seen_slot(x, x->hashes + i * HASH)] = (uint32_t)i + 1;
    return MN_OK;
}

/* The number of a hash; *fresh: it was not there before. */
static mn_status seen_add(seen *x, const unsigned char *hash, uint32_t *number, bool *fresh, mn_err *err)
{
    if (x->n == x->cap) MN_TRY(seen_grow(x, err));
    size_t slot = seen_slot(x, hash);
    *fresh = !x->slots[slot];
    if (*fresh) {
        memcpy(x->hashes + x->n * HASH, hash, HASH);
        x->slots[slot] = (uint32_t)++x->n;
    }
    *number = x->slots[slot] - 1;
    return MN_OK;
}

static void seen_free(seen *x)
{
    free(x->hashes);
    free(x->slots);
}

/* ---- growing ------------------------------------------------------------------------------------------------------- */

static mn_status grow_array(void *array, size_t n, size_t width, size_t size, mn_err *err)
{
    void *old, *grown;
    size_t entries;
    memcpy(&old, array, sizeof old);
    grown = mn_mul_size(&entries, n, width) ? reallocarray(old, entries, size) : NULL;
    if (!grown) return mn_fail(err, MN_ERR_MEMORY, "out of memory for %zu states", n);
    memcpy(array, &grown, sizeof grown);
    return MN_OK;
}

static mn_status grow_states(builder *b, mn_err *err)
{
    mn_plan_graph *g = &b->graph;
    size_t cap = b->cap ? 2 * b->cap : 256, M = g->M;
    bool apart = g->helped != g->edge;
    MN_TRY(grow_array(&b->origins, cap, 1, sizeof *b->origins, err));
    MN_TRY(grow_array(&g->lp_base, cap, g->W, sizeof *g->lp_base, err));
    MN_TRY(grow_array(&g->mu, cap, M, sizeof *g->mu, err));
    if (apart) MN_TRY(grow_array(&g->helped, cap, M, sizeof *g->helped, err));
    MN_TRY(grow_array(&g->edge, cap, M, sizeof *g->edge, err));
    if (!apart) g->helped = g->edge;
    b->cap = cap;
    return MN_OK;
}

static mn_status grow_edges(builder *b, mn_err *err)
{
    size_t cap = b->edge_cap ? 2 * b->edge_cap : 256;
    MN_TRY(grow_array(&b->graph.row, cap, 1, sizeof *b->graph.row, err));
    MN_TRY(grow_array(&b->graph.next, cap, b->graph.O, sizeof *b->graph.next, err));
    b->edge_cap = cap;
    return MN_OK;
}

static mn_status grow_rows(builder *b, mn_err *err)
{
    size_t cap = b->row_cap ? 2 * b->row_cap : 64;
    MN_TRY(grow_array(&b->graph.reward, cap, 1, sizeof *b->graph.reward, err));
    MN_TRY(grow_array(&b->graph.p, cap, b->graph.O, sizeof *b->graph.p, err));
    b->row_cap = cap;
    return MN_OK;
}

/* ---- keys ------------------------------------------------------------------------------------------------------------ */

/* Symbols on the present way. */
static size_t said(const builder *b)
{
    return mn_session_length(b->world);
}

static mn_status add_key(builder *b, mn_session *session, size_t *n, mn_err *err)
{
    size_t more;
    for (;;) {
        MN_TRY(mn_session_key(session, b->key + *n, b->key_cap - *n, &more, err));
        if (*n + more <= b->key_cap) break;
        MN_TRY(grow_array(&b->key, *n + 2 * more, 1, 1, err));
        b->key_cap = *n + 2 * more;
    }
    *n += more;
    return MN_OK;
}

static mn_status digest(unsigned char hash[HASH], const void *data, size_t n, mn_err *err)
{
    if (crypto_generichash(hash, HASH, data, n, NULL, 0) != 0) return mn_fail(err, MN_ERR_INPUT, "a key cannot be hashed");
    return MN_OK;
}

static mn_status hash_of(builder *b, unsigned char hash[HASH], bool base, mn_err *err)
{
    size_t n = 0;
    MN_TRY(add_key(b, b->world, &n, err));
    if (base) MN_TRY(add_key(b, b->base[said(b)], &n, err));
    return digest(hash, b->key, n, err);
}

/* ---- moving the sessions ----------------------------------------------------------------------------------------------- */

static mn_status make(builder *b, int32_t symbol, bool learn, mn_err *err)
{
    mn_session **top = &b->base[said(b) + 1];
    MN_TRY(mn_session_fork(top, top[-1], err));
    MN_TRY(learn ? mn_session_learn(*top, &symbol, 1, err) : mn_session_append(*top, &symbol, 1, err));
    return mn_session_append(b->world, &symbol, 1, err);
}

static mn_status back_to(builder *b, size_t symbols, mn_err *err)
{
    for (size_t n = said(b); n > symbols; n--) {
        mn_session_free(b->base[n]);
        b->base[n] = NULL;
    }
    return mn_session_rewind(b->world, symbols, err);
}

static bool learns(const builder *b, bool helped)
{
    return b->problem->learns && (helped || !b->problem->learns_from_help);
}

static mn_status make_step(builder *b, uint32_t state, mn_err *err)
{
    const origin *o = &b->origins[state];
    MN_TRY(make(b, b->problem->world->moves[o->move], learns(b, o->helped), err));
    MN_TRY(make(b, b->problem->world->answers[o->answer], false, err));
    b->path[++b->depth] = state;
    return MN_OK;
}

/* Brings the sessions to a state, by the way it was first come to; what the last one's way shares with it stays. */
static mn_status go_to(builder *b, uint32_t state, mn_err *err)
{
    size_t step = b->origins[state].step, shared = step;
    for (uint32_t s = state; shared > 0; s = b->origins[s].parent, shared--) {
        if (shared <= b->depth && b->path[shared] == s) break;
        b->way[shared] = s;
    }
    MN_TRY(back_to(b, 2 * shared, err));
    b->depth = shared;
    while (b->depth < step) MN_TRY(make_step(b, b->way[b->depth + 1], err));
    return MN_OK;
}

/* ---- filling a state ----------------------------------------------------------------------------------------------------- */

static mn_status not_one(const builder *b, const char *whose, double sum, mn_err *err)
{
    const mn_classroom *w = b->problem->world;
    const char *after = said(b) ? "" : " at the start";
    return mn_fail_at(err, MN_ERR_NUM, mn_model_weights(w->table), 0, 0, "the %s's probabilities%s sum to %.12g: expected 1",
                      whose, after, sum);
}

/* Base and demonstrator. */
static mn_status fill_moves(builder *b, uint32_t state, mn_err *err)
{
    const mn_classroom *w = b->problem->world;
    mn_plan_graph *g = &b->graph;
    double *lp_base = g->lp_base + state * g->W, *mu = g->mu + state * g->M, sum = 0;
    for (size_t i = 0; i < g->W; i++) lp_base[i] = -INFINITY;
    MN_TRY(mn_session_predict(b->base[said(b)], b->lp, err));
    for (size_t a = 0; a < g->M; a++) sum += exp(lp_base[a] = b->lp[w->moves[a]]);
    if (b->problem->helps && sum < 1 - 1e-12)
        lp_base[g->M] = log1p(-sum);
    else if (!(fabs(sum - 1) <= 1e-9))
        return mn_fail(err, MN_ERR_NUM, "the base policy's probabilities sum to %.12g at step %u: expected 1", sum,
                       b->origins[state].step);
    else
        for (size_t a = 0; a < g->M; a++) lp_base[a] -= log(sum);
    MN_TRY(mn_session_predict(b->world, b->lp, err));
    sum = 0;
    for (size_t a = 0; a < g->M; a++) sum += mu[a] = exp(b->lp[w->moves[a]]);
    return fabs(sum - 1) <= 1e-9 ? MN_OK : not_one(b, w->roles[0], sum, err);
}

/* The world's answers to the move just made. */
static mn_status fill_row(builder *b, uint32_t row, mn_err *err)
{
    const mn_classroom *w = b->problem->world;
    mn_plan_graph *g = &b->graph;
    double sum = 0, reward = 0;
    if (row == b->row_cap) MN_TRY(grow_rows(b, err));
    MN_TRY(mn_session_predict(b->world, b->lp, err));
    for (size_t o = 0; o < g->O; o++) {
        double p = g->p[row * g->O + o] = exp(b->lp[w->answers[o]]);
        sum += p;
        reward += p * w->reward[w->answers[o]];
    }
    g->reward[row] = reward / (double)g->T;
    g->R++;
    return fabs(sum - 1) <= 1e-9 ? MN_OK : not_one(b, w->roles[1], sum, err);
}

static mn_status add_state(builder *b, uint32_t *number, origin from, mn_err *err)
{
    unsigned char hash[HASH];
    bool fresh;
    MN_TRY(hash_of(b, hash, true, err));
    MN_TRY(seen_add(&b->states, hash, number, &fresh, err));
    if (!fresh) return MN_OK;
    if (b->states.n > b->problem->most)
        return mn_fail(err, MN_ERR_LIMIT,
                       "more than %zu states at step %u of %zu: expected fewer turns, or a larger max_states", b->problem->most,
                       from.step, b->graph.T);
    if (*number == b->cap) MN_TRY(grow_states(b, err));
    b->origins[*number] = from;
    return MN_OK;
}

/* The number of the edge in b->edge. */
static mn_status add_edge(builder *b, uint32_t *number, mn_err *err)
{
    mn_plan_graph *g = &b->graph;
    unsigned char hash[HASH];
    bool fresh;
    MN_TRY(digest(hash, b->edge, (1 + g->O) * sizeof *b->edge, err));
    MN_TRY(seen_add(&b->edges, hash, number, &fresh, err));
    if (!fresh) return MN_OK;
    if (*number == b->edge_cap) MN_TRY(grow_edges(b, err));
    g->row[*number] = b->edge[0];
    memcpy(g->next + *number * g->O, b->edge + 1, g->O * sizeof *g->next);
    return MN_OK;
}

static mn_status find_row(builder *b, uint32_t *row, mn_err *err)
{
    unsigned char hash[HASH];
    bool fresh;
    MN_TRY(hash_of(b, hash, false, err));
    MN_TRY(seen_add(&b->rows, hash, row, &fresh, err));
    return fresh ? fill_row(b, *row, err) : MN_OK;
}

static mn_status follow(builder *b, uint32_t state, size_t move, bool helped, mn_err *err)
{
    const mn_plan_graph *g = &b->graph;
    const size_t here = said(b), row = b->edge[0];
    uint32_t some = 0;
    for (size_t o = 0; o < g->O; o++) {
        if (!(g->p[row * g->O + o] > 0)) continue;
        MN_TRY(make(b, b->problem->world->answers[o], false, err));
        origin from = {state, (uint16_t)move, (uint16_t)o, (uint16_t)(b->origins[state].step + 1), helped};
        MN_TRY(add_state(b, &some, from, err));
        b->edge[1 + o] = some;
        MN_TRY(back_to(b, here, err));
    }
    for (size_t o = 0; o < g->O; o++) /* what cannot happen needs some state too */
        if (!(g->p[row * g->O + o] > 0)) b->edge[1 + o] = some;
    return MN_OK;
}

/* The edge of a move; the sessions are back where they were. At the last step nothing follows. */
static mn_status find_edge(builder *b, uint32_t state, size_t move, bool helped, uint32_t *edge, mn_err *err)
{
    const size_t here = said(b);
    memset(b->edge, 0, (1 + b->graph.O) * sizeof *b->edge);
    MN_TRY(make(b, b->problem->world->moves[move], learns(b, helped), err));
    MN_TRY(find_row(b, &b->edge[0], err));
    if (b->origins[state].step + 1u < b->graph.T) MN_TRY(follow(b, state, move, helped, err));
    MN_TRY(back_to(b, here, err));
    return add_edge(b, edge, err);
}

static mn_status expand(builder *b, uint32_t state, mn_err *err)
{
    const mn_plan_graph *g = &b->graph;
    uint32_t edge;
    MN_TRY(go_to(b, state, err));
    MN_TRY(fill_moves(b, state, err));
    for (size_t a = 0; a < g->M; a++) {
        MN_TRY(find_edge(b, state, a, false, &edge, err));
        g->edge[state * g->M + a] = edge; /* not before: the array may have moved */
        if (g->helped == g->edge) continue;
        MN_TRY(find_edge(b, state, a, true, &edge, err));
        g->helped[state * g->M + a] = edge;
    }
    return MN_OK;
}

/* ---- all
 * ---------------------------------------------------------------------------------------------------------------------- */

static mn_status open_sessions(builder *b, mn_err *err)
{
    const mn_plan_problem *p = b->problem;
    MN_TRY(mn_worker_new(&b->workers[0], p->base, 2 * p->T + 1, 2 * p->T, err));
    MN_TRY(mn_worker_new(&b->workers[1], p->world->table, 1, 2 * p->T, err));
    MN_TRY(mn_session_begin(&b->base[0], b->workers[0], err));
    return mn_session_begin(&b->world, b->workers[1], err);
}

static mn_status build(builder *b, mn_err *err)
{
    const mn_plan_problem *p = b->problem;
    mn_plan_graph *g = &b->graph;
    uint32_t start;
    MN_ALLOC_OR_FAIL(g->from, g->T, err);
    MN_ALLOC_OR_FAIL(g->to, g->T, err);
    MN_ALLOC_OR_FAIL(g->edge_from, g->T, err);
    MN_ALLOC_OR_FAIL(g->edge_to, g->T, err);
    MN_ALLOC_OR_FAIL(b->path, g->T + 1, err);
    MN_ALLOC_OR_FAIL(b->way, g->T + 1, err);
    MN_ALLOC_OR_FAIL(b->base, 2 * g->T + 1, err);
    MN_ALLOC_OR_FAIL(b->lp, p->world->A, err);
    MN_ALLOC_OR_FAIL(b->edge, 1 + g->O, err);
    b->key_cap = 256;
    MN_ALLOC_OR_FAIL(b->key, b->key_cap, err);
    if (p->helps && p->learns && p->learns_from_help) MN_ALLOC_OR_FAIL(g->helped, 1, err);
    MN_TRY(open_sessions(b, err));
    MN_TRY(add_state(b, &start, (origin){0}, err));
    for (size_t s = 0; s < b->states.n; s++) {
        if (s % 256 == 0 && p->stop && p->stop(p->arg)) return mn_fail(err, MN_ERR_INTERRUPTED, "interrupted");
        MN_TRY(expand(b, (uint32_t)s, err));
    }
    g->S = b->states.n;
    g->E = b->edges.n;
    mn_plan_graph_steps(g);
    return MN_OK;
}

mn_status mn_plan_build(mn_plan_graph *out, const mn_plan_problem *problem, mn_err *err)
{
    const mn_classroom *w = problem->world;
    builder b = {.problem = problem, .graph = {.T = problem->T, .M = w->M, .O = w->O, .W = mn_plan_width(w->M)}};
    if (problem->T >= UINT16_MAX || w->M >= UINT16_MAX || w->O >= UINT16_MAX || problem->most >= UINT32_MAX / 2)
        return mn_fail(err, MN_ERR_LIMIT, "a plan of %zu steps, %zu moves and %zu answers is too large", problem->T, w->M,
                       w->O);
    mn_status status = build(&b, err);
    mn_worker_free(b.workers[0]);
    mn_worker_free(b.workers[1]);
    seen_free(&b.states);
    seen_free(&b.edges);
    seen_free(&b.rows);
    free(b.edge);
    free(b.origins);
    free(b.base);
    free(b.path);
    free(b.way);
    free(b.key);
    free(b.lp);
    if (status != MN_OK)
        mn_plan_graph_free(&b.graph);
    else
        *out = b.graph;
    return status;
}
