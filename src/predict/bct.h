/* The inside of context trees, for what computes on them: the k best trees, draws, files. Private to src/predict. */
#ifndef MN_BCT_H
#define MN_BCT_H

#include "predict/predict.h"

/* A tree as flat arrays without pointers inside: saved as they are, and read from a mapping. A node is an index into nodes: the
 * root is 0, and as a child or link 0 is none. A child's index is larger than its parent's. */
typedef struct mn_bct_node {
    double odds;     /* beta P_e / ((1-beta) prod P_w,child) is odds * 2^(512 scale); means nothing at depth D */
    int32_t scale;
    uint32_t total;  /* sum of the counts */
    uint32_t block;  /* index of its first entry */
    uint32_t used;   /* entries with a key */
} mn_bct_node;

/* What a node knows of one symbol. */
typedef struct mn_bct_entry {
    uint32_t key;    /* symbol + 1; 0: not used */
    uint32_t count;  /* how often the symbol came next */
    uint32_t child;  /* the context one symbol longer: this symbol before it */
    uint32_t link;   /* the context when this symbol has come, one longer; 0 also where not known yet (a shortcut, no more) */
} mn_bct_entry;

enum {
    MN_BCT_CLASSES = 18, /* blocks of 1, 2, 4, ..., 2^17 entries */
    MN_BCT_CHUNK = 4096  /* symbols learnt at a time */
};

/* dense: node i has entries[i*A .. i*A+A), symbol s at s. Else a hash table of 2^k entries that grows with its use. */
typedef struct mn_bct_store {
    size_t A;
    bool dense;
    bool mapped;                    /* the arrays are not ours: never written, never freed */
    size_t n_nodes, room_nodes, n_entries, room_entries;
    mn_bct_node *nodes;             /* [n_nodes] */
    mn_bct_entry *entries;          /* [n_entries] */
    uint32_t spare[MN_BCT_CLASSES]; /* blocks given back, by size: lists through link; 0: none */
} mn_bct_store;

/* A model is opts, store, symbols and predicted; the rest follows from opts or is where the last sequence stands. */
typedef struct mn_bct {
    mn_model model;
    size_t D;
    double beta, log_beta, log_rest; /* ln beta, ln(1-beta) */
    int32_t start;
    size_t members;
    char *names;                     /* A texts, each with a NUL at its end */
    size_t *name_at;                 /* [A] */
    mn_bct_node fresh;               /* a node that has seen nothing */
    mn_bct_store store;
    uint64_t symbols, predicted;
    void *mapping;                   /* released by munmap where not NULL */
    size_t mapping_size;
    struct mn_bct_unchecked *unchecked; /* of a mapped tree (bct_file.h); NULL: all of it is known to be what was saved */
    int32_t *recent;                 /* [D] the sequence's last symbols, the most recent first */
    size_t known;                    /* so many of them */
    /* Scratches of learning. */
    int32_t *window;                 /* [D+MN_BCT_CHUNK] recent in the order of time, and what comes after */
    uint32_t *path, *before, *entry; /* [D+1] by depth: nodes of this context (0: not looked up), of the last; entries */
} mn_bct;

/* MN_ERR_INPUT for what is no symbol. */
MN_CHECKED mn_status mn_bct_check_symbols(const mn_bct *bct, const int32_t *ids, size_t n, mn_err *err);

/* ---- reading ---- */

static inline size_t mn_bct_block_size(uint32_t used)
{
    size_t least = used <= 4 ? used : ((size_t)used * 4 + 2) / 3, size = 1;
    while (size < least) size *= 2;
    return size;
}

/* Entries [*n] of a node, in no order; those with key 0 are not used. */
static inline const mn_bct_entry *mn_bct_entries(const mn_bct_store *store, uint32_t node, size_t *n)
{
    const mn_bct_node *v = &store->nodes[node];
    *n = store->dense ? store->A : v->used ? mn_bct_block_size(v->used) : 0;
    return store->entries + v->block;
}
const mn_bct_entry *mn_bct_find_sparse(const mn_bct_store *store, uint32_t node, uint32_t symbol);
/* The entry of a symbol, NULL where there is none. */
static inline const mn_bct_entry *mn_bct_find(const mn_bct_store *store, uint32_t node, uint32_t symbol)
{
    if (!store->dense) return mn_bct_find_sparse(store, node, symbol);
    const mn_bct_entry *e = &store->entries[(size_t)node * store->A + symbol];
    return e->key ? e : NULL;
}
/* 0: not seen. */
static inline uint32_t mn_bct_child(const mn_bct_store *store, uint32_t node, uint32_t symbol)
{
    const mn_bct_entry *e = mn_bct_find(store, node, symbol);
    return e ? e->child : 0;
}
/* Nodes of a context, most recent symbol first: path: [length+1], the root's first. How many there are, 1..length+1. */
size_t mn_bct_walk(const mn_bct_store *store, uint32_t *path, const int32_t *context, size_t length);

