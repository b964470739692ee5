/* Context trees in files: what a mapped tree owes its readers. Private to src/predict.
 *
 * A file is a header of 256 bytes; the entries; the nodes; the last symbols and the names; a table with a BLAKE2b hash of each
 * block of 4096 entries or nodes, and of what comes after them. The header has a hash of the table and a SHA-256 of itself, and
 * the file's size follows from it. Opening checks header, table, symbols and names: 16 bytes of table for some 64 KB of tree.
 * The blocks of a tree of up to 16 MB are checked then too; of a larger one each when it is first needed, for which readers ask
 * here. */
#ifndef MN_BCT_FILE_H
#define MN_BCT_FILE_H

#include "predict/bct.h"

/* Sees to it that the nodes and entries on the way of a context (most recent symbol first), as far as there are any, are what
 * was saved, and that no index in them leads outside. Thread-safe. MN_ERR_INPUT. */
MN_CHECKED mn_status mn_bct_check_way(const mn_bct *bct, const int32_t *context, size_t length, mn_err *err);
/* The same of the whole tree, before algorithms that go everywhere or learn in place; also that its shape is one that saving
 * makes, with each child after its parent. O(size) once for a large tree, else O(1). MN_ERR_INPUT. */
MN_CHECKED mn_status mn_bct_check_all(const mn_bct *bct, mn_err *err);
/* Leaves the mapping, once the store is not in it. */
void mn_bct_unmap(mn_bct *bct);

static inline mn_status mn_bct_check(const mn_bct *bct, const int32_t *context, size_t length, mn_err *err)
{
    return bct->unchecked ? mn_bct_check_way(bct, context, length, err) : MN_OK;
}

#endif
