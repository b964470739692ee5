#include "predict/diagram.h"

#include <string.h>

enum { MEMO = 1 << 16, MOST_NODES = 1 << 27 };

mn_status mn_diagrams_open(mn_diagrams *d, size_t A, mn_err *err)
{
    *d = (mn_diagrams){.A = A, .slots = 1024};
    MN_ALLOC_OR_FAIL(d->slot, d->slots, err);
    MN_ALLOC_OR_FAIL(d->memo, MEMO, err);
    MN_ALLOC_OR_FAIL(d->leaves, 2, err);
    d->n_leaves = d->room_leaves = 2;
    d->room_nodes = 512;
    MN_ALLOC_OR_FAIL(d->nodes, d->room_nodes, err);
    for (uint32_t leaf = MN_FALSE; leaf <= MN_TRUE; leaf++)
        d->nodes[d->n_nodes++] = (mn_node){.atom = MN_TERMINAL, .kid = {leaf}};
    return MN_OK;
}

void mn_diagrams_close(mn_diagrams *d)
{
    free(d->slot);
    free(d->memo);
    free(d->leaves);
    free(d->nodes);
    free(d->atoms);
    *d = (mn_diagrams){0};
}

/* ---- each node once -------------------------------------------------------------------------------------------- */

static uint32_t mix(uint32_t h, uint32_t x)
{
    h = (h ^ x) * 0x9E3779B1u;
    return h ^ h >> 15;
}

static size_t hash(const mn_node *node)
{
    uint32_t h = mix(1, node->atom);
    for (size_t k = 0; k < MN_DIAGRAM_KIDS; k++) h = mix(h, node->kid[k]);
    return h;
}

static mn_status grow(mn_diagrams *d, mn_err *err)
{
    if (d->n_nodes == MOST_NODES)
        return mn_fail(err, MN_ERR_LIMIT, "the programs' diagrams have more than %d nodes", MOST_NODES);
    mn_node *nodes = realloc(d->nodes, 2 * d->room_nodes * sizeof *nodes);
    if (!nodes) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    d->nodes = nodes;
    d->room_nodes *= 2;
    size_t slots = 4 * d->room_nodes;
    uint32_t *slot = mn_alloc(slots, sizeof *slot);
    if (!slot) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    free(d->slot);
    d->slot = slot;
    d->slots = slots;
    for (uint32_t i = 2; i < d->n_nodes; i++) {
        size_t at = hash(&nodes[i]) & (slots - 1);
        while (slot[at]) at = (at + 1) & (slots - 1);
        slot[at] = i + 1;
    }
    return MN_OK;
}

static mn_status intern(mn_diagrams *d, uint32_t *out, const mn_node *node, mn_err *err)
{
    if (d->n_nodes == d->room_nodes) MN_TRY(grow(d, err));
    size_t at = hash(node) & (d->slots - 1);
    for (; d->slot[at]; at = (at + 1) & (d->slots - 1))
        if (memcmp(&d->nodes[d->slot[at] - 1], node, sizeof *node) == 0) return *out = d->slot[at] - 1, MN_OK;
    *out = (uint32_t)d->n_nodes++;
    d->nodes[*out] = *node;
    d->slot[at] = *out + 1;
    return MN_OK;
}

/* ---- atoms and leaves ------------------------------------------------------------------------------------------ */

static mn_status atom_of(mn_diagrams *d, uint32_t *out, mn_atom atom, mn_err *err)
{
    for (*out = 0; *out < d->n_atoms; ++*out) {
        const mn_atom *a = &d->atoms[*out];
        if (a->ask == atom.ask && a->x == atom.x && a->y == atom.y && a->n == atom.n) return MN_OK;
    }
    if (d->n_atoms == d->room_atoms) {
        size_t room = d->room_atoms ? 2 * d->room_atoms : 64;
        mn_atom *atoms = realloc(d->atoms, room * sizeof *atoms);
        if (!atoms) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
        d->atoms = atoms;
        d->room_atoms = room;
    }
    d->atoms[d->n_atoms++] = atom;
    return MN_OK;
}

