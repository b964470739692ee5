/* Inside of the byte model. Each context of whole bytes (and, with switching, of parts of the nearest bytes) has a binary tree
 * of decisions for the byte that follows. Where only one byte has followed so far, the rest of its path is one node, a tail:
 * all its decisions have seen the same, in this context and in every longer one, so their numbers are equal. The end of byte x
 * in context s leads to the tree of context xs, so that a context is found without a search, from the end of the last byte in
 * the context one shorter. Private to src/predict. */
#ifndef MN_BYTES_H
#define MN_BYTES_H

#include "predict/predict.h"

/* A decision, or a tail. */
typedef struct mn_bytes_node {
    double odds;       /* of the estimate here against the longer contexts' */
    double c[2];       /* zeros and ones; where only one has been seen, the other's place has minus the odds of the estimate by
                          counts against certainty. A tail counts its own byte's bits as zeros */
    uint32_t next[2];  /* the next decision, or after the last the longer context's first; 0: none yet. A tail: MN_BYTES_TAIL +
                          byte, and the longer context's first */
} mn_bytes_node;

#define MN_BYTES_TAIL 0xffffff00u
enum { MN_BYTES_INSIDE = 2, MN_BYTES_DEEPEST = 1024 };

/* Nodes by index, 0 for none. A session's store keeps its changes to the nodes of the store below it, and what they were. */
typedef struct mn_bytes_store {
    mn_bytes_node *nodes;               /* [n - base] nodes base..n-1 */
    uint32_t base, n;
    size_t room;
    const struct mn_bytes_store *below; /* has the nodes before base; NULL: base is 0 and changes are not kept */
    mn_bytes_node *copies;              /* [copied] nodes of the store below, changed */
    uint32_t *copy_of;                  /* [copied] their indices */
    uint32_t *slots;                    /* [slot_count] hash table: position in copies + 1 */
    mn_bytes_node *old;                 /* [changes] what nodes were before each change */
    uint32_t *old_of;                   /* [changes] */
    size_t copied, copy_room, slot_count, changes, change_room;
    uint32_t kept;                      /* nodes from here on are new since the last mark: changes to them need not be kept */
} mn_bytes_store;

/* Room for this many more nodes and changes: until then neither of the next two can fail, and pointers stay. */
MN_CHECKED mn_status mn_bytes_reserve(mn_bytes_store *store, size_t nodes, size_t changes, mn_err *err);
uint32_t mn_bytes_add(mn_bytes_store *store, mn_bytes_node node);
mn_bytes_node *mn_bytes_change_kept(mn_bytes_store *store, uint32_t i);
const mn_bytes_node *mn_bytes_copy_of(const mn_bytes_store *store, uint32_t i);
void mn_bytes_undo(mn_bytes_store *store, size_t changes, uint32_t n); /* back to when it had these */
MN_CHECKED mn_status mn_bytes_store_copy(mn_bytes_store *out, const mn_bytes_store *store, mn_err *err);
void mn_bytes_store_free(mn_bytes_store *store);

static inline const mn_bytes_node *mn_bytes_at(const mn_bytes_store *store, uint32_t i)
{
    return i >= store->base ? &store->nodes[i - store->base] : mn_bytes_copy_of(store, i);
}

static inline mn_bytes_node *mn_bytes_change(mn_bytes_store *store, uint32_t i)
{
    return store->below ? mn_bytes_change_kept(store, i) : &store->nodes[i];
}

/* Where a timeline stands: for each depth, the place in which its context's first node is, or will be: 2 node + side. */
typedef struct mn_bytes_cursor {
    uint32_t *place;       /* [depth + 1] */
    uint16_t last[MN_BYTES_INSIDE]; /* bytes, most recent first */
} mn_bytes_cursor;

/* Scratch of one thread. */
typedef struct mn_bytes_paths {
    uint32_t *place, *leaf; /* [C] where a context's tree hangs; where the byte ends in it */
    uint32_t *tail;         /* [C] its tail for the byte */
    unsigned char *decided; /* [C] decisions before the tail, 0..8 */
    uint32_t *nodes;        /* [9,C]: of each decision */
    double *tail_p;         /* [C] probability of a bit of the tail */
} mn_bytes_paths;

typedef struct mn_bytes {
    mn_model model;
    mn_bytes_opts opts;
    size_t C;              /* contexts of a byte, from the empty one to the longest */
    double *odds;          /* [C] prior */
    uint32_t inside;       /* place of the first node of the contexts that end inside a byte, [258,256] */
    char pieces[256][2];
    mn_bytes_store store;
    mn_bytes_cursor cursor;
    mn_bytes_paths paths;
} mn_bytes;

MN_CHECKED mn_status mn_bytes_cursor_new(mn_bytes_cursor *cursor, const mn_bytes *b, mn_err *err);
MN_CHECKED mn_status mn_bytes_paths_new(mn_bytes_paths *paths, const mn_bytes *b, mn_err *err);
void mn_bytes_paths_free(mn_bytes_paths *paths);
/* The nodes that every store begins with. */
MN_CHECKED mn_status mn_bytes_plant(mn_bytes *b, mn_err *err);
void mn_bytes_start(mn_bytes_cursor *cursor, const mn_bytes *b);
/* The cursor after n symbols of a timeline that the store has. O(D^2). */
void mn_bytes_locate(mn_bytes_cursor *cursor, const mn_bytes *b, const mn_bytes_store *store, const int32_t *ids, size_t n);
/* Room for one more byte. */
MN_CHECKED mn_status mn_bytes_make_room(const mn_bytes *b, mn_bytes_store *store, mn_err *err);
/* Moves the cursor over byte x, for which there is room; learns: counts it, and returns the probability it had; else 1. */
double mn_bytes_visit(const mn_bytes *b, mn_bytes_store *store, mn_bytes_cursor *cursor, mn_bytes_paths *paths, unsigned x,
                      bool learns);
/* Probabilities of the next byte, p: [256]. */
void mn_bytes_predict(double *p, const mn_bytes *b, const mn_bytes_store *store, const mn_bytes_cursor *cursor,
                      mn_bytes_paths *paths);

#endif
