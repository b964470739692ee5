/* Saved context trees: the same bits after loading, every change refused, checks when first needed, memory that ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium/crypto_generichash.h>
#include <sodium/crypto_hash_sha256.h>

#include "mightnt.h"
#include "failing_memory.h"

#define TRY(call) assert_int_equal((call), MN_OK)

static char path[] = "/tmp/mightnt-bct-XXXXXX";

static int make_file(void **state)
{
    (void)state;
    return close(mkstemp(path));
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static unsigned char *read_file(size_t *len)
{
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    *len = (size_t)about.st_size;
    unsigned char *data = malloc(*len);
    FILE *f = fopen(path, "rb");
    assert_int_equal(fread(data, 1, *len, f), *len);
    fclose(f);
    return data;
}

static void write_file(const void *data, size_t len)
{
    FILE *f = fopen(path, "wb");
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

/* n symbols, skewed, so that contexts are met again. */
static int32_t *symbols_of(mn_rng *rng, size_t n, size_t A)
{
    int32_t *ids = malloc(n * sizeof *ids);
    for (size_t i = 0; i < n; i++) {
        uint64_t a = mn_rng_below(rng, A), b = mn_rng_below(rng, A);
        ids[i] = (int32_t)(a < b ? a : b);
    }
    return ids;
}

typedef struct shape {
    size_t A, D, n;
    double beta;
    int32_t start;
} shape;