static mn_status leaf_node(mn_diagrams *d, uint32_t *out, mn_leaf leaf, mn_err *err)
{
    uint32_t at = 2;
    while (at < d->n_leaves && memcmp(&d->leaves[at], &leaf, sizeof leaf) != 0) at++;
    if (at == d->n_leaves) {
        if (d->n_leaves == d->room_leaves) {
            mn_leaf *leaves = realloc(d->leaves, 2 * d->room_leaves * sizeof *leaves);
            if (!leaves) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
            d->leaves = leaves;
            d->room_leaves *= 2;
        }
        d->leaves[d->n_leaves++] = leaf;
    }
    return intern(d, out, &(mn_node){.atom = MN_TERMINAL, .kid = {at}}, err);
}

/* Place in the order of questions; thresholds of one count, or of time, stand together and rise. */
static uint64_t place(const mn_diagrams *d, uint32_t atom)
{
    if (atom == MN_TERMINAL) return UINT64_MAX;
    const mn_atom *a = &d->atoms[atom];
    return (uint64_t)a->ask << 40 | (uint64_t)a->x << 36 | (uint64_t)a->y << 32 | a->n;
}

/* Whether a false answer to `atom` makes one to `other` false: a higher threshold of the same. */
static bool follows(const mn_diagrams *d, uint32_t atom, uint32_t other)
{
    if (atom == MN_TERMINAL || other == MN_TERMINAL) return false;
    const mn_atom *a = &d->atoms[atom], *b = &d->atoms[other];
    return a->ask == b->ask && (a->ask == MN_ASK_TIMES || a->ask == MN_ASK_TIME) && a->x == b->x && b->n > a->n;
}

/* ---- reduced nodes --------------------------------------------------------------------------------------------- */

static size_t answers_of(const mn_diagrams *d, uint32_t atom)
{
    return d->atoms[atom].ask == MN_ASK_LAST ? d->A + 1 : 2;
}

/* What is left of f once the answer to atom, not behind f's own question in the order, is known. */
static uint32_t given(const mn_diagrams *d, uint32_t f, uint32_t atom, size_t answer)
{
    const mn_node *node = &d->nodes[f];
    if (node->atom == atom) return node->kid[answer];
    return !answer && follows(d, atom, node->atom) ? node->kid[0] : f;
}

/* kids: none asks atom, nor what a false answer to it would settle. */
static mn_status make(mn_diagrams *d, uint32_t *out, uint32_t atom, const uint32_t *kid, mn_err *err)
{
    mn_node node = {.atom = atom};
    size_t n = answers_of(d, atom);
    bool same = true;
    for (size_t k = 0; k < n; k++) {
        node.kid[k] = kid[k];
        same &= kid[k] == kid[0];
    }
    const mn_node *high = &d->nodes[kid[1]];
    if (same) return *out = kid[0], MN_OK;
    if (follows(d, atom, high->atom) && high->kid[0] == kid[0]) return *out = kid[1], MN_OK; /* below both thresholds alike */
    return intern(d, out, &node, err);
}

mn_status mn_diagram_choose(mn_diagrams *d, uint32_t *out, uint32_t e, uint32_t p, uint32_t q, mn_err *err)
{
    if (e == MN_TRUE || p == q) return *out = p, MN_OK;
    if (e == MN_FALSE) return *out = q, MN_OK;
    mn_choice *memo = &d->memo[mix(mix(mix(1, e), p), q) % MEMO];
    if (memo->e == e && memo->p == p && memo->q == q) return *out = memo->result, MN_OK; /* e > 1 never matches an empty one */
    uint32_t atom = d->nodes[e].atom, kid[MN_DIAGRAM_KIDS];
    if (place(d, d->nodes[p].atom) < place(d, atom)) atom = d->nodes[p].atom;
    if (place(d, d->nodes[q].atom) < place(d, atom)) atom = d->nodes[q].atom;
    for (size_t k = 0; k < answers_of(d, atom); k++)
        MN_TRY(mn_diagram_choose(d, &kid[k], given(d, e, atom, k), given(d, p, atom, k), given(d, q, atom, k), err));
    MN_TRY(make(d, out, atom, kid, err));
    d->memo[mix(mix(mix(1, e), p), q) % MEMO] = (mn_choice){e, p, q, *out};
    return MN_OK;
}

