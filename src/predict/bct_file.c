#include "predict/bct_file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium/crypto_generichash.h>
#include <sodium/crypto_hash_sha256.h>

#include "base/file.h"

enum { VERSION = 1, ORDER = 0x01020304, BLOCK = 4096, HASH = crypto_generichash_BYTES_MIN };
static const char MAGIC[16] = "mightnt-bct\r\n\x1A\n";
static const size_t SMALL = 16 << 20; /* bytes that are hashed in some 15 ms */

typedef struct header {
    char magic[16];
    uint32_t version, order, node_size, entry_size;
    uint64_t A, D, n_entries, n_nodes, names_bytes, known, symbols, predicted, members;
    double beta, log_beta, log_rest;
    mn_bct_node fresh;
    int32_t start;
    uint32_t dense;
    unsigned char table[HASH], zero[48];
    unsigned char seal[32]; /* SHA-256 of all before */
} header;
_Static_assert(sizeof(header) == 256, "no holes, whose bytes nobody would check");

static void hash_of(unsigned char hash[HASH], const void *data, size_t len)
{
    crypto_generichash(hash, HASH, data, len, NULL, 0);
}

static size_t blocks_of(size_t n)
{
    return n / BLOCK + (n % BLOCK != 0);
}

/* ---- saving -------------------------------------------------------------------------------------------------------- */

/* Elements go through a block, which is hashed when it is full. */
typedef struct writer {
    mn_file_out out;
    unsigned char *block, *table; /* [BLOCK * sizeof node], [blocks,HASH] */
    size_t len, blocks;
} writer;

static mn_status end_block(writer *w, mn_err *err)
{
    hash_of(w->table + HASH * w->blocks++, w->block, w->len);
    mn_status status = mn_file_put(&w->out, w->block, w->len, err);
    w->len = 0;
    return status;
}

static mn_status put_element(writer *w, const void *element, size_t size, mn_err *err)
{
    memcpy(w->block + w->len, element, size);
    w->len += size;
    return w->len == BLOCK * size ? end_block(w, err) : MN_OK;
}

/* Entries block by block in the order of their nodes: what was given back while the tree grew is left out. */
static mn_status put_entries(writer *w, const mn_bct_store *store, mn_err *err)
{
    static const mn_bct_entry none; /* index 0 stays free where the store keeps it so */
    size_t n;
    if (!store->dense) MN_TRY(put_element(w, &none, sizeof none, err));
    for (size_t i = 0; i < store->n_nodes; i++) {
        const mn_bct_entry *e = mn_bct_entries(store, (uint32_t)i, &n);
        for (size_t k = 0; k < n; k++) MN_TRY(put_element(w, &e[k], sizeof *e, err));
    }
    return w->len ? end_block(w, err) : MN_OK;
}

static mn_status put_nodes(writer *w, const mn_bct_store *store, mn_err *err)
{
    size_t at = !store->dense, n;
    for (size_t i = 0; i < store->n_nodes; i++, at += n) {
        mn_bct_node node = store->nodes[i];
        mn_bct_entries(store, (uint32_t)i, &n);
        node.block = n ? (uint32_t)at : 0;
        MN_TRY(put_element(w, &node, sizeof node, err));
    }
    return w->len ? end_block(w, err) : MN_OK;
}

static mn_status put_texts(writer *w, const mn_bct *b, size_t names_bytes, mn_err *err)
{
    unsigned char *texts;
    size_t recent = b->known * sizeof *b->recent, len = recent + names_bytes;
    MN_ALLOC_OR_FAIL(texts, len, err);
    if (recent) memcpy(texts, b->recent, recent);
    memcpy(texts + recent, b->names, names_bytes);
    hash_of(w->table + HASH * w->blocks++, texts, len);
    mn_status status = mn_file_put(&w->out, texts, len, err);
    free(texts);
    return status;
}