static const shape shapes[] = {{2, 0, 50, 0, -1},  {2, 5, 400, .3, -1},   {4, 3, 900, 0, 2},    {7, 2, 500, .9, -1},
                               {12, 3, 900, 0, 0}, {300, 2, 3000, 0, -1}, {65536, 2, 500, 0, 7}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static mn_model *learnt(const shape *s)
{
    mn_model *model;
    mn_rng rng = mn_rng_split(s->A, s->D, 1000);
    int32_t *ids = symbols_of(&rng, s->n, s->A);
    mn_bct_opts opts = {.A = s->A, .D = s->D, .beta = s->beta, .start = s->start};
    TRY(mn_bct_new(&model, &opts, NULL));
    TRY(mn_bct_learn(model, ids, s->n / 2, true, NULL));
    TRY(mn_bct_learn(model, ids + s->n / 2, s->n - s->n / 2, true, NULL));
    free(ids);
    return model;
}

static mn_model *saved(const shape *s)
{
    mn_model *model = learnt(s);
    mn_err err;
    if (mn_bct_save(model, path, &err) != MN_OK) fail_msg("%s", err.message);
    return model;
}

/* Both predict alike, in sessions that learn half of what they see. */
static void sessions_agree(mn_model *a, mn_model *b, uint64_t seed)
{
    size_t A = mn_model_alphabet(a);
    mn_rng rng = mn_rng_split(seed, 0, 1000);
    mn_worker *workers[2];
    mn_session *s[2];
    mn_model *const models[] = {a, b};
    double *lp[2];
    int32_t *ids = symbols_of(&rng, 60, A);
    for (int m = 0; m < 2; m++) {
        lp[m] = malloc(A * sizeof **lp);
        TRY(mn_worker_new(&workers[m], models[m], 1, 60, NULL));
        TRY(mn_session_begin(&s[m], workers[m], NULL));
    }
    for (size_t i = 0; i < 60; i++) {
        for (int m = 0; m < 2; m++) {
            TRY(mn_session_predict(s[m], lp[m], NULL));
            TRY(i % 2 ? mn_session_learn(s[m], ids + i, 1, NULL) : mn_session_append(s[m], ids + i, 1, NULL));
        }
        assert_memory_equal(lp[0], lp[1], A * sizeof **lp);
    }
    for (int m = 0; m < 2; m++) mn_worker_free(workers[m]), free(lp[m]);
    free(ids);
}

/* Both learn and predict alike in place, the last sequence going on and a new one begun. */
static void learning_agrees(mn_model *a, mn_model *b, uint64_t seed)
{
    enum { N = 200 };
    size_t A = mn_model_alphabet(a);
    mn_rng rng = mn_rng_split(seed, 1, 1000);
    int32_t *ids = symbols_of(&rng, N, A);
    double lp[2][N], *next[2] = {malloc(A * sizeof **next), malloc(A * sizeof **next)};
    bool lost[2][N];
    mn_model *const models[] = {a, b};
    for (int begins = 0; begins < 2; begins++) {
        for (int m = 0; m < 2; m++) TRY(mn_bct_predict_all(models[m], lp[m], lost[m], next[m], ids, N, begins, NULL));
        assert_memory_equal(lp[0], lp[1], sizeof lp[0]);
        assert_memory_equal(lost[0], lost[1], sizeof lost[0]);
        assert_memory_equal(next[0], next[1], A * sizeof **next);
    }
    double evidence[] = {mn_bct_log_evidence(a), mn_bct_log_evidence(b)};
    assert_memory_equal(&evidence[0], &evidence[1], sizeof *evidence);
    free(ids), free(next[0]), free(next[1]);
}

static void figures_agree(const mn_model *a, const mn_model *b)
{
    double x[] = {mn_bct_beta(a), mn_bct_log_evidence(a)}, y[] = {mn_bct_beta(b), mn_bct_log_evidence(b)};
    assert_memory_equal(x, y, sizeof x);
    assert_int_equal(mn_bct_symbols(a), mn_bct_symbols(b));
    assert_int_equal(mn_bct_predicted(a), mn_bct_predicted(b));
    assert_int_equal(mn_bct_contexts(a), mn_bct_contexts(b));
    assert_int_equal(mn_bct_depth(a), mn_bct_depth(b));
    assert_int_equal(mn_model_alphabet(a), mn_model_alphabet(b));
    assert_string_equal(mn_model_name(b), "bct");
    for (size_t i = 0; i < mn_model_alphabet(a); i++)
        assert_string_equal(mn_model_piece(a, (int32_t)i, NULL), mn_model_piece(b, (int32_t)i, NULL));
}

static void loaded_is_what_was_saved(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHAPES; i++) {
        mn_model *model = saved(&shapes[i]), *loaded, *again;
        TRY(mn_bct_open(&loaded, path, NULL));
        TRY(mn_bct_open(&again, path, NULL));
        assert_string_equal(mn_model_weights(loaded), path);
        assert_int_equal(strlen(mn_model_sha256(loaded)), 64);
        figures_agree(model, loaded);
        sessions_agree(model, loaded, i);
        learning_agrees(model, loaded, i);
        figures_agree(model, loaded);
        sessions_agree(model, loaded, i);
        mn_model_free(model);
        TRY(mn_bct_save(loaded, path, NULL)); /* over the file that `again` has mapped: that one stays what it was */
        mn_model_free(loaded);
        TRY(mn_bct_open(&loaded, path, NULL));
        assert_true(mn_bct_symbols(loaded) > mn_bct_symbols(again));
        model = learnt(&shapes[i]);
        sessions_agree(model, again, i);
        learning_agrees(model, again, i);
        sessions_agree(again, loaded, i); /* both had the same to learn */
        mn_model_free(model), mn_model_free(loaded), mn_model_free(again);
    }
}

static void saving_a_loaded_one_gives_the_same_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHAPES; i++) {
        size_t len[2];
        mn_model *loaded;
        mn_model_free(saved(&shapes[i]));
        unsigned char *first = read_file(&len[0]);
        TRY(mn_bct_open(&loaded, path, NULL));
        TRY(mn_bct_save(loaded, path, NULL));
        mn_model_free(loaded);
        unsigned char *second = read_file(&len[1]);
        assert_int_equal(len[0], len[1]);
        assert_memory_equal(first, second, len[0]);
        free(first), free(second);
    }
}

