#include "learn/lab_tree.h"

#include <math.h>
#include <string.h>

#include "base/threads.h"

/* ---- classes --------------------------------------------------------------------------------------------------- */

mn_status mn_lab_class_open(mn_lab_class *c, size_t A, size_t bits, mn_err *err)
{
    MN_TRY(mn_universe_open(&c->u, A, bits, err));
    MN_ALLOC_OR_FAIL(c->lw, c->u.n, err);
    return MN_OK;
}

void mn_lab_class_close(mn_lab_class *c)
{
    mn_universe_close(&c->u);
    free(c->lw);
    *c = (mn_lab_class){0};
}

mn_status mn_lab_class_root(mn_lab_class *c, uint32_t *root, size_t *bits, const char *text, bool policy, mn_err *err)
{
    mn_terms terms = {.A = c->u.d.A};
    mn_status status = mn_terms_parse(&terms, text, policy, err);
    *bits = 0;
    for (size_t i = 0; i < terms.n; i++) *bits += mn_term_bits(&terms, i);
    if (status == MN_OK) status = mn_diagram_build(&c->u.d, root, &terms, err);
    free(terms.at);
    return status;
}

void mn_lab_class_share(double *share, const mn_lab_class *c, size_t bits, uint32_t *marks)
{
    for (size_t i = 0; i < c->u.n; i++) marks[c->u.root[i]] = (uint32_t)i;
    for (size_t l = 1; l <= bits && l <= c->u.bits; l++)
        for (size_t k = 0; k < c->u.policies[l].n; k++)
            share[marks[c->u.policies[l].node[k]]] += ldexp((double)c->u.policies[l].count[k], -(int)l);
    for (size_t i = 0; i < c->u.n; i++) share[i] /= c->u.weight[i];
}

/* ---- transcripts ----------------------------------------------------------------------------------------------- */

static size_t first_of(size_t t, size_t B)
{
    size_t from = 0, layer = 1;
    for (; t--; layer *= B) from += layer;
    return from;
}

/* The history of state `code` after t turns of B = A O ways. */
static void replay(mn_past *past, uint8_t *answers, const mn_diagrams *d, const mn_lab_world *world, size_t code, size_t t)
{
    size_t B = world->A * world->O, ways[64];
    for (size_t i = t; i-- > 0; code /= B) ways[i] = code % B;
    *past = (mn_past){0};
    memset(answers, 0, d->n_atoms);
    mn_diagram_answer(answers, d, past);
    for (size_t i = 0; i < t; i++) {
        size_t a = ways[i] / world->O;
        mn_past_add(past, (int32_t)a);
        mn_past_add(past, world->says[a][ways[i] % world->O]);
        mn_diagram_answer(answers, d, past);
    }
}

static size_t draw(const double *p, size_t n, double u)
{
    size_t i = 0;
    for (; i + 1 < n && (u >= p[i] || !(p[i] > 0)); i++) u -= p[i];
    return i;
}

/* counts: [states,A] of the demonstrator's moves. */
static void demonstrate(double *counts, const double *says /* [states,A] */, const mn_lab_world *world, size_t turns,
                        mn_rng rng)
{
    size_t code = 0, A = world->A, B = A * world->O;
    for (size_t t = 0; t < turns; t++) {
        size_t s = first_of(t, B) + code, a = draw(says + s * A, A, mn_rng_uniform(&rng));
        counts[s * A + a]++;
        code = code * B + a * world->O + draw(world->p[a], world->O, mn_rng_uniform(&rng));
    }
}

static void learn_state(mn_lab_class *c, const double *counts, const uint8_t *answers, const mn_past *past, double *leaf)
{
    const mn_diagrams *d = &c->u.d;
    for (size_t l = 0; l < d->n_leaves; l++) {
        double p[MN_PROGRAM_SYMBOLS];
        mn_leaf_say(p, d, l, past);
        leaf[l] = 0;
        for (size_t a = 0; a < d->A; a++)
            if (counts[a] > 0) leaf[l] += counts[a] * log(p[a]);
    }
    for (size_t i = 0; i < c->u.n; i++)
        if (c->lw[i] > -INFINITY) c->lw[i] += leaf[mn_diagram_leaf(d, answers, c->u.root[i])];
}

typedef struct lesson {
    double *counts, *says, *leaf;
    uint8_t *answers;
} lesson;