/* ln P_e: the Dirichlet(1/2) evidence of a node's counts, = sum_s ln G(c_s+1/2)/G(1/2) - ln G(n+A/2)/G(A/2). O(its entries). */
double mn_bct_log_estimate(const mn_bct *bct, uint32_t node);
/* ln of the node's odds. */
double mn_bct_log_odds(const mn_bct_node *node);
/* ln P_w of a node at a depth: ln P_e at depth D, else from P_w = beta P_e (1 + 1/odds). O(its entries). */
double mn_bct_log_weighted(const mn_bct *bct, uint32_t node, size_t depth);

/* ---- writing: what a model and the sessions that learn have in common ---- */

MN_CHECKED mn_status mn_bct_store_init(mn_bct_store *store, size_t A, bool dense, mn_bct_node root, mn_err *err);
void mn_bct_store_free(mn_bct_store *store);
/* A copy with arrays of its own; also of a mapped one. */
MN_CHECKED mn_status mn_bct_store_copy(mn_bct_store *out, const mn_bct_store *store, mn_err *err);
MN_CHECKED mn_status mn_bct_make_entry(uint32_t *entry, mn_bct_store *store, uint32_t node, uint32_t symbol, mn_err *err);
/* Entry of a symbol, made where there is none. Afterwards other entries of this node may be elsewhere. */
static inline mn_status mn_bct_entry_at(uint32_t *entry, mn_bct_store *store, uint32_t node, uint32_t symbol, mn_err *err)
{
    size_t at = (size_t)node * store->A + symbol;
    if (!store->dense || !store->entries[at].key) return mn_bct_make_entry(entry, store, node, symbol, err);
    *entry = (uint32_t)at;
    return MN_OK;
}
/* The child of a node, made as a copy of fresh where there is none. */
MN_CHECKED mn_status mn_bct_child_at(uint32_t *child, mn_bct_store *store, uint32_t node, uint32_t symbol, mn_bct_node fresh,
                                     mn_err *err);

/* The odds as far as weights can tell: beyond 2^256 one of the two sides weighs nothing in double. */
static inline double mn_bct_odds(const mn_bct_node *node)
{
    return node->scale == 0 ? node->odds : node->scale > 0 ? 0x1p300 : 0x1p-300;
}
/* Multiplies the odds; factor within 2^-200 and 2^200. */
static inline void mn_bct_raise(mn_bct_node *node, double factor)
{
    node->odds *= factor;
    if (node->odds > 0x1p256) {
        node->odds *= 0x1p-512;
        node->scale++;
    } else if (node->odds < 0x1p-256) {
        node->odds *= 0x1p512;
        node->scale--;
    }
}

/* Probabilities of the next symbol, p: [A], from `found` nodes of path, which would go to depth `length` had all been seen:
 * there, and nowhere else, a node is a leaf. own: what a session has learnt beside it (nodes with odds of their own, counts in
 * addition); NULL: nothing. */
void mn_bct_mix(double *p, const mn_bct *bct, const uint32_t *path, size_t found, const mn_bct_store *own,
                const uint32_t *own_path, size_t own_found, size_t length);

extern const mn_kind mn_bct_kind;
void mn_bct_free(mn_model *model);
/* Counts of the session's context at hand (its last D symbols, or what there is), with those it has learnt. counts: [A]. */
MN_CHECKED mn_status mn_bct_session_counts(mn_session *session, uint64_t *counts, mn_err *err);
/* The context itself, most recent symbol first, into context: [D]; how many symbols: D where the model has a start symbol. */
size_t mn_bct_session_context(const mn_session *session, int32_t *context);

#endif
