/* The byte model's mathematics: estimates, weighting or switching along the contexts, and the paths of a byte. */
#include <math.h>
#include <string.h>

#include "predict/bytes.h"

/* The nodes before those of contexts: 0 is none, 1 is the clock (c[0] bytes were learnt), then the places of the contexts before the
 * start of a timeline, the empty one first; then those of contexts that end inside a byte, a row for each byte before it, with one for
 * NOTHING before the start of a timeline, and the last for the nearest byte. NOTHING has the bits of byte 0. */
enum { CLOCK = 1, START = 4, NOTHING = 256, ROWS = 258 };

/* Dirichlet parameter of the counts. 1/4 is 0.5% shorter on text than the Krichevsky-Trofimov 1/2; Veness et al. take 1/16. */
static const double a0 = .25;
/* Prior odds of a context's end: 1/2 at the borders of bytes (Willems), 1/10 inside a byte. */
static const double border_odds = 1, inside_odds = 1. / 9;
/* The odds of counts against certainty stay above this: with discounted counts nothing else keeps them from 0. */
static const double least_doubt = 1e-12;
static const double least_odds = 1e-250, most_odds = 1e250;

static bool is_tail(const mn_bytes_node *node)
{
    return node->next[0] >= MN_BYTES_TAIL;
}

static unsigned bit_of(unsigned x, unsigned p)
{
    return x >> (7 - p) & 1;
}

/* ---- numbers of one decision --------------------------------------------------------------------------------- */

/* The zero-redundancy estimator (Willems 2013): 1/2 by counts + 1/4 always 0 + 1/4 always 1. Probability of bit x. */
static inline double estimate(const mn_bytes_node *v, unsigned x)
{
    if (v->c[0] >= 0 && v->c[1] >= 0) return (v->c[x] + a0) / (v->c[0] + v->c[1] + 2 * a0);
    unsigned seen = v->c[0] < 0;
    double doubt = -v->c[!seen], total = v->c[seen] + 2 * a0;
    return (doubt * ((x == seen ? v->c[seen] : 0) + a0) / total + (x == seen)) / (doubt + 1);
}

static inline void count(mn_bytes_node *v, unsigned x, double discount)
{
    if (v->c[0] == 0 && v->c[1] == 0) {
        v->c[!x] = -1; /* (1/2)(1/2) by counts, 1/4 by certainty */
    } else if (v->c[x] > 0 && v->c[!x] < 0) {
        v->c[!x] = -fmax(-v->c[!x] * (v->c[x] + a0) / (v->c[x] + 2 * a0), least_doubt);
        v->c[x] *= discount;
    } else {
        v->c[x] = fmax(v->c[x], 0) * discount;
        v->c[!x] *= discount;
    }
    v->c[x]++;
}

/* Probability of bit x in a context that may go on to a longer one, which says `below`. */
static inline double weigh(const mn_bytes_node *v, unsigned x, double below)
{
    return (v->odds * estimate(v, x) + below) / (v->odds + 1);
}

/* The same, and learns it. With P(here), P(longer) the parts of the probability, S their sum, both become a S + (1 - 2a) P
 * (Veness et al. 2012, algorithm 1); a = 0 is weighting. */
static inline double learn(mn_bytes_node *v, unsigned x, double below, double a, double discount)
{
    double here = v->odds * estimate(v, x), sum = here + below, p = sum / (v->odds + 1);
    v->odds = fmin(fmax((a * sum + (1 - 2 * a) * here) / (a * sum + (1 - 2 * a) * below), least_odds), most_odds);
    count(v, x, discount);
    return p;
}

/* ---- memory ---------------------------------------------------------------------------------------------------- */

mn_status mn_bytes_cursor_new(mn_bytes_cursor *cursor, const mn_bytes *b, mn_err *err)
{
    MN_ALLOC_OR_FAIL(cursor->place, b->opts.depth + 1, err);
    return MN_OK;
}