/* What the demonstrator says after each history of fewer than `turns` turns; then what was seen of it. */
static void learn_all(mn_lab_class *c, lesson *l, uint32_t mu, const mn_lab_world *world, size_t transcripts, size_t turns,
                      uint64_t seed)
{
    size_t A = world->A, B = A * world->O;
    mn_past past;
    for (size_t t = 0, layer = 1; t < turns; t++, layer *= B)
        for (size_t code = 0; code < layer; code++) {
            replay(&past, l->answers, &c->u.d, world, code, t);
            mn_leaf_say(l->says + (first_of(t, B) + code) * A, &c->u.d, mn_diagram_leaf(&c->u.d, l->answers, mu), &past);
        }
    for (size_t i = 0; i < transcripts; i++)
        demonstrate(l->counts, l->says, world, turns, mn_rng_split(seed, i, MN_STREAM_USER));
    for (size_t i = 0; i < c->u.n; i++) c->lw[i] = log(c->u.weight[i]);
    for (size_t t = 0, layer = 1; t < turns; t++, layer *= B)
        for (size_t code = 0; code < layer; code++) {
            const double *counts = l->counts + (first_of(t, B) + code) * A;
            double seen = 0;
            for (size_t a = 0; a < A; a++) seen += counts[a];
            if (!(seen > 0)) continue;
            replay(&past, l->answers, &c->u.d, world, code, t);
            learn_state(c, counts, l->answers, &past, l->leaf);
        }
}

mn_status mn_lab_class_learn(mn_lab_class *c, uint32_t mu, const mn_lab_world *world, size_t transcripts, size_t turns,
                             uint64_t seed, mn_err *err)
{
    size_t states = first_of(turns, world->A * world->O), entries = states * world->A;
    lesson l = {mn_alloc(entries, sizeof *l.counts), mn_alloc(entries, sizeof *l.says),
                mn_alloc(c->u.d.n_leaves, sizeof *l.leaf), mn_alloc(c->u.d.n_atoms, 1)};
    bool there = l.counts && l.says && l.leaf && l.answers;
    if (there) learn_all(c, &l, mu, world, transcripts, turns, seed);
    free(l.counts);
    free(l.says);
    free(l.leaf);
    free(l.answers);
    return there ? MN_OK : mn_fail(err, MN_ERR_MEMORY, "out of memory");
}

/* ---- the tree -------------------------------------------------------------------------------------------------- */

/* Those of the class that are left after t turns, in the order of the class, and what is known of the history. */
typedef struct frame {
    size_t n;
    uint32_t *index, *leaf; /* [n] */
    double *lw, *w;         /* [n] ln of the weights, up to a constant; weights, the greatest 1 */
    mn_past past;
    uint8_t *answers; /* [atoms] */
} frame;

typedef struct walker {
    mn_lab_tree *tree;
    frame *frames;     /* [T] */
    double *says, *lp; /* [T,leaves,A] and its logarithms */
    double *mass;      /* [leaves] */
    uint32_t mu_index; /* of mu in the class; UINT32_MAX: not there */
    size_t B, most;    /* ways of a turn; most that a pessimist keeps, and one */
    size_t *best;      /* [most] places in a frame */
} walker;

static const double *says_of(const walker *k, size_t t, uint32_t leaf)
{
    const mn_diagrams *d = &k->tree->c->u.d;
    return k->says + (t * d->n_leaves + leaf) * d->A;
}

static void take_mixture(double *p, const walker *k, const frame *f, size_t t)
{
    const mn_diagrams *d = &k->tree->c->u.d;
    double all = 0;
    memset(k->mass, 0, d->n_leaves * sizeof *k->mass);
    for (size_t i = 0; i < f->n; i++) k->mass[f->leaf[i]] += f->w[i];
    for (size_t a = 0; a < d->A; a++) p[a] = 0;
    for (uint32_t l = 0; l < d->n_leaves; l++) {
        if (!(k->mass[l] > 0)) continue;
        for (size_t a = 0; a < d->A; a++) p[a] += k->mass[l] * says_of(k, t, l)[a];
        all += k->mass[l];
    }
    for (size_t a = 0; a < d->A; a++) p[a] = all > 0 ? p[a] / all : 1 / (double)d->A;
}

