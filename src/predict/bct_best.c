/* The k likeliest trees, exactly, for every beta.
 *
 * Below a node of depth d < D stands either a leaf, worth ln beta + ln P_e, or a branching, worth ln(1-beta) and what is
 * best below each of its A children. Every node keeps the list of its <= k best choices by falling value. Those of children
 * are combined two lists at a time, each time cut to k: nothing that the cut drops can be part of one of the k best. A node
 * that was never seen has choices too (P_e = 1 everywhere below it), the same ones at each node of its depth; 2^i of them
 * together are made once a depth by doubling. Where beta < 1/2 a tree that branches there may be the likeliest of all.
 *
 * Of equal values (as doubles) a leaf is before a branching, and of two branchings the one that is before the other at the
 * first child where they differ: first the children that were seen, in symbol order, then the others. So the k best are the
 * first k of the k + 1 best, for every k. */
#include <math.h>
#include <string.h>

#include "predict/bct_file.h"
#include "predict/tree.h"

enum {
    NOTHING = 0, /* the list for no nodes at all, and for those never seen at depth D: one choice, worth 0 */
    POWERS = 17, /* 2^0 to 2^16 nodes */
    MOST = 1 << 27 /* entries, of 16 bytes */
};
static const uint32_t LEAF = UINT32_MAX; /* an entry's left: the tree ends here */

/* A choice for a node: LEAF, or which of the choices for its children; or one for several nodes: which of the choices for
 * the first of them and which for the rest. */
typedef struct entry {
    double value;
    uint32_t left, right;
} entry;

typedef struct list {
    size_t at; /* its first entry */
    uint32_t n;
    uint32_t left, right; /* the lists that its entries choose from */
} list;

typedef struct forest {
    const mn_bct *bct;
    size_t k;
    entry *entries;
    list *lists;
    size_t n_entries, room_entries, n_lists, room_lists;
    entry *heap;
    size_t room_heap;
    uint32_t *unseen; /* [D,POWERS] the list for 2^i nodes never seen */
} forest;

static void forest_free(forest *f)
{
    free(f->entries);
    free(f->lists);
    free(f->unseen);
    free(f->heap);
}

static mn_status room(void **array, size_t *room, size_t n, size_t size, mn_err *err)
{
    size_t more = *room + *room / 2 > n ? *room + *room / 2 : n, bytes;
    if (n <= *room) return MN_OK;
    void *moved = mn_mul_size(&bytes, more, size) ? realloc(*array, bytes) : NULL;
    if (!moved) return mn_fail(err, MN_ERR_MEMORY, "out of memory (%zu x %zu bytes)", more, size);
    *array = moved;
    *room = more;
    return MN_OK;
}

/* A new list of n entries, to be filled. */
static mn_status add_list(uint32_t *out, forest *f, size_t n, uint32_t left, uint32_t right, mn_err *err)
{
    void *entries = f->entries, *lists = f->lists;
    if (n > MOST - f->n_entries || f->n_lists == MOST)
        return mn_fail(err, MN_ERR_LIMIT, "the %zu likeliest trees need over %d choices at their nodes: ask for fewer", f->k, MOST);
    mn_status status = room(&entries, &f->room_entries, f->n_entries + n, sizeof *f->entries, err);
    f->entries = entries;
    if (status == MN_OK) status = room(&lists, &f->room_lists, f->n_lists + 1, sizeof *f->lists, err);
    f->lists = lists;
    if (status != MN_OK) return status;
    *out = (uint32_t)f->n_lists;
    f->lists[f->n_lists++] = (list){f->n_entries, (uint32_t)n, left, right};
    f->n_entries += n;
    return MN_OK;
}

static entry *entries_of(const forest *f, uint32_t id)
{
    return f->entries + f->lists[id].at;
}

static mn_status add_single(uint32_t *out, forest *f, double value, uint32_t left, mn_err *err)
{
    MN_TRY(add_list(out, f, 1, NOTHING, NOTHING, err));
    entries_of(f, *out)[0] = (entry){value, left, 0};
    return MN_OK;
}

/* ---- two lists into one -------------------------------------------------------------------------------------------- */

static bool before(const entry *x, const entry *y)
{
    return x->value != y->value ? x->value > y->value : x->left < y->left;
}

static void sift_down(entry *heap, size_t n)
{
    entry moved = heap[0];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && before(&heap[child + 1], &heap[child])) child++;
        if (!before(&heap[child], &moved)) break;
        heap[i] = heap[child];
    }
    heap[i] = moved;
}

static void push(entry *heap, size_t n, entry added)
{
    size_t i = n;
    for (; i && before(&added, &heap[(i - 1) / 2]); i = (i - 1) / 2) heap[i] = heap[(i - 1) / 2];
    heap[i] = added;
}

/* The best pairs of a left and a right choice. The heap holds, for every left one that has had its turn with the first right
 * one, and for one more, the next right one: whatever is not there yet is no better than what is. */