mn_status mn_bytes_paths_new(mn_bytes_paths *w, const mn_bytes *b, mn_err *err)
{
    MN_ALLOC_OR_FAIL(w->tail_p, b->C, err);
    MN_ALLOC_OR_FAIL(w->place, b->C, err);
    MN_ALLOC_OR_FAIL(w->leaf, b->C, err);
    MN_ALLOC_OR_FAIL(w->tail, b->C, err);
    MN_ALLOC_OR_FAIL(w->first, b->C, err);
    MN_ALLOC_OR_FAIL(w->nodes, 9 * b->C, err);
    MN_ALLOC_OR_FAIL(w->decided, b->C, err);
    return MN_OK;
}

void mn_bytes_paths_free(mn_bytes_paths *w)
{
    free(w->tail_p);
    free(w->place);
    free(w->leaf);
    free(w->tail);
    free(w->first);
    free(w->nodes);
    free(w->decided);
}

static size_t inside_bytes(const mn_bytes *b)
{
    size_t most = b->opts.switching ? MN_BYTES_INSIDE : 0;
    return b->opts.depth < most ? b->opts.depth : most;
}

mn_status mn_bytes_plant(mn_bytes *b, mn_err *err)
{
    size_t depth = b->opts.depth, inside = inside_bytes(b), c = 0;
    b->C = depth + 1 + 7 * inside;
    b->inside = (uint32_t)(START + depth + 1);
    MN_ALLOC_OR_FAIL(b->odds, b->C, err);
    for (size_t d = 0; d <= depth; d++) {
        for (size_t j = 0; d && d <= inside && j < 7; j++) b->odds[c++] = inside_odds;
        b->odds[c++] = border_odds;
    }
    size_t n = (b->inside + (inside ? ROWS * 256 : 0)) / 2 + 1;
    MN_TRY(mn_bytes_reserve(&b->store, n, 0, err));
    memset(b->store.nodes, 0, n * sizeof *b->store.nodes);
    b->store.n = (uint32_t)n;
    return MN_OK;
}

mn_status mn_bytes_make_room(const mn_bytes *b, mn_bytes_store *store, mn_err *err)
{
    /* A split gives at most 8 nodes, a new path 1, and each changes at most its 8 decisions, a tail and the place it hangs at, twice. */
    return mn_bytes_reserve(store, 10 * b->C, 20 * b->C + 1, err);
}

/* ---- contexts ------------------------------------------------------------------------------------------------------ */

static uint32_t link_at(const mn_bytes_store *store, uint32_t place)
{
    return mn_bytes_at(store, place / 2)->next[place % 2];
}

void mn_bytes_start(mn_bytes_cursor *cursor, const mn_bytes *b)
{
    for (size_t d = 0; d <= b->opts.depth; d++) cursor->place[d] = (uint32_t)(START + d);
    for (size_t k = 0; k < MN_BYTES_INSIDE; k++) cursor->last[k] = NOTHING;
}

/* Where byte x, which the store has, ends in the tree of a context. */
static uint32_t leaf_of(const mn_bytes_store *store, uint32_t place, unsigned x)
{
    uint32_t i = link_at(store, place);
    for (unsigned p = 0;; p++) {
        const mn_bytes_node *v = mn_bytes_at(store, i);
        if (is_tail(v)) return 2 * i + 1;
        if (p == 7) return 2 * i + bit_of(x, p);
        i = v->next[bit_of(x, p)];
    }
}

void mn_bytes_locate(mn_bytes_cursor *cursor, const mn_bytes *b, const mn_bytes_store *store, const int32_t *ids, size_t n)
{
    size_t depth = b->opts.depth, from = n > depth ? n - depth : 0, known = from ? 0 : depth;
    mn_bytes_start(cursor, b);
    for (size_t t = from; t < n; t++) {
        known = known < depth ? known + 1 : depth;
        for (size_t d = known; d > 0; d--) cursor->place[d] = leaf_of(store, cursor->place[d - 1], (unsigned)ids[t]);
    }
    for (size_t k = 0; k < MN_BYTES_INSIDE && k < n; k++) cursor->last[k] = (uint16_t)ids[n - 1 - k];
}

