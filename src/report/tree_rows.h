/* A tree as the rows of a drawing, from the root down, for the terminal and for SVG. Private to src/report. */
#ifndef MN_TREE_ROWS_H
#define MN_TREE_ROWS_H

#include "base/base.h"

typedef struct mn_tree_row {
    size_t parent; /* its row */
    size_t depth;
    const int32_t *context; /* [depth], most recent symbol first, in the tree's own array */
    size_t leaves; /* 0: it branches; 1: a leaf; more: sibling leaves that were never seen, the first of them here */
    uint64_t n; /* symbols that followed it */
    bool last;  /* of its siblings */
} mn_tree_row;

typedef struct mn_tree_rows {
    mn_tree_row *rows; /* [n], released by free */
    size_t n;
    size_t leaves; /* that they stand for: fewer than the tree's where it was cut */
} mn_tree_rows;

/* The first `most` rows. Leaves that were never seen, if siblings, are one row, their last. MN_ERR_MEMORY. O(leaves D). */
MN_CHECKED mn_status mn_tree_rows_of(mn_tree_rows *out, const mn_tree *tree, const mn_model *bct, size_t most, mn_err *err);

/* Dirichlet(1/2) predictions of a context, p: [A], from its counts. */
MN_CHECKED mn_status mn_tree_predictions(double *p, const mn_model *bct, const int32_t *context, size_t length, mn_err *err);
/* The k likeliest of p: [A], by falling probability (of equals the lower id first) into ids: [k], k <= A. O(kA). */
void mn_tree_likeliest(int32_t *ids, size_t k, const double *p, size_t A);

#endif
