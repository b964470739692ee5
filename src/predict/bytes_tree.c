/* The byte model's mathematics: estimates, weighting or switching along the contexts, and the paths of a byte. */
#include <math.h>
#include <string.h>

#include "predict/bytes.h"

/* The nodes before those of contexts: 0 is none, 1 the clock (c[0] bytes were learnt); then the places of contexts before the
 * start of a timeline, the empty one first; then those of contexts that end inside a byte: a row for each byte after it, one
 * for NOTHING, before the start of a timeline, and the last for the nearest byte. NOTHING has the bits of byte 0. */
enum { CLOCK = 1, START = 4, NOTHING = 256, ROWS = 258 };

/* Dirichlet parameter of the counts. 1/4 is 0.5% shorter on text than the Krichevsky-Trofimov 1/2; Veness et al. take 1/16. */
static const double a0 = .25;
/* Prior odds of a context's end: 1/2 at the borders of bytes (Willems), 1/5 after the second, fourth and sixth bit of one. */
static const double border_odds = 1, inside_odds = .25;
enum { ENDS = 3 };
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

static bool is_new(const mn_bytes_node *v)
{
    return v->c[0] == 0 && v->c[1] == 0;
}

static inline double more_of(double a, double b)
{
    return a > b ? a : b;
}

/* The zero-redundancy estimator (Willems 2013): 1/2 by counts + 1/4 always 0 + 1/4 always 1. Probability of bit x, *by_counts
 * that by counts alone. Without branches, which nothing could foretell: `doubt` is the odds of counts against certainty, of
 * which there is `certainty` 0 or 1. */
static inline double estimate(double *by_counts, const mn_bytes_node *v, unsigned x)
{
    double least = v->c[0] < v->c[1] ? v->c[0] : v->c[1], certainty = least < 0, doubt = more_of(-least, 1 - certainty);
    double mine = more_of(v->c[x], 0) + a0, total = mine + more_of(v->c[!x], 0) + a0;
    double scale = 1 / (total * (doubt + certainty));
    *by_counts = mine * (doubt + certainty) * scale;
    return (doubt * mine + (v->c[!x] < 0) * total) * scale;
}

static inline void count(mn_bytes_node *v, unsigned x, double by_counts, double discount)
{
    double other = v->c[!x];
    v->c[!x] = other < 0 ? -more_of(-other * by_counts, least_doubt) : other * discount;
    v->c[x] = more_of(v->c[x], 0) * discount + 1;
}

/* Probability of bit x in a context that may go on to a longer one, which says `below`. */
static inline double weigh(const mn_bytes_node *v, unsigned x, double below)
{
    double by_counts, scale = 1 / (v->odds + 1);
    if (is_new(v)) return .5;
    return v->odds * estimate(&by_counts, v, x) * scale + scale * below;
}

/* Learns it too. With P(here), P(longer) the parts of the probability, S their sum, both become a S + (1 - 2a) P
 * (Veness et al. 2012, algorithm 1); a = 0 is weighting. */