/* The heaviest into best, likeliest first, of equals the first of the class; then the least that those kept say. */
static bool take_least(double *p, const walker *k, const frame *f, size_t t)
{
    size_t A = k->tree->c->u.d.A, held = 0;
    double sum = 0;
    bool kept = false;
    for (size_t i = 0; i < f->n; i++) {
        size_t at = held < k->most ? held++ : k->most;
        if (at == k->most && f->w[i] <= f->w[k->best[at - 1]]) continue;
        if (at == k->most) at--;
        for (; at && f->w[k->best[at - 1]] < f->w[i]; at--) k->best[at] = k->best[at - 1];
        k->best[at] = i;
    }
    for (size_t a = 0; a < A; a++) p[a] = held ? 1 : 0;
    for (size_t i = 0; i < held; i++) {
        size_t at = k->best[i];
        sum += f->w[at];
        if (f->w[at] < k->tree->alpha * sum) break;
        kept |= f->index[at] == k->mu_index;
        for (size_t a = 0; a < A; a++) p[a] = fmin(p[a], says_of(k, t, f->leaf[at])[a]);
    }
    return kept;
}

static void take_mass(mn_lab_tree *tree, const frame *f, size_t s)
{
    double all = 0;
    for (size_t i = 0; i < f->n; i++) all += f->w[i];
    for (size_t k = 0; k < tree->shares; k++) {
        const double *share = tree->share + k * tree->c->u.n;
        double part = 0;
        for (size_t i = 0; i < f->n; i++) part += f->w[i] * share[f->index[i]];
        tree->mass[k * tree->graph.S + s] = all > 0 ? part / all : 0;
    }
}

static void take_leaves(walker *k, size_t t)
{
    const mn_universe *u = &k->tree->c->u;
    frame *f = &k->frames[t];
    double most = -INFINITY;
    for (size_t i = 0; i < f->n; i++) {
        f->leaf[i] = mn_diagram_leaf(&u->d, f->answers, u->root[f->index[i]]);
        most = fmax(most, f->lw[i]);
    }
    for (size_t i = 0; i < f->n; i++) f->w[i] = exp(f->lw[i] - most);
}

static void take_state(walker *k, size_t t, size_t code)
{
    mn_lab_tree *tree = k->tree;
    mn_plan_graph *g = &tree->graph;
    frame *f = &k->frames[t];
    const mn_diagrams *d = &tree->c->u.d;
    size_t s = g->from[t] + code;
    double p[MN_PROGRAM_SYMBOLS], sum = 0;
    take_leaves(k, t);
    if (tree->alpha > 0)
        tree->kept[s] = take_least(p, k, f, t);
    else
        take_mixture(p, k, f, t);
    for (size_t a = 0; a < d->A; a++) {
        sum += p[a];
        g->lp_base[s * g->W + a] = log(p[a]);
        g->mu[s * d->A + a] = says_of(k, t, mn_diagram_leaf(d, f->answers, tree->mu))[a];
    }
    if (tree->alpha > 0 && !tree->no_help && sum < 1) g->lp_base[s * g->W + g->M] = log1p(-sum);
    take_mass(tree, f, s);
}

/* Those left after move a of frame t, in frame t + 1. */
static void take_move(walker *k, size_t t, size_t a, bool learns)
{
    frame *f = &k->frames[t], *next = &k->frames[t + 1];
    next->n = 0;
    for (size_t i = 0; i < f->n; i++) {
        double lw = learns ? f->lw[i] + k->lp[(size_t)(says_of(k, t, f->leaf[i]) - k->says) + a] : f->lw[i];
        if (lw == -INFINITY) continue;
        next->index[next->n] = f->index[i];
        next->lw[next->n++] = lw;
    }
}

static void take_answer(walker *k, size_t t, size_t a, size_t outcome)
{
    const frame *f = &k->frames[t];
    frame *next = &k->frames[t + 1];
    const mn_diagrams *d = &k->tree->c->u.d;
    next->past = f->past;
    memcpy(next->answers, f->answers, d->n_atoms);
    mn_past_add(&next->past, (int32_t)a);
    mn_past_add(&next->past, k->tree->world->says[a][outcome]);
    mn_diagram_answer(next->answers, d, &next->past);
}

static bool learns_from(const walker *k, size_t way)
{
    return k->tree->learns || way >= k->tree->world->A * k->tree->world->O;
}