/* The places of all contexts, the empty one first. */
static void find_places(uint32_t *place, const mn_bytes *b, const mn_bytes_cursor *cursor)
{
    size_t inside = inside_bytes(b);
    *place++ = cursor->place[0];
    for (size_t d = 1; d <= b->opts.depth; d++) {
        uint32_t row = b->inside + 256 * (d == 1 ? ROWS - 1u : cursor->last[0]);
        for (unsigned j = 1; d <= inside && j < 8; j++) *place++ = row + (1u << j | (cursor->last[d - 1] & 255u) >> (8 - j));
        *place++ = cursor->place[d];
    }
}

static void move(mn_bytes_cursor *cursor, const mn_bytes *b, const uint32_t *leaf, unsigned x)
{
    size_t inside = inside_bytes(b), c = 0;
    for (size_t d = 1; d <= b->opts.depth; d++) {
        cursor->place[d] = leaf[c];
        c += d <= inside ? 8 : 1;
    }
    memmove(cursor->last + 1, cursor->last, sizeof cursor->last - sizeof *cursor->last);
    cursor->last[0] = (uint16_t)x;
}

/* ---- the path of a byte in one tree ---------------------------------------------------------------------------------- */

static uint32_t add_tail(mn_bytes_store *store, unsigned x, double odds)
{
    return mn_bytes_add(store, (mn_bytes_node){.odds = odds, .next = {MN_BYTES_TAIL + x}});
}

/* Makes decisions of a tail from decision p to the first that parts its byte from x; all of them have seen what it has. */
static void split(mn_bytes_store *store, uint32_t i, unsigned p, unsigned x)
{
    const mn_bytes_node tail = *mn_bytes_at(store, i);
    unsigned y = tail.next[0] - MN_BYTES_TAIL;
    for (bool parted = false; !parted; p++) {
        unsigned bit = bit_of(y, p);
        mn_bytes_node v = {.odds = tail.odds};
        v.c[bit] = tail.c[0];
        v.c[!bit] = tail.c[1];
        parted = bit != bit_of(x, p);
        v.next[bit] = p == 7 ? tail.next[1] : mn_bytes_add(store, tail);
        *mn_bytes_change(store, i) = v;
        i = v.next[bit];
    }
}

/* Follows byte x through the tree of context c from its first node on, making what is missing. */
static void walk(const mn_bytes *b, mn_bytes_store *store, mn_bytes_paths *w, size_t c, unsigned x)
{
    uint32_t i = w->first[c];
    w->tail[c] = 0;
    for (unsigned p = 0; p < 8; p++) {
        const mn_bytes_node *v = mn_bytes_at(store, i);
        if (v->next[0] == MN_BYTES_TAIL + x) {
            w->decided[c] = (unsigned char)p;
            w->tail[c] = i;
            w->leaf[c] = 2 * i + 1;
            return;
        }
        if (is_tail(v)) split(store, i, p, x);
        w->nodes[p * b->C + c] = i;
        w->leaf[c] = 2 * i + bit_of(x, p);
        i = link_at(store, w->leaf[c]);
        if (i || p == 7) continue;
        i = add_tail(store, x, b->odds[c]);
        mn_bytes_change(store, w->leaf[c] / 2)->next[w->leaf[c] % 2] = i;
    }
    w->decided[c] = 8;
}

/* The first node of each context. All are found before any tail is split, which would move the places in it. */
static void find_first(const mn_bytes *b, mn_bytes_store *store, mn_bytes_paths *w, unsigned x)
{
    for (size_t c = 0; c < b->C; c++) {
        w->first[c] = link_at(store, w->place[c]);
        if (w->first[c]) continue;
        w->first[c] = add_tail(store, x, b->odds[c]);
        mn_bytes_change(store, w->place[c] / 2)->next[w->place[c] % 2] = w->first[c];
    }
}

/* ---- learning a byte ------------------------------------------------------------------------------------------------- */