static void names_are_kept(void **state)
{
    (void)state;
    const char *const names[] = {"yes, sir", "\xC3\xA4", ""};
    mn_model *model, *loaded;
    TRY(mn_bct_new(&model, &(mn_bct_opts){.A = 3, .D = 1, .start = -1, .names = names}, NULL));
    TRY(mn_bct_save(model, path, NULL));
    TRY(mn_bct_open(&loaded, path, NULL));
    figures_agree(model, loaded);
    assert_string_equal(mn_model_piece(loaded, 0, NULL), "yes, sir");
    mn_model_free(model), mn_model_free(loaded);
}

/* ---- what is refused ---- */

static void refused(const char *part)
{
    mn_model *model;
    mn_err err = {0};
    mn_status status = mn_bct_open(&model, path, &err);
    if (status != MN_ERR_INPUT) fail_msg("%s: status %d", part, status);
    assert_string_equal(err.file, path);
    if (!strstr(err.message, part)) fail_msg("expected '%s' in: %s", part, err.message);
}

static void change_byte(size_t at, unsigned char to)
{
    FILE *f = fopen(path, "r+b");
    assert_int_equal(fseek(f, (long)at, SEEK_SET), 0);
    assert_int_equal(fputc(to, f), to);
    assert_int_equal(fclose(f), 0);
}

static void every_changed_byte_is_refused(void **state)
{
    (void)state;
    for (size_t i = 1; i < 5; i++) {
        size_t len;
        mn_model_free(saved(&(shape){shapes[i].A, 2, 40, shapes[i].beta, shapes[i].start}));
        unsigned char *data = read_file(&len);
        assert_true(len < 10000);
        for (size_t at = 0; at < len; at++) {
            change_byte(at, data[at] ^ (unsigned char)(1 << at % 8));
            refused("");
            change_byte(at, data[at]);
        }
        free(data);
    }
}

static void other_lengths_are_refused(void **state)
{
    (void)state;
    size_t len;
    mn_model_free(saved(&(shape){4, 2, 40, 0, -1}));
    unsigned char *data = read_file(&len);
    for (size_t n = 0; n < len; n++) {
        write_file(data, n);
        refused(n < 256 ? "not a saved context tree" : "damaged: shorter or longer than it was saved");
    }
    data = realloc(data, len + 1);
    data[len] = 0;
    write_file(data, len + 1);
    refused("damaged: shorter or longer than it was saved");
    free(data);
}

/* The header's fields by their place; its seal is made anew, as nobody does by accident. */
static void forge(unsigned char *data, size_t len, size_t at, const void *value, size_t size)
{
    memcpy(data + at, value, size);
    crypto_hash_sha256(data + 224, data, 224);
    write_file(data, len);
}

static void forged_headers_are_refused(void **state)
{
    (void)state;
    static const uint64_t values[] = {0,
                                      1,
                                      5,
                                      65536,
                                      65537,
                                      1024,
                                      1025,
                                      UINT32_MAX,
                                      (uint64_t)UINT32_MAX + 1,
                                      UINT64_MAX,
                                      UINT64_MAX / 16,
                                      UINT64_MAX / 24 + 1,
                                      (uint64_t)1 << 60,
                                      (uint64_t)1 << 63};
    size_t len;
    mn_model_free(saved(&(shape){4, 2, 40, 0, -1}));
    unsigned char *data = read_file(&len), *copy = malloc(len);
    for (size_t field = 32; field < 80; field += 8) /* A, D, entries, nodes, bytes of names, known */
        for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
            mn_model *model;
            memcpy(copy, data, len);
            forge(copy, len, field, &values[i], 8);
            mn_status status = mn_bct_open(&model, path, NULL);
            if (status == MN_OK) mn_model_free(model); /* D may be another and all the rest fit */
            assert_true(status == MN_ERR_INPUT || (status == MN_OK && field == 40 && values[i] >= 2));
        }
    uint32_t other = 2, swapped = 0x04030201;
    memcpy(copy, data, len);
    forge(copy, len, 16, &other, 4);
    refused("saved by another version of this program");
    memcpy(copy, data, len);
    forge(copy, len, 20, &swapped, 4);
    refused("saved on a machine of another byte order");
    double no = -1;
    memcpy(copy, data, len);
    forge(copy, len, 104, &no, 8);
    refused("in its figures");
    free(data), free(copy);
}