static void walk(walker *k, size_t t, size_t code)
{
    const mn_lab_world *world = k->tree->world;
    take_state(k, t, code);
    if (t + 1 == k->tree->T) return;
    for (size_t way = 0; way < k->B; way++) {
        size_t a = way / world->O % world->A, outcome = way % world->O;
        if (!outcome) take_move(k, t, a, learns_from(k, way));
        take_answer(k, t, a, outcome);
        walk(k, t + 1, code * k->B + way);
    }
}

/* ---- growing it in parts --------------------------------------------------------------------------------------- */

static void close_walker(walker *k)
{
    for (size_t t = 0; k->frames && t < k->tree->T; t++) {
        free(k->frames[t].index);
        free(k->frames[t].leaf);
        free(k->frames[t].lw);
        free(k->frames[t].w);
        free(k->frames[t].answers);
    }
    free(k->frames);
    free(k->says);
    free(k->lp);
    free(k->mass);
    free(k->best);
}

static mn_status open_walker(walker *k, mn_lab_tree *tree, mn_err *err)
{
    const mn_universe *u = &tree->c->u;
    *k = (walker){.tree = tree,
                  .mu_index = UINT32_MAX,
                  .B = tree->world->A * tree->world->O * (tree->alpha > 0 && !tree->no_help ? 2 : 1)};
    k->most = tree->alpha > 0 ? (size_t)(1 / tree->alpha) + 1 : 1;
    MN_ALLOC_OR_FAIL(k->frames, tree->T, err);
    MN_ALLOC_OR_FAIL(k->says, tree->T * u->d.n_leaves * u->d.A, err);
    MN_ALLOC_OR_FAIL(k->lp, tree->T * u->d.n_leaves * u->d.A, err);
    MN_ALLOC_OR_FAIL(k->mass, u->d.n_leaves, err);
    MN_ALLOC_OR_FAIL(k->best, k->most, err);
    for (size_t t = 0; t < tree->T; t++) {
        MN_ALLOC_OR_FAIL(k->frames[t].index, u->n, err);
        MN_ALLOC_OR_FAIL(k->frames[t].leaf, u->n, err);
        MN_ALLOC_OR_FAIL(k->frames[t].lw, u->n, err);
        MN_ALLOC_OR_FAIL(k->frames[t].w, u->n, err);
        MN_ALLOC_OR_FAIL(k->frames[t].answers, u->d.n_atoms, err);
        for (uint32_t l = 0; l < u->d.n_leaves; l++)
            mn_leaf_say(k->says + (t * u->d.n_leaves + l) * u->d.A, &u->d, l, &(mn_past){.n = (uint32_t)(2 * t)});
    }
    for (size_t i = 0; i < tree->T * u->d.n_leaves * u->d.A; i++) k->lp[i] = log(k->says[i]);
    return MN_OK;
}

static void begin_walk(walker *k)
{
    const mn_lab_class *c = k->tree->c;
    frame *f = &k->frames[0];
    for (uint32_t i = 0; i < c->u.n; i++) {
        if (c->u.root[i] == k->tree->mu) k->mu_index = i;
        if (c->lw[i] == -INFINITY) continue;
        f->index[f->n] = i;
        f->lw[f->n++] = c->lw[i];
    }
    mn_diagram_answer(f->answers, &c->u.d, &f->past);
}

/* Part 0: the empty history; part i: all that begin in the way i - 1. */
static mn_status grow_part(void *arg, size_t part, size_t thread, mn_err *err)
{
    mn_lab_tree *tree = arg;
    walker k;
    (void)thread;
    mn_status status = open_walker(&k, tree, err);
    if (status == MN_OK) {
        begin_walk(&k);
        if (!part)
            take_state(&k, 0, 0);
        else {
            size_t a = (part - 1) / tree->world->O % tree->world->A;
            take_leaves(&k, 0);
            take_move(&k, 0, a, learns_from(&k, part - 1));
            take_answer(&k, 0, a, (part - 1) % tree->world->O);
            walk(&k, 1, part - 1);
        }
    }
    close_walker(&k);
    return status;
}