/* ---- once ------------------------------------------------------------------------------------------------------ */

/* Whether an event that holds goes on holding, by its form: it asks nothing but what can only become true, and holds
 * wherever it would with fewer of those. */
static mn_status lasts(mn_diagrams *d, bool *out, uint32_t e, mn_err *err)
{
    const mn_node node = d->nodes[e];
    uint32_t either;
    *out = node.atom == MN_TERMINAL;
    if (*out || d->atoms[node.atom].ask == MN_ASK_LAST) return MN_OK;
    MN_TRY(mn_diagram_choose(d, &either, node.kid[0], MN_TRUE, node.kid[1], err));
    *out = either == node.kid[1];
    for (size_t k = 0; *out && k < 2; k++) MN_TRY(lasts(d, out, node.kid[k], err));
    return MN_OK;
}

static bool holds_first(const mn_diagrams *d, uint32_t e)
{
    while (d->nodes[e].atom != MN_TERMINAL) e = d->nodes[e].kid[0];
    return e == MN_TRUE;
}

static mn_status ask(mn_diagrams *d, uint32_t *out, mn_atom atom, mn_err *err)
{
    uint32_t id;
    MN_TRY(atom_of(d, &id, atom, err));
    return make(d, out, id, (const uint32_t[]){MN_FALSE, MN_TRUE}, err);
}

mn_status mn_diagram_once(mn_diagrams *d, uint32_t *out, uint32_t e, mn_err *err)
{
    bool stays;
    if (holds_first(d, e)) return *out = MN_TRUE, MN_OK;
    MN_TRY(lasts(d, &stays, e, err));
    if (stays) return *out = e, MN_OK;
    return ask(d, out, (mn_atom){.ask = MN_ASK_ONCE, .n = e}, err);
}

/* ---- programs -------------------------------------------------------------------------------------------------- */

/* By the last symbol: kid[0] where there is none. */
static mn_status by_last(mn_diagrams *d, uint32_t *out, const uint32_t *kid, mn_err *err)
{
    uint32_t atom;
    MN_TRY(atom_of(d, &atom, (mn_atom){.ask = MN_ASK_LAST}, err));
    return make(d, out, atom, kid, err);
}

static mn_status last_is(mn_diagrams *d, uint32_t *out, size_t x, mn_err *err)
{
    uint32_t kid[MN_DIAGRAM_KIDS] = {MN_FALSE};
    kid[x + 1] = MN_TRUE;
    return by_last(d, out, kid, err);
}

static mn_status always(mn_diagrams *d, uint32_t *out, size_t x, mn_err *err)
{
    mn_leaf leaf = {0};
    leaf.weights[x] = (uint8_t)mn_grid_denominator(d->A);
    return leaf_node(d, out, leaf, err);
}

static mn_status rotate(mn_diagrams *d, uint32_t *out, size_t x, mn_err *err)
{
    uint32_t kid[MN_DIAGRAM_KIDS] = {0};
    for (size_t k = 0; k <= d->A; k++) MN_TRY(always(d, &kid[k], k ? (k - 1 + x) % d->A : x, err));
    return by_last(d, out, kid, err);
}