/* Makes hashes and seal of a file with one block each of entries, nodes and texts fit what it holds. */
static void reseal(unsigned char *data, size_t len)
{
    uint64_t entries, nodes;
    memcpy(&entries, data + 48, 8), memcpy(&nodes, data + 56, 8);
    unsigned char *table = data + len - 48, *at = data + 256;
    size_t lens[] = {entries * 16, nodes * 24, 0};
    lens[2] = (size_t)(table - at) - lens[0] - lens[1];
    for (int i = 0; i < 3; at += lens[i++]) crypto_generichash(table + 16 * i, 16, at, lens[i], NULL, 0);
    crypto_generichash(data + 160, 16, table, 48, NULL, 0);
    crypto_hash_sha256(data + 224, data, 224);
}

static void indices_that_lead_outside_are_refused(void **state)
{
    (void)state;
    size_t len;
    mn_model *model;
    mn_rng rng = mn_rng_split(9, 9, 1000);
    mn_model_free(saved(&(shape){12, 2, 60, 0, -1}));
    unsigned char *data = read_file(&len), *copy = malloc(len);
    reseal(data, len); /* itself changes nothing */
    write_file(data, len);
    TRY(mn_bct_open(&model, path, NULL));
    mn_model_free(model);
    for (int i = 0; i < 3000; i++) {
        memcpy(copy, data, len);
        size_t at = 256 + 4 * mn_rng_below(&rng, (len - 256 - 48) / 4);
        uint32_t value = mn_rng_below(&rng, 2) ? UINT32_MAX - (uint32_t)mn_rng_below(&rng, 3)
                                               : (uint32_t)mn_rng_below(&rng, 400);
        memcpy(copy + at, &value, 4);
        reseal(copy, len);
        write_file(copy, len);
        mn_status status = mn_bct_open(&model, path, NULL);
        assert_true(status == MN_OK || status == MN_ERR_INPUT);
        if (status != MN_OK) continue;
        double lp[12]; /* a lie about counts is a tree all the same: what matters is that nothing outside is touched */
        mn_worker *worker;
        mn_session *s;
        TRY(mn_worker_new(&worker, model, 1, 40, NULL));
        TRY(mn_session_begin(&s, worker, NULL));
        for (int32_t k = 0; k < 40; k++) {
            status = mn_session_predict(s, lp, NULL);
            assert_true(status == MN_OK || status == MN_ERR_NUM);
            TRY(mn_session_append(s, &(int32_t){k % 12}, 1, NULL));
        }
        mn_worker_free(worker);
        mn_model_free(model);
    }
    free(data), free(copy);
}

static void files_that_are_none(void **state)
{
    (void)state;
    mn_model *model;
    mn_err err;
    write_file("{\"symbols\": [\"a\", \"b\"]}", 23);
    refused("not a saved context tree");
    assert_int_equal(mn_bct_open(&model, "/nowhere/x", &err), MN_ERR_IO);
    assert_int_equal(mn_bct_open(&model, "/tmp", &err), MN_ERR_INPUT);
    model = learnt(&shapes[1]);
    assert_int_equal(mn_bct_save(model, "/nowhere/x", &err), MN_ERR_IO);
    assert_int_equal(mn_bct_save(model, "/tmp", &err), MN_ERR_IO);
    assert_string_equal(err.message, "cannot be written: something else than a file is there");
    mn_model_free(model);
}

/* ---- large ones: checked when needed ---- */