static double learn_node(const mn_bytes *b, mn_bytes_store *store, uint32_t i, size_t c, unsigned x, double below, double a)
{
    mn_bytes_node *v = mn_bytes_change(store, i);
    if (c + 1 < b->C) return learn(v, x, below, a, b->opts.discount);
    double p = estimate(v, x);
    count(v, x, b->opts.discount);
    return p;
}

/* A longer context has no more decisions before its tail than a shorter one, so what the tails say is found once. */
static double learn_path(const mn_bytes *b, mn_bytes_store *store, const mn_bytes_paths *w, unsigned x, double a)
{
    double p = 1, below = 0;
    size_t tails = b->C;
    while (tails > 0 && w->decided[tails - 1] < 8) {
        tails--;
        w->tail_p[tails] = below = learn_node(b, store, w->tail[tails], tails, 0, below, a);
    }
    for (unsigned at = 0; at < 8; at++) {
        size_t c = b->C;
        while (c > 0 && w->decided[c - 1] <= at) c--;
        below = c < b->C ? w->tail_p[c] : 0;
        while (c-- > 0) below = learn_node(b, store, w->nodes[at * b->C + c], c, bit_of(x, at), below, a);
        p *= below;
    }
    return p;
}

double mn_bytes_visit(const mn_bytes *b, mn_bytes_store *store, mn_bytes_cursor *cursor, mn_bytes_paths *w, unsigned x, bool learns)
{
    double p = 1;
    find_places(w->place, b, cursor);
    find_first(b, store, w, x);
    for (size_t c = 0; c < b->C; c++) walk(b, store, w, c, x);
    if (learns) {
        mn_bytes_node *clock = mn_bytes_change(store, CLOCK);
        p = learn_path(b, store, w, x, b->opts.switching ? 1 / (clock->c[0] + 3) : 0);
        clock->c[0]++;
    }
    move(cursor, b, w->leaf, x);
    return p;
}

/* ---- all bytes at once ------------------------------------------------------------------------------------------------ */

/* Decision p after the bits of prefix, which have probability mass: the first n contexts have nodes for it. */
typedef struct spreading {
    double *out;
    const mn_bytes *b;
    const mn_bytes_store *store;
    mn_bytes_paths *w;
} spreading;

static size_t follow(const spreading *s, unsigned p, size_t n, unsigned bit)
{
    const uint32_t *from = s->w->nodes + p * s->b->C;
    uint32_t *to = s->w->nodes + (p + 1) * s->b->C;
    for (size_t c = 0; c < n; c++) {
        const mn_bytes_node *v = mn_bytes_at(s->store, from[c]);
        to[c] = !is_tail(v) ? v->next[bit] : bit_of(v->next[0], p) == bit ? from[c] : 0;
        if (!to[c]) return c;
    }
    return n;
}

static double probability(const spreading *s, unsigned p, size_t n, unsigned bit)
{
    double below = .5;
    for (size_t c = n; c-- > 0;) {
        const mn_bytes_node *v = mn_bytes_at(s->store, s->w->nodes[p * s->b->C + c]);
        unsigned x = is_tail(v) ? bit_of(v->next[0], p) != bit : bit;
        below = c + 1 < s->b->C ? weigh(v, x, below) : estimate(v, x);
    }
    return below;
}

static void spread(const spreading *s, unsigned p, size_t n, unsigned prefix, double mass)
{
    if (p == 8) {
        s->out[prefix] = mass;
        return;
    }
    for (unsigned bit = 0; bit < 2; bit++)
        spread(s, p + 1, p < 7 ? follow(s, p, n, bit) : 0, prefix << 1 | bit, mass * probability(s, p, n, bit));
}

void mn_bytes_predict(double *out, const mn_bytes *b, const mn_bytes_store *store, const mn_bytes_cursor *cursor, mn_bytes_paths *w)
{
    spreading s = {out, b, store, w};
    size_t n = 0;
    find_places(w->place, b, cursor);
    while (n < b->C && (w->nodes[n] = link_at(store, w->place[n]))) n++;
    spread(&s, 0, n, 0, 1);
}