static mn_status combine(uint32_t *out, forest *f, uint32_t left, uint32_t right, mn_err *err)
{
    size_t n_left = f->lists[left].n, n_right = f->lists[right].n, n, in_heap = 1;
    void *heap_room = f->heap;
    if (!mn_mul_size(&n, n_left, n_right) || n > f->k) n = f->k;
    mn_status status = room(&heap_room, &f->room_heap, n_left + 1, sizeof *f->heap, err);
    f->heap = heap_room;
    if (status == MN_OK) status = add_list(out, f, n, left, right, err);
    if (status != MN_OK) return status;
    const entry *x = entries_of(f, left), *y = entries_of(f, right);
    entry *to = entries_of(f, *out), *heap = f->heap;
    heap[0] = (entry){x[0].value + y[0].value, 0, 0};
    for (size_t i = 0; i < n; i++) {
        entry top = to[i] = heap[0];
        if (top.right + 1 < n_right)
            heap[0] = (entry){x[top.left].value + y[top.right + 1].value, top.left, top.right + 1};
        else
            heap[0] = heap[--in_heap];
        sift_down(heap, in_heap);
        if (top.right == 0 && top.left + 1 < n_left)
            push(heap, in_heap++, (entry){x[top.left + 1].value + y[0].value, top.left + 1, 0});
    }
    return MN_OK;
}

/* One more list for more nodes. */
static mn_status join(uint32_t *all, forest *f, uint32_t more, mn_err *err)
{
    if (*all != NOTHING) return combine(all, f, *all, more, err);
    *all = more;
    return MN_OK;
}

/* ---- the choices of a node ----------------------------------------------------------------------------------------- */

/* A leaf, or a branching with one of the choices for the children. */
static mn_status leaf_or_branch(uint32_t *out, forest *f, double leaf, uint32_t children, mn_err *err)
{
    size_t n_children = f->lists[children].n, n = n_children < f->k ? n_children + 1 : f->k, rank = 0;
    bool stopped = false;
    MN_TRY(add_list(out, f, n, children, NOTHING, err));
    const entry *x = entries_of(f, children);
    entry *to = entries_of(f, *out);
    for (size_t i = 0; i < n; i++) {
        double branch = rank < n_children ? f->bct->log_rest + x[rank].value : -INFINITY;
        if (!stopped && leaf >= branch)
            to[i] = (entry){leaf, LEAF, 0}, stopped = true;
        else
            to[i] = (entry){branch, (uint32_t)rank++, 0};
    }
    return MN_OK;
}

/* n nodes of a depth < D that were never seen. */
static mn_status join_unseen(uint32_t *all, forest *f, size_t n, size_t depth, mn_err *err)
{
    for (size_t i = 0; n >> i; i++)
        if (n >> i & 1) MN_TRY(join(all, f, f->unseen[depth * POWERS + i], err));
    return MN_OK;
}

static mn_status make_unseen(forest *f, mn_err *err)
{
    size_t A = f->bct->model.A, D = f->bct->D;
    MN_ALLOC_OR_FAIL(f->unseen, D * POWERS, err);
    for (size_t depth = D; depth-- > 1;) {
        uint32_t children = NOTHING, *made = f->unseen + depth * POWERS;
        if (depth + 1 < D) MN_TRY(join_unseen(&children, f, A, depth + 1, err));
        MN_TRY(leaf_or_branch(made, f, f->bct->log_beta, children, err));
        for (size_t i = 1; A >> i; i++) MN_TRY(combine(&made[i], f, made[i - 1], made[i - 1], err));
    }
    return MN_OK;
}

static mn_status choices_at(uint32_t *out, forest *f, uint32_t node, size_t depth, mn_err *err);

/* For the children of a node: those that were seen in symbol order, then the others. At depth D all are leaves. */
static mn_status choices_below(uint32_t *out, forest *f, const mn_bct_entry *seen, size_t n, size_t depth, mn_err *err)
{
    if (depth + 1 == f->bct->D) {
        double sum = 0;
        for (size_t i = 0; i < n; i++) sum += mn_bct_log_estimate(f->bct, seen[i].child);
        return add_single(out, f, sum, NOTHING, err);
    }
    *out = NOTHING;
    for (size_t i = 0; i < n; i++) {
        uint32_t child;
        MN_TRY(choices_at(&child, f, seen[i].child, depth + 1, err));
        MN_TRY(join(out, f, child, err));
    }
    return join_unseen(out, f, f->bct->model.A - n, depth + 1, err);
}

static mn_status choices_at(uint32_t *out, forest *f, uint32_t node, size_t depth, mn_err *err)
{
    mn_bct_entry *seen;
    size_t n;
    uint32_t children;
    double leaf = mn_bct_log_estimate(f->bct, node);
    if (depth == f->bct->D) return add_single(out, f, leaf, LEAF, err);
    MN_TRY(mn_bct_children(&seen, &n, f->bct, node, depth, err));
    mn_status status = choices_below(&children, f, seen, n, depth, err);
    free(seen);
    return status == MN_OK ? leaf_or_branch(out, f, f->bct->log_beta + leaf, children, err) : status;
}

static mn_status choices_at_root(uint32_t *out, forest *f, mn_err *err)
{
    MN_TRY(add_single(out, f, 0, 0, err)); /* NOTHING itself, the first list */
    MN_TRY(make_unseen(f, err));
    return choices_at(out, f, 0, 0, err);
}