static void large_trees_are_checked_when_needed(void **state)
{
    (void)state;
    enum { N = 250000 };
    size_t len;
    mn_rng rng = mn_rng_split(3, 3, 1000);
    int32_t *ids = malloc(N * sizeof *ids);
    for (size_t i = 0; i < N; i++) ids[i] = (int32_t)mn_rng_below(&rng, 4);
    mn_model *model, *loaded;
    TRY(mn_bct_new(&model, &(mn_bct_opts){.A = 4, .D = 9, .start = -1}, NULL));
    TRY(mn_bct_learn(model, ids, N, true, NULL));
    TRY(mn_bct_save(model, path, NULL));
    unsigned char *data = read_file(&len);
    assert_true(len > 17u << 20);
    TRY(mn_bct_open(&loaded, path, NULL));
    sessions_agree(model, loaded, 1);
    learning_agrees(model, loaded, 1); /* checks all, then copies */
    mn_model_free(loaded);

    data[len / 3] ^= 1; /* among the entries, far from the root's */
    write_file(data, len);
    TRY(mn_bct_open(&loaded, path, NULL));
    mn_err err;
    double lp[4];
    size_t refusals = 0, answers = 0;
    mn_worker *worker;
    mn_session *s;
    TRY(mn_worker_new(&worker, loaded, 1, N, NULL));
    TRY(mn_session_begin(&s, worker, NULL));
    for (size_t i = 0; i < 3000; i++) {
        TRY(mn_session_append(s, ids + N - 3000 + i, 1, NULL));
        mn_status status = mn_session_predict(s, lp, &err);
        if (status == MN_OK)
            answers++;
        else
            refusals++, assert_int_equal(status, MN_ERR_INPUT), assert_non_null(strstr(err.message, "damaged"));
    }
    assert_true(refusals > 0 && answers > 0);
    mn_worker_free(worker);
    assert_int_equal(mn_bct_learn(loaded, ids, 1, true, &err), MN_ERR_INPUT);
    char other[64];
    snprintf(other, sizeof other, "%s.copy", path);
    assert_int_equal(mn_bct_save(loaded, other, &err), MN_ERR_INPUT);
    assert_int_equal(access(other, F_OK), -1);
    mn_model_free(loaded);

    data[len / 3] ^= 1;
    data[300] ^= 1; /* the root's entries are looked at first */
    write_file(data, len);
    refused("damaged: not what was saved, at or after byte 256");
    free(data), free(ids);
    mn_model_free(model);
}

/* ---- memory that ends ---- */

static void memory_may_end_anywhere(void **state)
{
    (void)state;
    mn_status status = MN_ERR_MEMORY;
    size_t saving = 0, opening = 0, len[2];
    mn_model *model = learnt(&shapes[2]), *loaded = NULL;
    TRY(mn_bct_save(model, path, NULL));
    unsigned char *before = read_file(&len[0]), *after;
    TRY(mn_bct_learn(model, (int32_t[]){0, 1}, 2, true, NULL));
    for (; status != MN_OK; saving++) {
        until_failure = saving;
        status = mn_bct_save(model, path, NULL);
        until_failure = SIZE_MAX;
        if (status == MN_OK) break;
        assert_int_equal(status, MN_ERR_MEMORY);
        after = read_file(&len[1]); /* untouched */
        assert_int_equal(len[0], len[1]);
        assert_memory_equal(before, after, len[0]);
        free(after);
    }
    assert_in_range(saving, 3, 10);
    for (status = MN_ERR_MEMORY; status != MN_OK; opening++) {
        until_failure = opening;
        status = mn_bct_open(&loaded, path, NULL);
        if (status == MN_OK) status = mn_bct_learn(loaded, (int32_t[]){0, 1}, 2, false, NULL), mn_model_free(loaded);
        until_failure = SIZE_MAX;
        assert_true(status == MN_OK || status == MN_ERR_MEMORY);
    }
    assert_in_range(opening, 8, 30);
    free(before);
    mn_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loaded_is_what_was_saved),
        cmocka_unit_test(saving_a_loaded_one_gives_the_same_bytes),
        cmocka_unit_test(names_are_kept),
        cmocka_unit_test(every_changed_byte_is_refused),
        cmocka_unit_test(other_lengths_are_refused),
        cmocka_unit_test(forged_headers_are_refused),
        cmocka_unit_test(indices_that_lead_outside_are_refused),
        cmocka_unit_test(files_that_are_none),
        cmocka_unit_test(large_trees_are_checked_when_needed),
        cmocka_unit_test(memory_may_end_anywhere),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