static header header_of(const mn_bct *b, size_t n_entries)
{
    size_t last = b->name_at[b->model.A - 1];
    header h = {.version = VERSION,
                .order = ORDER,
                .node_size = sizeof(mn_bct_node),
                .entry_size = sizeof(mn_bct_entry),
                .A = b->model.A,
                .D = b->D,
                .n_entries = n_entries,
                .n_nodes = b->store.n_nodes,
                .names_bytes = last + strlen(b->names + last) + 1,
                .known = b->known,
                .symbols = b->symbols,
                .predicted = b->predicted,
                .members = b->members,
                .beta = b->beta,
                .log_beta = b->log_beta,
                .log_rest = b->log_rest,
                .fresh = b->fresh,
                .start = b->start,
                .dense = b->store.dense};
    memcpy(h.magic, MAGIC, sizeof h.magic);
    return h;
}

static mn_status put_all(writer *w, const mn_bct *b, header *h, mn_err *err)
{
    MN_TRY(mn_file_put(&w->out, h, sizeof *h, err));
    MN_TRY(put_entries(w, &b->store, err));
    MN_TRY(put_nodes(w, &b->store, err));
    MN_TRY(put_texts(w, b, h->names_bytes, err));
    MN_TRY(mn_file_put(&w->out, w->table, HASH * w->blocks, err));
    hash_of(h->table, w->table, HASH * w->blocks);
    crypto_hash_sha256(h->seal, (const unsigned char *)h, offsetof(header, seal));
    return mn_file_put_first(&w->out, h, sizeof *h, err);
}

static mn_status save(const mn_bct *b, const char *path, size_t n_entries, writer *w, mn_err *err)
{
    header h = header_of(b, n_entries);
    MN_ALLOC_OR_FAIL(w->block, BLOCK * sizeof(mn_bct_node), err);
    MN_ALLOC_OR_FAIL(w->table, HASH * (blocks_of(n_entries) + blocks_of(b->store.n_nodes) + 1), err);
    MN_TRY(mn_file_begin(&w->out, path, err));
    mn_status status = put_all(w, b, &h, err);
    if (status != MN_OK) return mn_file_give_up(&w->out), status;
    return mn_file_end(&w->out, err);
}

mn_status mn_bct_save(const mn_model *bct, const char *path, mn_err *err)
{
    const mn_bct *b = (const mn_bct *)bct;
    writer w = {0};
    size_t n_entries = !b->store.dense, n;
    MN_TRY(mn_bct_check_all(b, err));
    for (size_t i = 0; i < b->store.n_nodes; i++, n_entries += n) mn_bct_entries(&b->store, (uint32_t)i, &n);
    mn_status status = save(b, path, n_entries, &w, err);
    free(w.block);
    free(w.table);
    return status;
}

/* ---- checking --------------------------------------------------------------------------------------------------------- */

/* What of a mapped tree is known to be as it was saved. */
struct mn_bct_unchecked {
    const unsigned char *table; /* [blocks,HASH]: those of the entries, then of the nodes */
    size_t entry_blocks, blocks;
    _Atomic unsigned char good[]; /* [blocks] */
};

static mn_status changed(const mn_bct *b, const void *where, mn_err *err)
{
    return mn_fail_at(err, MN_ERR_INPUT, b->model.weights, 0, 0, "damaged: not what was saved, at or after byte %zu",
                      (size_t)((const unsigned char *)where - (const unsigned char *)b->mapping));
}

static bool sound_entries(const mn_bct_store *s, const mn_bct_entry *e, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (e[i].key > s->A || e[i].child >= s->n_nodes || e[i].link >= s->n_nodes) return false;
        if (!e[i].key && (e[i].count || e[i].child || e[i].link)) return false;
    }
    return true;
}

/* 2^32 symbols come nowhere near. */
static bool sound_scale(const mn_bct_node *v)
{
    return v->scale >= -(1 << 30) && v->scale <= 1 << 30;
}

static bool sound_nodes(const mn_bct_store *s, const mn_bct_node *v, size_t first, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!sound_scale(&v[i])) return false;
        if (v[i].used > s->A || (s->dense && v[i].block != (first + i) * s->A)) return false;
        size_t size = s->dense ? s->A : v[i].used ? mn_bct_block_size(v[i].used) : 0;
        if (size > s->n_entries || v[i].block > s->n_entries - size) return false;
    }
    return true;
}