mn_status mn_diagram_of(mn_diagrams *d, uint32_t *out, const mn_term *t, mn_err *err)
{
    mn_leaf leaf = {0};
    switch (t->op) {
    case MN_ALWAYS: return always(d, out, t->x, err);
    case MN_MIX: mn_grid_weights(leaf.weights, d->A, t->n); return leaf_node(d, out, leaf, err);
    case MN_ROTATE: return rotate(d, out, t->x, err);
    case MN_COUNT: /* multiples of A run through all symbols alike */
        leaf.count = t->n % d->A ? t->n : (uint32_t)d->A;
        return leaf_node(d, out, leaf, err);
    case MN_LAST: return last_is(d, out, t->x, err);
    case MN_SEEN: return ask(d, out, (mn_atom){.ask = MN_ASK_TIMES, .x = t->x, .n = 1}, err);
    case MN_PAIR: return ask(d, out, (mn_atom){.ask = MN_ASK_PAIR, .x = t->x, .y = t->y}, err);
    case MN_TIMES: return ask(d, out, (mn_atom){.ask = MN_ASK_TIMES, .x = t->x, .n = t->n}, err);
    default: return ask(d, out, (mn_atom){.ask = MN_ASK_TIME, .n = t->n}, err);
    }
}

static mn_status build(mn_diagrams *d, uint32_t *out, const mn_terms *terms, size_t *i, mn_err *err)
{
    const mn_term *t = &terms->at[(*i)++];
    uint32_t part[3] = {0};
    size_t parts = 0;
    for (const char *c = mn_op_code[t->op]; *c; c++)
        if (*c == 'E' || *c == 'P') MN_TRY(build(d, &part[parts++], terms, i, err));
    switch (t->op) {
    case MN_NOT: return mn_diagram_choose(d, out, part[0], MN_FALSE, MN_TRUE, err);
    case MN_AND: return mn_diagram_choose(d, out, part[0], part[1], MN_FALSE, err);
    case MN_UNTIL:
        MN_TRY(mn_diagram_once(d, &part[0], part[0], err));
        return mn_diagram_choose(d, out, part[0], part[2], part[1], err);
    case MN_IF: return mn_diagram_choose(d, out, part[0], part[1], part[2], err);
    default: return mn_diagram_of(d, out, t, err);
    }
}

mn_status mn_diagram_build(mn_diagrams *d, uint32_t *out, const mn_terms *terms, mn_err *err)
{
    size_t i = 0;
    return build(d, out, terms, &i, err);
}

/* ---- histories ------------------------------------------------------------------------------------------------- */

void mn_past_add(mn_past *past, int32_t symbol)
{
    if (past->last) past->pairs[past->last - 1][symbol] = 1;
    past->last = (uint32_t)symbol + 1;
    past->counts[symbol]++;
    past->n++;
}

/* Events of MN_ASK_ONCE ask nothing of that kind, so the answers they need are there before. */
void mn_diagram_answer(uint8_t *answers, const mn_diagrams *d, const mn_past *past)
{
    for (size_t i = 0; i < d->n_atoms; i++) {
        const mn_atom *a = &d->atoms[i];
        if (a->ask == MN_ASK_LAST)
            answers[i] = (uint8_t)past->last;
        else if (a->ask == MN_ASK_TIMES)
            answers[i] = past->counts[a->x] >= a->n;
        else if (a->ask == MN_ASK_PAIR)
            answers[i] = past->pairs[a->x][a->y];
        else if (a->ask == MN_ASK_TIME)
            answers[i] = past->n / 2 >= a->n;
    }
    for (size_t i = 0; i < d->n_atoms; i++)
        if (d->atoms[i].ask == MN_ASK_ONCE && !answers[i]) answers[i] = mn_diagram_leaf(d, answers, d->atoms[i].n) == MN_TRUE;
}

void mn_leaf_say(double *p, const mn_diagrams *d, size_t l, const mn_past *past)
{
    const mn_leaf *leaf = &d->leaves[l];
    for (size_t a = 0; a < d->A; a++)
        p[a] = leaf->count ? past->n / 2 % leaf->count % d->A == a : leaf->weights[a] / (double)mn_grid_denominator(d->A);
}
