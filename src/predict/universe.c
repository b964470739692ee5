#include "predict/universe.h"

#include <math.h>
#include <string.h>

/* Where each diagram stands in the list that is being made. */
typedef struct marks {
    size_t room;
    uint32_t *at; /* [room] place in the list + 1 */
} marks;

typedef struct counting {
    mn_universe *u;
    marks marks;
    mn_err *err;
} counting;

static mn_status make_room(marks *m, size_t n, mn_err *err)
{
    if (n <= m->room) return MN_OK;
    uint32_t *at = realloc(m->at, 2 * n * sizeof *at);
    if (!at) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    memset(at + m->room, 0, (2 * n - m->room) * sizeof *at);
    m->at = at;
    m->room = 2 * n;
    return MN_OK;
}

static mn_status extend(mn_census *list, mn_err *err)
{
    size_t room = list->room ? 2 * list->room : 16;
    uint32_t *node = realloc(list->node, room * sizeof *node);
    if (node) list->node = node;
    uint64_t *count = node ? realloc(list->count, room * sizeof *count) : NULL;
    if (!count) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    list->count = count;
    list->room = room;
    return MN_OK;
}

static mn_status add(counting *c, mn_census *list, uint32_t node, uint64_t count)
{
    MN_TRY(make_room(&c->marks, (size_t)node + 1, c->err));
    if (!c->marks.at[node]) {
        if (list->n == list->room) MN_TRY(extend(list, c->err));
        list->node[list->n] = node;
        list->count[list->n] = 0;
        c->marks.at[node] = (uint32_t)++list->n;
    }
    list->count[c->marks.at[node] - 1] += count;
    return MN_OK;
}

static void unmark(counting *c, const mn_census *list)
{
    for (size_t i = 0; i < list->n; i++) c->marks.at[list->node[i]] = 0;
}

/* ---- terms without parts --------------------------------------------------------------------------------------- */

/* Arguments that an op has: how many values each may take within the universe's length. */
static size_t values(const counting *c, mn_op op, char letter)
{
    size_t A = c->u->d.A;
    if (!strchr(mn_op_code[op], letter)) return 1;
    if (letter == 'm') return mn_grid_size(A);
    if (letter == 'g' || letter == 'h') return (size_t)1 << c->u->bits / 2;
    return A;
}

/* Those of exactly `bits`. */
static mn_status add_leaves(counting *c, mn_census *list, mn_op op, size_t bits)
{
    mn_term term = {.op = op};
    mn_terms terms = {.A = c->u->d.A, .n = 1, .at = &term};
    char number = strchr(mn_op_code[op], 'm') ? 'm' : strchr(mn_op_code[op], 'h') ? 'h' : 'g';
    size_t least = number == 'm' || !strchr(mn_op_code[op], number) ? 0 : number == 'h' ? 2 : 1;
    for (size_t x = 0; x < values(c, op, 'x'); x++)
        for (size_t y = 0; y < values(c, op, 'y'); y++)
            for (size_t n = 0; n < values(c, op, number); n++) {
                uint32_t node;
                term = (mn_term){.op = op, .x = (uint8_t)x, .y = (uint8_t)y, .n = (uint32_t)(n + least)};
                size_t own = mn_term_bits(&terms, 0);
                if (own > bits) break; /* codes of numbers do not get shorter */
                if (own != bits) continue;
                MN_TRY(mn_diagram_of(&c->u->d, &node, &term, c->err));
                MN_TRY(add(c, list, node, 1));
            }
    return MN_OK;
}

/* ---- terms with parts: o of the bits are the term's own -------------------------------------------------------- */

static mn_status add_not(counting *c, mn_census *list, size_t bits)
{
    const mn_census *events = c->u->events;
    uint32_t node;
    for (size_t i = 0; bits >= 3 && i < events[bits - 3].n; i++) {
        MN_TRY(mn_diagram_choose(&c->u->d, &node, events[bits - 3].node[i], MN_FALSE, MN_TRUE, c->err));
        MN_TRY(add(c, list, node, events[bits - 3].count[i]));
    }
    return MN_OK;
}

static mn_status add_and(counting *c, mn_census *list, size_t bits)
{
    uint32_t node;
    for (size_t left = 0; left + 3 <= bits; left++) {
        const mn_census *e = &c->u->events[left], *f = &c->u->events[bits - 3 - left];
        for (size_t i = 0; i < e->n; i++)
            for (size_t k = 0; k < f->n; k++) {
                MN_TRY(mn_diagram_choose(&c->u->d, &node, e->node[i], f->node[k], MN_FALSE, c->err));
                MN_TRY(add(c, list, node, e->count[i] * f->count[k]));
            }
    }
    return MN_OK;
}

static mn_status count_events(counting *c, size_t most)
{
    for (size_t bits = 1; bits <= most; bits++) {
        mn_census *list = &c->u->events[bits];
        for (int op = MN_LAST; op <= MN_TIME; op++) MN_TRY(add_leaves(c, list, (mn_op)op, bits));
        MN_TRY(add_not(c, list, bits));
        MN_TRY(add_and(c, list, bits));
        unmark(c, list);
    }
    return MN_OK;
}