/* Block i: of the entries first, then of the nodes. */
static mn_status check_block(const mn_bct *b, size_t i, mn_err *err)
{
    struct mn_bct_unchecked *u = b->unchecked;
    const mn_bct_store *s = &b->store;
    bool nodes = i >= u->entry_blocks;
    size_t first = BLOCK * (nodes ? i - u->entry_blocks : i), all = nodes ? s->n_nodes : s->n_entries;
    size_t n = all - first < BLOCK ? all - first : BLOCK;
    unsigned char hash[HASH];
    if (atomic_load_explicit(&u->good[i], memory_order_relaxed)) return MN_OK;
    const void *data = nodes ? (const void *)(s->nodes + first) : s->entries + first;
    hash_of(hash, data, n * (nodes ? sizeof *s->nodes : sizeof *s->entries));
    if (memcmp(hash, u->table + HASH * i, HASH) != 0) return changed(b, data, err);
    if (!(nodes ? sound_nodes(s, data, first, n) : sound_entries(s, data, n))) return changed(b, data, err);
    atomic_store_explicit(&u->good[i], 1, memory_order_relaxed);
    return MN_OK;
}

static mn_status check_node(const mn_bct *b, uint32_t node, mn_err *err)
{
    const struct mn_bct_unchecked *u = b->unchecked;
    size_t n;
    MN_TRY(check_block(b, u->entry_blocks + node / BLOCK, err));
    mn_bct_entries(&b->store, node, &n);
    size_t first = b->store.nodes[node].block;
    for (size_t i = first / BLOCK; n && i <= (first + n - 1) / BLOCK; i++) MN_TRY(check_block(b, i, err));
    return MN_OK;
}

mn_status mn_bct_check_way(const mn_bct *b, const int32_t *context, size_t length, mn_err *err)
{
    uint32_t node = 0;
    for (size_t d = 0;; d++) {
        MN_TRY(check_node(b, node, err));
        if (d == length || !(node = mn_bct_child(&b->store, node, (uint32_t)context[d]))) return MN_OK;
    }
}

/* A node's entries are as many as it says, each where it is looked for (so no symbol is there twice); children come later. */
static bool sound_shape(const mn_bct_store *s, uint32_t node)
{
    size_t n;
    const mn_bct_entry *e = mn_bct_entries(s, node, &n);
    uint32_t used = 0;
    for (size_t k = 0; k < n; k++) {
        if (e[k].key && mn_bct_find(s, node, e[k].key - 1) != &e[k]) return false;
        if (e[k].child && e[k].child <= node) return false;
        used += e[k].key != 0;
    }
    return used == s->nodes[node].used;
}

/* With every block good: entries stand in the order of their nodes. So learning and the algorithms on trees, which trust all
 * this, stay inside, and no way is endless, even in a file that was made up. */
static mn_status check_shape(const mn_bct *b, mn_err *err)
{
    size_t at = !b->store.dense, n;
    for (size_t i = 0; i < b->store.n_nodes; i++, at += n) {
        mn_bct_entries(&b->store, (uint32_t)i, &n);
        if ((n && b->store.nodes[i].block != at) || !sound_shape(&b->store, (uint32_t)i))
            return changed(b, &b->store.nodes[i], err);
    }
    return MN_OK;
}

mn_status mn_bct_check_all(const mn_bct *b, mn_err *err)
{
    if (!b->unchecked) return MN_OK;
    for (size_t i = 0; i < b->unchecked->blocks; i++) MN_TRY(check_block(b, i, err));
    return check_shape(b, err);
}

void mn_bct_unmap(mn_bct *b)
{
    if (b->mapping) munmap(b->mapping, b->mapping_size);
    free(b->unchecked);
    b->mapping = NULL;
    b->unchecked = NULL;
}

/* ---- opening ------------------------------------------------------------------------------------------------------------ */

static mn_status refuse(mn_err *err, const char *path, const char *why)
{
    return mn_fail_at(err, MN_ERR_INPUT, path, 0, 0, "%s", why);
}

static mn_status check_header(const header *h, const char *path, mn_err *err)
{
    unsigned char seal[sizeof h->seal];
    if (memcmp(h->magic, MAGIC, sizeof MAGIC) != 0) return refuse(err, path, "not a saved context tree");
    if (h->order != ORDER) return refuse(err, path, "saved on a machine of another byte order");
    if (h->version != VERSION || h->node_size != sizeof(mn_bct_node) || h->entry_size != sizeof(mn_bct_entry))
        return refuse(err, path, "saved by another version of this program");
    crypto_hash_sha256(seal, (const unsigned char *)h, offsetof(header, seal));
    if (memcmp(seal, h->seal, sizeof seal) != 0) return refuse(err, path, "damaged: not what was saved, in its header");
    return MN_OK;
}

