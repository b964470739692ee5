/* The arrays of a context tree: entries found, made, moved; nodes made. */
#include <string.h>

#include "predict/bct.h"

enum { FIRST_NODES = 64 };

static size_t slot(uint32_t symbol, size_t size)
{
    return (size_t)((symbol * UINT32_C(0x9E3779B1)) ^ (symbol >> 7)) & (size - 1);
}

/* Where the symbol is, or the free place where it belongs; size: no place free. */
static size_t probe(const mn_bct_entry *block, size_t size, uint32_t symbol)
{
    size_t at = slot(symbol, size);
    for (size_t tried = 0; tried < size; tried++, at = (at + 1) & (size - 1))
        if (block[at].key == symbol + 1 || !block[at].key) return at;
    return size;
}

const mn_bct_entry *mn_bct_find_sparse(const mn_bct_store *store, uint32_t node, uint32_t symbol)
{
    size_t size;
    const mn_bct_entry *block = mn_bct_entries(store, node, &size);
    size_t at = probe(block, size, symbol);
    return at < size && block[at].key ? &block[at] : NULL;
}

size_t mn_bct_walk(const mn_bct_store *store, uint32_t *path, const int32_t *context, size_t length)
{
    path[0] = 0;
    for (size_t d = 0; d < length; d++)
        if (!(path[d + 1] = mn_bct_child(store, path[d], (uint32_t)context[d]))) return d + 1;
    return length + 1;
}

/* ---- growing ---- */

static mn_status grow(void **array, size_t *room, size_t need, size_t size, mn_err *err)
{
    size_t more = *room + *room / 2 + FIRST_NODES, bytes;
    if (need <= *room) return MN_OK;
    if (need > UINT32_MAX) return mn_fail(err, MN_ERR_LIMIT, "the context tree has too many contexts");
    if (more < need) more = need;
    void *new = mn_mul_size(&bytes, more, size) ? realloc(*array, bytes) : NULL;
    if (!new) return mn_fail(err, MN_ERR_MEMORY, "out of memory (a context tree of %zu x %zu bytes)", more, size);
    *array = new;
    *room = more;
    return MN_OK;
}

static mn_status need_entries(mn_bct_store *store, size_t n, mn_err *err)
{
    void *entries = store->entries;
    mn_status status = grow(&entries, &store->room_entries, store->n_entries + n, sizeof *store->entries, err);
    store->entries = entries;
    return status;
}

static size_t class_of(size_t size)
{
    size_t class = 0;
    while (size >> (class + 1)) class ++;
    return class;
}

static mn_status new_block(uint32_t *block, mn_bct_store *store, size_t size, mn_err *err)
{
    uint32_t *spare = &store->spare[class_of(size)];
    if (*spare) {
        *block = *spare;
        *spare = store->entries[*block].link;
    } else {
        MN_TRY(need_entries(store, size, err));
        *block = (uint32_t)store->n_entries;
        store->n_entries += size;
    }
    memset(store->entries + *block, 0, size * sizeof *store->entries);
    return MN_OK;
}

/* Moves a node's entries to a block of another size. */
static mn_status resize(mn_bct_store *store, uint32_t node, size_t old, size_t size, mn_err *err)
{
    uint32_t block;
    MN_TRY(new_block(&block, store, size, err));
    mn_bct_node *v = &store->nodes[node];
    mn_bct_entry *from = store->entries + v->block, *to = store->entries + block;
    for (size_t i = 0; i < old; i++)
        if (from[i].key) to[probe(to, size, from[i].key - 1)] = from[i];
    if (old) {
        uint32_t *spare = &store->spare[class_of(old)];
        from->link = *spare;
        *spare = v->block;
    }
    v->block = block;
    return MN_OK;
}

mn_status mn_bct_make_entry(uint32_t *entry, mn_bct_store *store, uint32_t node, uint32_t symbol, mn_err *err)
{
    mn_bct_node *v = &store->nodes[node];
    if (store->dense) {
        *entry = v->block + symbol;
    } else {
        size_t size = v->used ? mn_bct_block_size(v->used) : 0, at = probe(store->entries + v->block, size, symbol);
        if (at == size || !store->entries[v->block + at].key) {
            size_t more = mn_bct_block_size(v->used + 1);
            if (more != size) MN_TRY(resize(store, node, size, more, err));
            at = probe(store->entries + v->block, more, symbol);
        }
        *entry = v->block + (uint32_t)at;
    }
    mn_bct_entry *e = &store->entries[*entry];
    if (!e->key) {
        e->key = symbol + 1;
        v->used++;
    }
    return MN_OK;
}

static mn_status new_node(uint32_t *node, mn_bct_store *store, mn_bct_node fresh, mn_err *err)
{
    void *nodes = store->nodes;
    mn_status status = grow(&nodes, &store->room_nodes, store->n_nodes + 1, sizeof *store->nodes, err);
    store->nodes = nodes;
    if (status == MN_OK && store->dense) status = new_block(&fresh.block, store, store->A, err);
    if (status != MN_OK) return status;
    *node = (uint32_t)store->n_nodes;
    store->nodes[store->n_nodes++] = fresh;
    return MN_OK;
}

mn_status mn_bct_child_at(uint32_t *child, mn_bct_store *store, uint32_t node, uint32_t symbol, mn_bct_node fresh, mn_err *err)
{
    uint32_t entry;
    MN_TRY(mn_bct_entry_at(&entry, store, node, symbol, err));
    *child = store->entries[entry].child;
    if (*child) return MN_OK;
    MN_TRY(new_node(child, store, fresh, err));
    store->entries[entry].child = *child;
    return MN_OK;
}

/* ---- whole stores ---- */

mn_status mn_bct_store_init(mn_bct_store *store, size_t A, bool dense, mn_bct_node root, mn_err *err)
{
    uint32_t node;
    *store = (mn_bct_store){.A = A, .dense = dense, .n_entries = dense ? 0 : 1}; /* block 0 is none in lists of spare ones */
    mn_status status = need_entries(store, 1, err);
    if (status == MN_OK) status = new_node(&node, store, root, err);
    if (status != MN_OK) mn_bct_store_free(store);
    return status;
}

void mn_bct_store_free(mn_bct_store *store)
{
    if (!store->mapped) {
        free(store->nodes);
        free(store->entries);
    }
    *store = (mn_bct_store){0};
}

mn_status mn_bct_store_copy(mn_bct_store *out, const mn_bct_store *store, mn_err *err)
{
    *out = *store;
    out->mapped = false;
    out->room_nodes = store->n_nodes;
    out->room_entries = store->n_entries;
    out->nodes = mn_alloc(store->n_nodes, sizeof *out->nodes);
    out->entries = mn_alloc(store->n_entries, sizeof *out->entries);
    if (!out->nodes || !out->entries) {
        mn_bct_store_free(out);
        return mn_fail(err, MN_ERR_MEMORY, "out of memory (a copy of a context tree)");
    }
    memcpy(out->nodes, store->nodes, store->n_nodes * sizeof *out->nodes);
    memcpy(out->entries, store->entries, store->n_entries * sizeof *out->entries);
    return MN_OK;
}