static inline double learn(mn_bytes_node *v, unsigned x, double below, double a, double discount)
{
    double by_counts, here = v->odds * estimate(&by_counts, v, x), scale = 1 / (v->odds + 1);
    double changed = a * (here + below), stays = 1 - 2 * a, odds = (changed + stays * here) / (changed + stays * below);
    count(v, x, by_counts, discount);
    v->odds = odds < least_odds ? least_odds : odds > most_odds ? most_odds : odds;
    return here * scale + scale * below;
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
    b->C = depth + 1 + ENDS * inside;
    b->inside = (uint32_t)(START + depth + 1);
    MN_ALLOC_OR_FAIL(b->odds, b->C, err);
    for (size_t d = 0; d <= depth; d++) {
        for (size_t j = 0; d && d <= inside && j < ENDS; j++) b->odds[c++] = inside_odds;
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
    /* For each context: a split gives at most 8 nodes and a new path 1; changed are at most 8 decisions, a tail, and the place
     * where the tree hangs, twice. */
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

/* Where byte x ends in the tree of a context; the place of no node if the store does not have it. */
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

/* In D steps every place has been found from the empty context's. */
void mn_bytes_locate(mn_bytes_cursor *cursor, const mn_bytes *b, const mn_bytes_store *store, const int32_t *ids, size_t n)
{
    size_t depth = b->opts.depth;
    mn_bytes_start(cursor, b);
    for (size_t t = n > depth ? n - depth : 0; t < n; t++)
        for (size_t d = depth; d > 0; d--) cursor->place[d] = leaf_of(store, cursor->place[d - 1], (unsigned)ids[t]);
    for (size_t k = 0; k < MN_BYTES_INSIDE && k < n; k++) cursor->last[k] = (uint16_t)ids[n - 1 - k];
}

/* The places of all contexts, the empty one first. */
static void find_places(uint32_t *place, const mn_bytes *b, const mn_bytes_cursor *cursor)
{
    size_t inside = inside_bytes(b);
    *place++ = cursor->place[0];
    for (size_t d = 1; d <= b->opts.depth; d++) {
        uint32_t row = b->inside + 256 * (d == 1 ? ROWS - 1u : cursor->last[0]);
        for (unsigned j = 2; d <= inside && j < 8; j += 2) *place++ = row + (1u << j | (cursor->last[d - 1] & 255u) >> (8 - j));
        *place++ = cursor->place[d];
    }
}

static void move(mn_bytes_cursor *cursor, const mn_bytes *b, const uint32_t *leaf, unsigned x)
{
    size_t inside = inside_bytes(b), c = 0;
    for (size_t d = 1; d <= b->opts.depth; d++) {
        cursor->place[d] = leaf[c];
        c += d <= inside ? ENDS + 1 : 1;
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

/* The node at a place, made where there is none. */
static uint32_t need(mn_bytes_store *store, uint32_t place, unsigned x, double odds)
{
    uint32_t i = link_at(store, place);
    if (!i) {
        i = add_tail(store, x, odds);
        mn_bytes_change(store, place / 2)->next[place % 2] = i;
    }
    if (!store->below) __builtin_prefetch(&store->nodes[i]); /* half of the time went in waiting for nodes */
    return i;
}

/* Follows byte x through decision p of context c; false: the rest is a tail. */
static bool decide(const mn_bytes *b, mn_bytes_store *store, mn_bytes_paths *w, size_t c, unsigned p, unsigned x)
{
    uint32_t i = w->nodes[p * b->C + c];
    const mn_bytes_node *v = mn_bytes_at(store, i);
    if (v->next[0] == MN_BYTES_TAIL + x) {
        w->decided[c] = (unsigned char)p;
        w->tail[c] = i;
        w->leaf[c] = 2 * i + 1;
        return false;
    }
    if (is_tail(v)) split(store, i, p, x);
    w->leaf[c] = 2 * i + bit_of(x, p);
    if (p < 7) w->nodes[(p + 1) * b->C + c] = need(store, w->leaf[c], x, b->odds[c]);
    return true;
}

/* Follows byte x through the trees of all contexts. Their first nodes are all found before any tail is split, which would move
 * the places in it. A longer context never has more decisions before its tail than a shorter one. */
static void walk(const mn_bytes *b, mn_bytes_store *store, mn_bytes_paths *w, unsigned x)
{
    size_t n = b->C;
    for (size_t c = 0; c < n; c++) w->nodes[c] = need(store, w->place[c], x, b->odds[c]);
    memset(w->decided, 8, n);
    for (unsigned p = 0; p < 8; p++) {
        size_t going = 0;
        for (size_t c = 0; c < n; c++) going += decide(b, store, w, c, p, x);
        n = going;
    }
}

/* ---- learning a byte ------------------------------------------------------------------------------------------------- */

static inline double learn_node(const mn_bytes *b, mn_bytes_store *store, uint32_t i, size_t c, unsigned x, double below,
                                double a)
{
    mn_bytes_node *v = mn_bytes_change(store, i);
    bool fresh = is_new(v);
    double p, by_counts;
    if (c + 1 < b->C) {
        p = learn(v, x, below, a, b->opts.discount);
    } else {
        p = estimate(&by_counts, v, x);
        count(v, x, by_counts, b->opts.discount);
    }
    if (!fresh) return p;
    v->c[!x] = -1; /* (1/2)(1/2) by counts, 1/4 by certainty */
    return .5;     /* to the bit, as where there is no node */
}

/* What the tails say is the same for each of their bits: found once. */
static double learn_path(const mn_bytes *b, mn_bytes_store *store, const mn_bytes_paths *w, unsigned x, double a)
{
    double p = 1, below = 0;
    size_t tails = b->C, n = b->C;
    while (tails > 0 && w->decided[tails - 1] < 8) {
        tails--;
        w->tail_p[tails] = below = learn_node(b, store, w->tail[tails], tails, 0, below, a);
    }
    for (unsigned at = 0; at < 8; at++) {
        while (n > 0 && w->decided[n - 1] <= at) n--;
        below = n < b->C ? w->tail_p[n] : 0;
        for (size_t c = n; c-- > 0;) below = learn_node(b, store, w->nodes[at * b->C + c], c, bit_of(x, at), below, a);
        p *= below;
    }
    return p;
}

double mn_bytes_visit(const mn_bytes *b, mn_bytes_store *store, mn_bytes_cursor *cursor, mn_bytes_paths *w, unsigned x,
                      bool learns)
{
    double p = 1;
    find_places(w->place, b, cursor);
    walk(b, store, w, x);
    if (learns) {
        mn_bytes_node *clock = mn_bytes_change(store, CLOCK);
        p = learn_path(b, store, w, x, b->opts.switching ? 1 / (clock->c[0] + 3) : 0);
        clock->c[0]++;
    }
    move(cursor, b, w->leaf, x);
    return p;
}

/* ---- all bytes at once ------------------------------------------------------------------------------------------------ */

typedef struct spreading {
    double *out;
    const mn_bytes *b;
    const mn_bytes_store *store;
    mn_bytes_paths *w;
} spreading;

/* The nodes after bit `bit` at decision p, for which the first n contexts have nodes. How many there are. */
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

/* Of bit `bit` at decision p. */
static double probability(const spreading *s, unsigned p, size_t n, unsigned bit)
{
    double below = .5, by_counts;
    for (size_t c = n; c-- > 0;) {
        const mn_bytes_node *v = mn_bytes_at(s->store, s->w->nodes[p * s->b->C + c]);
        unsigned x = is_tail(v) ? bit_of(v->next[0], p) != bit : bit;
        below = c + 1 < s->b->C ? weigh(v, x, below) : estimate(&by_counts, v, x);
    }
    return below;
}

/* Gives the bytes that begin with p bits, prefix, their shares of its probability. */
static void spread(const spreading *s, unsigned p, size_t n, unsigned prefix, double mass)
{
    if (p == 8) {
        s->out[prefix] = mass;
        return;
    }
    for (unsigned bit = 0; bit < 2; bit++)
        spread(s, p + 1, p < 7 ? follow(s, p, n, bit) : 0, prefix << 1 | bit, mass * probability(s, p, n, bit));
}

void mn_bytes_predict(double *out, const mn_bytes *b, const mn_bytes_store *store, const mn_bytes_cursor *cursor,
                      mn_bytes_paths *w)
{
    spreading s = {out, b, store, w};
    size_t n = 0;
    find_places(w->place, b, cursor);
    while (n < b->C && (w->nodes[n] = link_at(store, w->place[n]))) n++;
    spread(&s, 0, n, 0, 1);
}