/* Sizes of a header that need not be ours: each is checked before it is used, and their sum is the file's. */
static bool sizes_fit(const header *h, uint64_t size)
{
    const uint64_t most = UINT32_MAX;
    if (h->A < 2 || h->A > 65536 || h->D > 1024 || h->known > h->D || h->dense > 1) return false;
    if (!h->n_nodes || h->n_nodes > most || !h->n_entries || h->n_entries > most || h->names_bytes > size) return false;
    if (h->members > 1 << 20) return false;
    if (h->dense && h->n_entries != h->n_nodes * h->A) return false;
    if (h->start < -1 || h->start >= (int64_t)h->A) return false;
    uint64_t blocks = blocks_of(h->n_entries) + blocks_of(h->n_nodes) + 1;
    return size == sizeof *h + h->n_entries * sizeof(mn_bct_entry) + h->n_nodes * sizeof(mn_bct_node) +
                       h->known * sizeof(int32_t) + h->names_bytes + blocks * HASH;
}

static mn_status map(header *h, void **mapping, size_t *size, const char *path, int fd, mn_err *err)
{
    struct stat about;
    if (fstat(fd, &about) != 0) return mn_fail_at(err, MN_ERR_IO, path, 0, 0, "cannot be read: %s", strerror(errno));
    if (!S_ISREG(about.st_mode)) return refuse(err, path, "not a file: a saved context tree is mapped into memory");
    ssize_t got = pread(fd, h, sizeof *h, 0);
    if (got < 0) return mn_fail_at(err, MN_ERR_IO, path, 0, 0, "cannot be read: %s", strerror(errno));
    if ((size_t)got >= sizeof MAGIC && memcmp(h->magic, MAGIC, sizeof MAGIC) != 0)
        return refuse(err, path, "not a saved context tree");
    if ((size_t)got < sizeof *h) return refuse(err, path, "not a saved context tree: too short");
    MN_TRY(check_header(h, path, err));
    if (!sizes_fit(h, (uint64_t)about.st_size)) return refuse(err, path, "damaged: shorter or longer than it was saved");
    *size = (size_t)about.st_size;
    *mapping = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (*mapping == MAP_FAILED) return mn_fail_at(err, MN_ERR_IO, path, 0, 0, "cannot be mapped: %s", strerror(errno));
    return MN_OK;
}

/* names: [A], pointers into text, which must be A texts with a NUL each. */
static bool split_names(const char **names, const char *text, size_t len, size_t A)
{
    const char *end = text + len;
    for (size_t a = 0; a < A; a++) {
        const char *nul = text < end ? memchr(text, '\0', (size_t)(end - text)) : NULL;
        if (!nul) return false;
        names[a] = text;
        text = nul + 1;
    }
    return text == end;
}

/* A tree that has seen nothing, with the names and the last symbols of the file. */
static mn_status make(mn_bct **out, const header *h, const unsigned char *texts, const char *path, mn_err *err)
{
    const char **names;
    size_t recent = h->known * sizeof(int32_t);
    mn_model *model;
    MN_ALLOC_OR_FAIL(names, h->A, err);
    mn_status status = split_names(names, (const char *)texts + recent, h->names_bytes, h->A)
                           ? MN_OK
                           : refuse(err, path, "damaged: not what was saved, in its names");
    mn_bct_opts opts = {.A = h->A, .D = h->D, .start = h->start, .names = names, .members = h->members};
    if (status == MN_OK) status = mn_bct_new(&model, &opts, err);
    free(names);
    if (status != MN_OK) return status;
    mn_bct *b = *out = (mn_bct *)model;
    if (recent) memcpy(b->recent, texts, recent);
    b->known = h->known;
    b->symbols = h->symbols;
    b->predicted = h->predicted;
    b->beta = h->beta;
    b->log_beta = h->log_beta;
    b->log_rest = h->log_rest;
    b->fresh = h->fresh;
    return MN_OK;
}