/* if and until: event e chooses between programs of p and of q. */
static mn_status add_pairs(counting *c, mn_census *list, uint32_t e, uint64_t count, const mn_census *p, const mn_census *q)
{
    uint32_t node, once;
    MN_TRY(mn_diagram_once(&c->u->d, &once, e, c->err));
    for (size_t i = 0; i < p->n; i++)
        for (size_t k = 0; k < q->n; k++) {
            uint64_t programs = count * p->count[i] * q->count[k];
            MN_TRY(mn_diagram_choose(&c->u->d, &node, e, p->node[i], q->node[k], c->err));
            MN_TRY(add(c, list, node, programs));
            MN_TRY(mn_diagram_choose(&c->u->d, &node, once, q->node[k], p->node[i], c->err));
            MN_TRY(add(c, list, node, programs));
        }
    return MN_OK;
}

static mn_status add_branchings(counting *c, mn_census *list, size_t bits)
{
    for (size_t le = 0; le + 2 <= bits; le++) {
        const mn_census *e = &c->u->events[le];
        for (size_t lp = 0; e->n && le + lp + 2 <= bits; lp++) {
            const mn_census *p = &c->u->policies[lp], *q = &c->u->policies[bits - 2 - le - lp];
            for (size_t i = 0; p->n && q->n && i < e->n; i++) MN_TRY(add_pairs(c, list, e->node[i], e->count[i], p, q));
        }
    }
    return MN_OK;
}

static mn_status count_policies(counting *c)
{
    for (size_t bits = 1; bits <= c->u->bits; bits++) {
        mn_census *list = &c->u->policies[bits];
        static const mn_op ops[] = {MN_ALWAYS, MN_MIX, MN_ROTATE, MN_COUNT};
        for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) MN_TRY(add_leaves(c, list, ops[i], bits));
        MN_TRY(add_branchings(c, list, bits));
        unmark(c, list);
    }
    return MN_OK;
}

/* ---- all lengths together -------------------------------------------------------------------------------------- */

static mn_status gather(counting *c)
{
    mn_universe *u = c->u;
    mn_census all = {0};
    mn_status status = MN_OK;
    for (size_t bits = 1; status == MN_OK && bits <= u->bits; bits++)
        for (size_t i = 0; status == MN_OK && i < u->policies[bits].n; i++)
            status = add(c, &all, u->policies[bits].node[i], u->policies[bits].count[i] << (u->bits - bits));
    u->n = all.n;
    u->root = all.node;
    if (status == MN_OK) u->weight = mn_alloc(u->n, sizeof *u->weight);
    if (u->weight) u->shortest = mn_alloc(u->n, sizeof *u->shortest);
    if (status == MN_OK && !u->shortest) status = mn_fail(c->err, MN_ERR_MEMORY, "out of memory");
    for (size_t i = 0; status == MN_OK && i < u->n; i++) u->weight[i] = ldexp((double)all.count[i], -(int)u->bits);
    for (size_t bits = u->bits; status == MN_OK && bits; bits--)
        for (size_t i = 0; i < u->policies[bits].n; i++) {
            u->shortest[c->marks.at[u->policies[bits].node[i]] - 1] = (uint8_t)bits;
            u->programs += u->policies[bits].count[i];
        }
    free(all.count);
    return status;
}

static mn_status begin(mn_universe *u, size_t A, size_t bits, mn_err *err)
{
    *u = (mn_universe){0};
    if (A < 2 || A > MN_PROGRAM_SYMBOLS)
        return mn_fail(err, MN_ERR_LIMIT, "%zu symbols: programs have 2 to %d", A, MN_PROGRAM_SYMBOLS);
    if (!bits || bits > MN_UNIVERSE_BITS)
        return mn_fail(err, MN_ERR_LIMIT, "programs of up to %zu bits: expected 1 to %d", bits, MN_UNIVERSE_BITS);
    u->bits = bits;
    MN_TRY(mn_diagrams_open(&u->d, A, err));
    MN_ALLOC_OR_FAIL(u->events, bits + 1, err);
    MN_ALLOC_OR_FAIL(u->policies, bits + 1, err);
    return MN_OK;
}

mn_status mn_universe_open(mn_universe *u, size_t A, size_t bits, mn_err *err)
{
    counting c = {.u = u, .err = err};
    MN_TRY(begin(u, A, bits, err));
    mn_status status = count_events(&c, bits < 10 ? 0 : bits - 10); /* a branching and two policies take 10 */
    if (status == MN_OK) status = count_policies(&c);
    if (status == MN_OK) status = gather(&c);
    free(c.marks.at);
    return status;
}

mn_status mn_universe_events(mn_universe *u, size_t A, size_t bits, mn_err *err)
{
    counting c = {.u = u, .err = err};
    MN_TRY(begin(u, A, bits, err));
    mn_status status = count_events(&c, bits);
    free(c.marks.at);
    return status;
}

mn_status mn_universe_of(mn_universe *u, const mn_terms *terms, mn_err *err)
{
    *u = (mn_universe){.n = 1, .programs = 1};
    for (size_t i = 0; i < terms->n; i++) u->bits += mn_term_bits(terms, i);
    MN_TRY(mn_diagrams_open(&u->d, terms->A, err));
    MN_ALLOC_OR_FAIL(u->root, 1, err);
    MN_ALLOC_OR_FAIL(u->weight, 1, err);
    u->weight[0] = ldexp(1, -(int)u->bits);
    return mn_diagram_build(&u->d, &u->root[0], terms, err);
}

static void free_census(mn_census *list, size_t n)
{
    for (size_t i = 0; list && i < n; i++) {
        free(list[i].node);
        free(list[i].count);
    }
    free(list);
}

void mn_universe_close(mn_universe *u)
{
    mn_diagrams_close(&u->d);
    free_census(u->events, u->bits + 1);
    free_census(u->policies, u->bits + 1);
    free(u->root);
    free(u->weight);
    free(u->shortest);
    *u = (mn_universe){0};
}