/* ---- writing a tree ------------------------------------------------------------------------------------------------ */

typedef struct choice {
    uint32_t list, rank;
} choice;

/* What is chosen for each of 2^i nodes never seen. */
static void spread(const forest *f, choice *cells, size_t n, choice c)
{
    if (n == 1) {
        *cells = c;
        return;
    }
    entry e = entries_of(f, c.list)[c.rank];
    spread(f, cells, n / 2, (choice){f->lists[c.list].left, e.left});
    spread(f, cells + n / 2, n / 2, (choice){f->lists[c.list].right, e.right});
}

/* What is chosen for each child, cells: [A], the `seen` first: join and join_unseen backwards. */
static void unfold(const forest *f, choice *cells, size_t seen, choice c)
{
    for (size_t end = f->bct->model.A, n; end; end -= n) {
        for (n = 1; end > seen && 2 * n <= end - seen;) n *= 2;
        if (n == end) {
            spread(f, cells, n, c);
            return;
        }
        entry e = entries_of(f, c.list)[c.rank];
        spread(f, cells + end - n, n, (choice){f->lists[c.list].right, e.right});
        c = (choice){f->lists[c.list].left, e.left};
    }
}

static mn_status write_tree(const forest *f, mn_tree_writer *w, uint32_t node, choice chosen, size_t depth, mn_err *err);

/* The trees below the children, in symbol order; n of them were seen. */
static mn_status write_children(const forest *f, mn_tree_writer *w, const mn_bct_entry *seen, size_t n, const choice *cells,
                                size_t depth, mn_err *err)
{
    const choice *unseen = cells + n;
    const mn_bct_entry *end = seen + n;
    mn_status status = MN_OK;
    for (uint32_t a = 0; status == MN_OK && a < f->bct->model.A; a++) {
        w->path[depth] = (int32_t)a;
        if (seen < end && seen->key == a + 1)
            status = write_tree(f, w, seen++->child, *cells++, depth + 1, err);
        else
            status = write_tree(f, w, 0, *unseen++, depth + 1, err);
    }
    return status;
}

static mn_status write_leaves(const forest *f, mn_tree_writer *w, size_t depth, mn_err *err)
{
    for (size_t a = 0; a < f->bct->model.A; a++) {
        w->path[depth] = (int32_t)a;
        MN_TRY(mn_tree_put(w, depth + 1, err));
    }
    return MN_OK;
}

static mn_status write_tree(const forest *f, mn_tree_writer *w, uint32_t node, choice chosen, size_t depth, mn_err *err)
{
    entry e = entries_of(f, chosen.list)[chosen.rank];
    mn_bct_entry *seen;
    choice *cells = NULL;
    size_t n;
    if (e.left == LEAF) return mn_tree_put(w, depth, err);
    if (depth + 1 == f->bct->D) return write_leaves(f, w, depth, err);
    MN_TRY(mn_bct_children(&seen, &n, f->bct, node, depth, err));
    mn_status status = (cells = mn_alloc(f->bct->model.A, sizeof *cells)) ? MN_OK
                                                                          : mn_fail(err, MN_ERR_MEMORY, "out of memory");
    if (status == MN_OK) {
        unfold(f, cells, n, (choice){f->lists[chosen.list].left, e.left});
        status = write_children(f, w, seen, n, cells, depth, err);
    }
    free(cells);
    free(seen);
    return status;
}

static mn_status write_all(mn_tree *trees, size_t n, const forest *f, uint32_t root, mn_err *err)
{
    size_t left = MN_TREE_MOST;
    mn_status status = MN_OK;
    int32_t *path;
    MN_ALLOC_OR_FAIL(path, f->bct->D, err);
    for (size_t i = 0; status == MN_OK && i < n; i++) {
        mn_tree_writer w = {.tree = &trees[i], .path = path, .left = &left};
        status = write_tree(f, &w, 0, (choice){root, (uint32_t)i}, 0, err);
        if (status == MN_OK) status = mn_bct_judge(&trees[i], &f->bct->model, err);
    }
    free(path);
    return status;
}

mn_status mn_bct_best(mn_tree *trees, size_t *n, const mn_model *bct, size_t k, mn_err *err)
{
    forest f = {.bct = (const mn_bct *)bct, .k = k < LEAF ? k : LEAF - 1};
    uint32_t root;
    *n = 0;
    if (!k) return MN_OK;
    MN_TRY(mn_bct_check_all(f.bct, err));
    mn_status status = choices_at_root(&root, &f, err);
    if (status == MN_OK) {
        size_t found = f.lists[root].n;
        memset(trees, 0, found * sizeof *trees);
        status = write_all(trees, found, &f, root, err);
        double log_w = mn_bct_log_evidence(bct);
        for (size_t i = 0; i < found; i++) {
            trees[i].log_posterior = entries_of(&f, root)[i].value -
                                     log_w; /* never out of order by the rounding of another sum */
            if (status != MN_OK) mn_tree_free(&trees[i]);
        }
        if (status == MN_OK) *n = found;
    }
    forest_free(&f);
    return status;
}