static bool sound_figures(const mn_bct *b)
{
    for (size_t k = 0; k < b->known; k++)
        if (b->recent[k] < 0 || (size_t)b->recent[k] >= b->model.A) return false;
    return b->beta > 0 && b->beta <= 1 && isfinite(b->log_beta) && b->log_beta <= 0 && isfinite(b->log_rest) &&
           b->log_rest <= 0 && sound_scale(&b->fresh) && b->fresh.odds > 0 && isfinite(b->fresh.odds) && !b->fresh.total &&
           !b->fresh.used && !b->fresh.block;
}

/* Puts the mapped arrays in place of the empty ones. */
static void enter(mn_bct *b, const header *h, void *mapping, size_t size)
{
    unsigned char *at = (unsigned char *)mapping + sizeof *h;
    mn_bct_store_free(&b->store);
    b->store = (mn_bct_store){.A = h->A,
                              .dense = h->dense,
                              .mapped = true,
                              .n_nodes = h->n_nodes,
                              .room_nodes = h->n_nodes,
                              .n_entries = h->n_entries,
                              .room_entries = h->n_entries,
                              .entries = (mn_bct_entry *)(void *)at,
                              .nodes = (mn_bct_node *)(void *)(at + h->n_entries * sizeof(mn_bct_entry))};
    b->mapping = mapping;
    b->mapping_size = size;
}

static mn_status check_opened(mn_bct *b, const unsigned char *table, const char *path, mn_err *err)
{
    size_t entry_blocks = blocks_of(b->store.n_entries), blocks = entry_blocks + blocks_of(b->store.n_nodes);
    if (!(b->model.weights = strdup(path))) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    b->unchecked = mn_alloc(1, sizeof *b->unchecked + blocks);
    if (!b->unchecked) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    b->unchecked->table = table;
    b->unchecked->entry_blocks = entry_blocks;
    b->unchecked->blocks = blocks;
    if (!sound_figures(b)) return refuse(err, path, "damaged: not what was saved, in its figures");
    if (b->mapping_size > SMALL) return mn_bct_check_way(b, NULL, 0, err);
    MN_TRY(mn_bct_check_all(b, err));
    free(b->unchecked);
    b->unchecked = NULL;
    return MN_OK;
}

static mn_status open_mapped(mn_bct **out, const header *h, void *mapping, size_t size, const char *path, mn_err *err)
{
    size_t blocks = blocks_of(h->n_entries) + blocks_of(h->n_nodes) + 1,
           texts_len = h->known * sizeof(int32_t) + h->names_bytes;
    const unsigned char *table = (unsigned char *)mapping + size - HASH * blocks, *texts = table - texts_len;
    unsigned char hash[HASH];
    hash_of(hash, table, HASH * blocks);
    bool whole = memcmp(hash, h->table, HASH) == 0;
    hash_of(hash, texts, texts_len);
    whole = whole && memcmp(hash, table + HASH * (blocks - 1), HASH) == 0;
    mn_status status = whole ? make(out, h, texts, path, err) : refuse(err, path, "damaged: not what was saved, in its end");
    if (status != MN_OK) return munmap(mapping, size), status;
    enter(*out, h, mapping, size);
    status = check_opened(*out, table, path, err);
    for (size_t i = 0; i < sizeof h->seal; i++) snprintf((*out)->model.sha256 + 2 * i, 3, "%02x", h->seal[i]);
    memcpy((*out)->model.weights_sha256, (*out)->model.sha256, sizeof(*out)->model.sha256);
    if (status != MN_OK) mn_bct_free(&(*out)->model);
    return status;
}

mn_status mn_bct_open(mn_model **out, const char *path, mn_err *err)
{
    header h;
    void *mapping = NULL;
    size_t size = 0;
    mn_bct *b = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return mn_fail_at(err, MN_ERR_IO, path, 0, 0, "cannot be opened: %s", strerror(errno));
    mn_status status = map(&h, &mapping, &size, path, fd, err);
    close(fd);
    if (status == MN_OK) status = open_mapped(&b, &h, mapping, size, path, err);
    if (status == MN_OK) *out = &b->model;
    return status;
}