/* Each state has an edge for each of its moves, and where help is one another for each helped move. */
static void link_states(mn_lab_tree *tree, size_t B)
{
    mn_plan_graph *g = &tree->graph;
    const mn_lab_world *w = tree->world;
    size_t ways = B / g->O;
    for (size_t t = 0, layer = 1; t < g->T; t++, layer *= B)
        for (size_t code = 0; code < layer; code++)
            for (size_t way = 0; way < ways; way++) {
                size_t s = first_of(t, B) + code, edge = s * ways + way;
                (way < g->M ? g->edge : g->helped)[s * g->M + way % g->M] = (uint32_t)edge;
                g->row[edge] = (uint32_t)(way % g->M);
                for (size_t o = 0; t + 1 < g->T && o < g->O; o++)
                    g->next[edge * g->O + o] = (uint32_t)(first_of(t + 1, B) + code * B + way * g->O + o);
            }
    for (size_t a = 0; a < g->M; a++)
        for (size_t o = 0; o < g->O; o++) {
            g->p[a * g->O + o] = w->p[a][o];
            g->reward[a] += w->p[a][o] * w->reward[a][o] / (double)g->T;
        }
    mn_plan_graph_steps(g);
}

static mn_status allocate(mn_lab_tree *tree, size_t S, size_t B, mn_err *err)
{
    mn_plan_graph *g = &tree->graph;
    size_t A = tree->world->A, O = tree->world->O;
    *g = (mn_plan_graph){.T = tree->T, .S = S, .M = A, .O = O, .E = S * (B / O), .R = A};
    MN_TRY(mn_plan_graph_allocate(g, true, err));
    if (B > A * O) {
        uint32_t *helped = mn_alloc(S * A, sizeof *helped);
        if (!helped) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
        g->helped = helped;
    }
    if (tree->shares) MN_ALLOC_OR_FAIL(tree->mass, tree->shares * S, err);
    if (tree->alpha > 0) MN_ALLOC_OR_FAIL(tree->kept, S, err);
    return MN_OK;
}

mn_status mn_lab_tree_grow(mn_lab_tree *tree, mn_err *err)
{
    bool helps = tree->alpha > 0 && !tree->no_help;
    size_t B = tree->world->A * tree->world->O * (helps ? 2 : 1), S = 0, layer = 1;
    for (size_t t = 0; t < tree->T; t++, layer *= B)
        if ((S += layer) > 1 << 24) return mn_fail(err, MN_ERR_LIMIT, "more than %d histories of %zu turns", 1 << 24, tree->T);
    MN_TRY(allocate(tree, S, B, err));
    link_states(tree, B);
    return mn_parallel(tree->threads, tree->T > 1 ? B + 1 : 1, grow_part, tree, err);
}

void mn_lab_tree_free(mn_lab_tree *tree)
{
    mn_plan_graph_free(&tree->graph);
    free(tree->mass);
    free(tree->kept);
}

size_t mn_lab_tree_time(const mn_lab_tree *tree, size_t s)
{
    size_t t = 0;
    while (s >= tree->graph.to[t]) t++;
    return t;
}

/* Ways of a turn, in which the second half is that of helped moves, as those of replay. */
static size_t unhelped(size_t code, size_t t, size_t B, size_t plain)
{
    size_t ways[64], out = 0;
    for (size_t i = t; i-- > 0; code /= B) ways[i] = code % B % plain;
    for (size_t i = 0; i < t; i++) out = out * plain + ways[i];
    return out;
}

mn_status mn_lab_tree_ask(uint32_t *leaf, const mn_lab_tree *tree, uint32_t root, mn_err *err)
{
    const mn_plan_graph *g = &tree->graph;
    const mn_diagrams *d = &tree->c->u.d;
    size_t plain = tree->world->A * tree->world->O, B = g->helped == g->edge ? plain : 2 * plain;
    mn_past past;
    uint8_t *answers;
    MN_ALLOC_OR_FAIL(answers, d->n_atoms, err);
    for (size_t t = 0; t < g->T; t++)
        for (size_t s = g->from[t]; s < g->to[t]; s++) {
            replay(&past, answers, d, tree->world, unhelped(s - g->from[t], t, B, plain), t);
            leaf[s] = mn_diagram_leaf(d, answers, root);
        }
    free(answers);
    return MN_OK;
}

void mn_lab_policy_kl(mn_plan_policy *policy, const mn_plan_graph *g)
{
    for (size_t t = 0; t < g->T; t++)
        for (size_t i = 0; i < g->to[t] - g->from[t]; i++) {
            size_t at = policy->first[t] + i;
            const double *pi = policy->pi + at * g->W, *base = g->lp_base + (g->from[t] + i) * g->W;
            policy->kl[at] = 0;
            for (size_t a = 0; a <= g->M; a++)
                if (pi[a] > 0) policy->kl[at] += pi[a] * (log(pi[a]) - base[a]);
        }
}
