/* Saved context trees. An odd first byte: the hashes are made to fit what the file says, so that what lies behind counts. */
#include "fuzz.h" /* first: it asks for memfd_create */

#include <string.h>

#include <sodium/crypto_generichash.h>
#include <sodium/crypto_hash_sha256.h>

enum { HEADER = 256, MEMBERS = 96, BLOCK = 4096, HASH = 16 };

static uint64_t field(const uint8_t *data, size_t at)
{
    uint64_t x;
    memcpy(&x, data + at, sizeof x);
    return x;
}

static void hash(uint8_t **table, const uint8_t *data, size_t len)
{
    crypto_generichash(*table, HASH, data, len, NULL, 0);
    *table += HASH;
}

static void hash_blocks(uint8_t **table, const uint8_t *data, uint64_t n, size_t element)
{
    for (uint64_t at = 0; at < n; at += BLOCK) hash(table, data + at * element, (n - at < BLOCK ? n - at : BLOCK) * element);
}

static void reseal(uint8_t *data, size_t size)
{
    uint32_t node, entry;
    memcpy(&node, data + 24, 4), memcpy(&entry, data + 28, 4);
    uint64_t entries = field(data, 48), nodes = field(data, 56), most = size;
    if (entries > most || nodes > most || !node || !entry || node > 64 || entry > 64) return;
    uint64_t arrays = entries * entry + nodes * node,
             table_len = HASH * ((entries + BLOCK - 1) / BLOCK + (nodes + BLOCK - 1) / BLOCK + 1);
    if (HEADER + arrays + table_len > size) return;
    uint8_t *table = data + size - table_len, *at = table;
    hash_blocks(&at, data + HEADER, entries, entry);
    hash_blocks(&at, data + HEADER + entries * entry, nodes, node);
    hash(&at, data + HEADER + arrays, (size_t)(table - (data + HEADER + arrays)));
    crypto_generichash(data + 160, HASH, table, table_len, NULL, 0);
    crypto_hash_sha256(data + 224, data, 224);
}

/* Everything that a tree answers. */
static void use(mn_model *model)
{
    size_t A = mn_model_alphabet(model);
    double *lp = malloc(A * sizeof *lp);
    int32_t ids[24] = {0};
    mn_worker *worker;
    mn_session *s;
    REQUIRE(lp);
    mn_status status = mn_worker_new(&worker, model, 1, 24, NULL);
    REQUIRE(status == MN_OK || status == MN_ERR_LIMIT || status == MN_ERR_NUM); /* its members may be too many, or nonsense */
    if (status != MN_OK) {
        free(lp);
        return;
    }
    REQUIRE(mn_session_begin(&s, worker, NULL) == MN_OK);
    for (size_t i = 0; i < 24; i++) {
        status = mn_session_predict(s, lp, NULL);
        REQUIRE(status == MN_OK || status == MN_ERR_NUM);
        ids[i] = (int32_t)(i * i % A);
        status = i % 3 ? mn_session_append(s, &ids[i], 1, NULL) : mn_session_learn(s, &ids[i], 1, NULL);
        REQUIRE(status == MN_OK);
    }
    mn_worker_free(worker);
    status = mn_bct_learn(model, ids, 24, true, NULL);
    REQUIRE(status == MN_OK || status == MN_ERR_LIMIT);
    mn_bct_log_evidence(model);
    free(lp);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[40];
    mn_model *model;
    uint8_t *copy = malloc(size + 1);
    REQUIRE(copy);
    if (size) memcpy(copy, data + 1, size - 1);
    if (size > HEADER && data[0] % 2) reseal(copy, size - 1);
    int fd = fuzz_file(path, copy, size ? size - 1 : 0);
    mn_status status = mn_bct_open(&model, path, NULL);
    REQUIRE(status == MN_OK || status == MN_ERR_INPUT);
    bool quick = status == MN_OK && (!field(copy, MEMBERS) || (field(copy, MEMBERS) <= 16 && mn_bct_depth(model) <= 6));
    if (quick) use(model); /* many members, or large ones, rightly take long */
    if (status == MN_OK) mn_model_free(model);
    close(fd);
    free(copy);
    return 0;
}
