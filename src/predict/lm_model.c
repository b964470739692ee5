/* A language model's file: weights converted once into the cache folder, vocabulary, embeddings. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gguf.h>

#include "base/file.h"
#include "predict/lm.h"
#include "predict/lm_gemm.h"

/* ---- llama.cpp, once a process ------------------------------------------------------------------------------------ */

static void silent(enum ggml_log_level level, const char *text, void *arg)
{
    (void)level, (void)text, (void)arg;
}

static void start_llama(void)
{
    llama_log_set(silent, NULL);
    llama_backend_init();
}

/* ---- weights --------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum llama_ftype type;
} conversions[] = {{"f32", LLAMA_FTYPE_ALL_F32},
                   {"f16", LLAMA_FTYPE_MOSTLY_F16},
                   {"bf16", LLAMA_FTYPE_MOSTLY_BF16},
                   {"q8_0", LLAMA_FTYPE_MOSTLY_Q8_0}};

/* What is fastest among those that are as good as the same model (nats a token from F32: BF16 .0002, Q8_0 .005; a Q4_1 file
 * computed as it is: .003). */
static const char *fastest(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512bf16") ? "bf16" : mn_lm_gemm_q8_fits() ? "q8_0" : "f32";
#else
    return "f16";
#endif
}

/* The file's own type, as general.file_type has it; -1 where it does not say. MN_ERR_INPUT where it is no GGUF. */
static mn_status file_type(int *type, const char *path, mn_err *err)
{
    struct gguf_context *gguf = gguf_init_from_file(path, (struct gguf_init_params){.no_alloc = true});
    if (!gguf) return mn_fail_at(err, MN_ERR_INPUT, path, 0, 0, "is not a GGUF file, or its header is damaged");
    int64_t key = gguf_find_key(gguf, "general.file_type");
    *type = key >= 0 && gguf_get_kv_type(gguf, key) == GGUF_TYPE_UINT32 ? (int)gguf_get_val_u32(gguf, key) : -1;
    gguf_free(gguf);
    return MN_OK;
}

/* The folder of a path and those above it. */
static mn_status make_folders(const char *path, mn_err *err)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    for (char *c = folder + 1; *c; c++) {
        if (*c != '/') continue;
        *c = '\0';
        if (mkdir(folder, 0777) != 0 && errno != EEXIST)
            return mn_fail_at(err, MN_ERR_IO, folder, 0, 0, "cannot be made: %s", strerror(errno));
        *c = '/';
    }
    return MN_OK;
}

/* To a name of our own and then renamed: two processes at once do no harm. */
static mn_status convert(const char *from, const char *to, enum llama_ftype type, mn_err *err)
{
    char temporary[PATH_MAX];
    struct llama_model_quantize_params p = llama_model_quantize_default_params();
    p.ftype = type;
    p.allow_requantize = true;
    MN_TRY(make_folders(to, err));
    if (snprintf(temporary, sizeof temporary, "%s.%ld.tmp", to, (long)getpid()) >= (int)sizeof temporary)
        return mn_fail_at(err, MN_ERR_IO, to, 0, 0, "the path is too long");
    if (llama_model_quantize(from, temporary, &p) != 0) {
        unlink(temporary);
        return mn_fail_at(err, MN_ERR_INPUT, from, 0, 0,
                          "cannot be converted for computing: truncated, damaged, or no room in %s", to);
    }
    if (rename(temporary, to) == 0) return MN_OK;
    int kept = errno;
    unlink(temporary);
    return mn_fail_at(err, MN_ERR_IO, to, 0, 0, "cannot be written: %s", strerror(kept));
}

static mn_status converted_path(char *out, size_t size, const char *cache, const char *sha256, const char *name, mn_err *err)
{
    char file[128];
    snprintf(file, sizeof file, "weights/%.32s.%s.gguf", sha256, name);
    if (!cache) return mn_cache_path(out, size, file, err);
    int n = snprintf(out, size, "%s/%s", cache, file);
    return n < 0 || (size_t)n >= size ? mn_fail_at(err, MN_ERR_IO, cache, 0, 0, "the path is too long") : MN_OK;
}

/* The converted file's hash, kept beside it: hashing half a gigabyte takes longer than loading it. */
static mn_status converted_sum(char hex[65], const char *path, mn_err *err)
{
    char beside[PATH_MAX];
    mn_buf buf = {0};
    if (snprintf(beside, sizeof beside, "%s.sha256", path) >= (int)sizeof beside)
        return mn_fail_at(err, MN_ERR_IO, path, 0, 0, "the path is too long");
    bool kept = mn_file_exists(beside) && mn_file_read(&buf, beside, NULL) == MN_OK && buf.len == 64;
    if (kept) memcpy(hex, buf.data, 65);
    mn_buf_free(&buf);
    if (kept) return MN_OK;
    MN_TRY(mn_file_sha256(hex, path, err));
    return mn_file_write_atomic(beside, hex, 64, err);
}

/* Chooses the file to compute with, and makes it if need be. */
static mn_status find_weights(mn_lm *lm, const mn_lm_opts *opts, mn_err *err)
{
    const char *name = opts->weights ? opts->weights : fastest();
    char path[PATH_MAX];
    size_t c = 0, n = sizeof conversions / sizeof *conversions;
    int own = -1;
    MN_TRY(mn_file_sha256(lm->model.sha256, opts->path, err));
    MN_TRY(file_type(&own, opts->path, err));
    while (c < n && strcmp(name, conversions[c].name) != 0) c++;
    if (c == n && strcmp(name, "file") != 0)
        return mn_fail(err, MN_ERR_INPUT, "weights \"%s\": expected file, f32, f16, bf16 or q8_0", name);
    snprintf(path, sizeof path, "%s", opts->path);
    if (c < n && own != (int)conversions[c].type) {
        MN_TRY(converted_path(path, sizeof path, opts->cache, lm->model.sha256, name, err));
        if (!mn_file_exists(path)) MN_TRY(convert(opts->path, path, conversions[c].type, err));
        MN_TRY(converted_sum(lm->model.weights_sha256, path, err));
    } else {
        memcpy(lm->model.weights_sha256, lm->model.sha256, sizeof lm->model.sha256);
    }
    lm->model.weights = strdup(path);
    return lm->model.weights ? MN_OK : mn_fail(err, MN_ERR_MEMORY, "out of memory");
}

/* ---- vocabulary ---------------------------------------------------------------------------------------------------------- */

/* A piece's bytes, at least its NUL; its length, or what it would need, negative, where cap is too small. */
static int32_t piece_of(const mn_lm *lm, int32_t id, char *out, size_t cap)
{
    return llama_token_to_piece(lm->vocab, id, out, (int32_t)cap, 0, false);
}

static mn_status read_pieces(mn_lm *lm, mn_err *err)
{
    size_t A = lm->model.A, cap = 16 * A + 4096, used = 0;
    MN_ALLOC_OR_FAIL(lm->at, A + 1, err);
    MN_ALLOC_OR_FAIL(lm->pieces, cap, err);
    for (size_t a = 0; a < A; a++) {
        if (cap - used < 2048) {
            char *grown = realloc(lm->pieces, cap *= 2);
            if (!grown) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
            lm->pieces = grown;
        }
        int32_t n = piece_of(lm, (int32_t)a, lm->pieces + used, cap - used - 1);
        if (n < 0) return mn_fail_at(err, MN_ERR_INPUT, lm->model.weights, 0, 0, "symbol %zu's text is too long", a);
        lm->at[a] = used;
        used += (size_t)n;
        lm->pieces[used++] = '\0';
    }
    lm->at[A] = used;
    return MN_OK;
}

static const char *piece(const mn_model *model, int32_t id, size_t *len)
{
    const mn_lm *lm = (const mn_lm *)model;
    *len = lm->at[id + 1] - lm->at[id] - 1;
    return lm->pieces + lm->at[id];
}

static bool ends_generation(const mn_model *model, int32_t id)
{
    return llama_vocab_is_eog(((const mn_lm *)model)->vocab, id);
}

/* Symbols of a text, nothing added, special tokens as plain text; *n of them in *ids, released by free. */
static mn_status symbols_of(const mn_lm *lm, llama_token **ids, size_t *n, const char *text, size_t len, mn_err *err)
{
    size_t cap = len + 16;
    if (len > INT32_MAX / 2) return mn_fail(err, MN_ERR_LIMIT, "a text of %zu bytes is too long", len);
    MN_ALLOC_OR_FAIL(*ids, cap, err);
    int32_t got = llama_tokenize(lm->vocab, text, (int32_t)len, *ids, (int32_t)cap, false, false);
    *n = got > 0 ? (size_t)got : 0;
    if (got >= 0) return MN_OK;
    free(*ids);
    return mn_fail(err, MN_ERR_INPUT, "the text cannot be written in this model's symbols");
}

/* Vocabularies of the SentencePiece family put a space before a text. Behind a character that they spell in bytes, and so never
 * join to another, they do not: a text that continues is tokenised behind one, which is then taken off again. */
static mn_status continued(const mn_lm *lm, llama_token **ids, size_t *n, size_t *from, const char *text, size_t len,
                           mn_err *err)
{
    enum llama_vocab_type type = llama_vocab_type(lm->vocab);
    llama_token *guard;
    size_t guards;
    *from = 0;
    if (type != LLAMA_VOCAB_TYPE_SPM && type != LLAMA_VOCAB_TYPE_UGM) return symbols_of(lm, ids, n, text, len, err);
    MN_TRY(symbols_of(lm, &guard, &guards, "\x01", 1, err));
    char *guarded = malloc(len + 2);
    mn_status status = guarded ? MN_OK : mn_fail(err, MN_ERR_MEMORY, "out of memory");
    if (status == MN_OK) {
        guarded[0] = '\x01';
        memcpy(guarded + 1, text, len);
        status = symbols_of(lm, ids, n, guarded, len + 1, err);
        *from = guards;
        if (status == MN_OK && (*n < guards || memcmp(*ids, guard, guards * sizeof *guard) != 0)) {
            free(*ids);
            status = mn_fail(err, MN_ERR_INPUT, "this model's vocabulary cannot continue a text");
        }
    }
    free(guarded);
    free(guard);
    return status;
}

static mn_status tokenize(const mn_model *model, int32_t *ids, size_t cap, size_t *n, const char *text, size_t len,
                          bool opening, mn_err *err)
{
    const mn_lm *lm = (const mn_lm *)model;
    llama_token *all = NULL, bos = llama_vocab_bos(lm->vocab);
    size_t got = 0, from = 0, put = 0;
    if (opening && llama_vocab_get_add_bos(lm->vocab) && bos != LLAMA_TOKEN_NULL) {
        if (cap) ids[0] = bos;
        put = 1;
    }
    if (len) MN_TRY(opening ? symbols_of(lm, &all, &got, text, len, err) : continued(lm, &all, &got, &from, text, len, err));
    for (size_t i = from; i < got; i++, put++)
        if (put < cap) ids[put] = all[i];
    free(all);
    *n = put;
    return MN_OK;
}

/* ---- embeddings ---------------------------------------------------------------------------------------------------- */

/* Rows of a tensor in the file, as floats. */
static mn_status read_rows(FILE *file, float *out, size_t rows, size_t width, enum ggml_type type, const char *path,
                           mn_err *err)
{
    size_t size = ggml_row_size(type, (int64_t)width);
    const struct ggml_type_traits *traits = ggml_get_type_traits(type);
    char *row;
    MN_ALLOC_OR_FAIL(row, size, err);
    bool ok = true;
    for (size_t r = 0; r < rows && ok; r++) {
        ok = fread(row, size, 1, file) == 1;
        if (ok && type == GGML_TYPE_F32)
            memcpy(out + r * width, row, size);
        else if (ok)
            traits->to_float(row, out + r * width, (int64_t)width);
    }
    free(row);
    return ok ? MN_OK : mn_fail_at(err, MN_ERR_IO, path, 0, 0, "its token embeddings cannot be read");
}

static mn_status read_embeddings(const mn_lm *lm, float *out, const struct gguf_context *gguf, struct ggml_context *tensors,
                                 mn_err *err)
{
    const char *path = lm->model.weights;
    int64_t id = gguf_find_tensor(gguf, "token_embd.weight");
    struct ggml_tensor *t = id >= 0 ? ggml_get_tensor(tensors, "token_embd.weight") : NULL;
    if (!t || (size_t)t->ne[0] != lm->model.E || (size_t)t->ne[1] < lm->model.A ||
        (t->type != GGML_TYPE_F32 && !ggml_get_type_traits(t->type)->to_float))
        return mn_fail_at(err, MN_ERR_INPUT, path, 0, 0, "has no token embeddings that can be read");
    FILE *file = fopen(path, "rb");
    off_t at = (off_t)(gguf_get_data_offset(gguf) + gguf_get_tensor_offset(gguf, id));
    mn_status status = file && fseeko(file, at, SEEK_SET) == 0
                           ? read_rows(file, out, lm->model.A, lm->model.E, t->type, path, err)
                           : mn_fail_at(err, MN_ERR_IO, path, 0, 0, "cannot be opened");
    if (file) fclose(file);
    return status;
}

static mn_status embeddings(const mn_model *model, float *out, mn_err *err)
{
    struct ggml_context *tensors = NULL;
    struct gguf_context *gguf = gguf_init_from_file(model->weights,
                                                    (struct gguf_init_params){.no_alloc = true, .ctx = &tensors});
    if (!gguf) return mn_fail_at(err, MN_ERR_IO, model->weights, 0, 0, "cannot be read again");
    mn_status status = read_embeddings((const mn_lm *)model, out, gguf, tensors, err);
    ggml_free(tensors);
    gguf_free(gguf);
    return status;
}

/* ---- opening ------------------------------------------------------------------------------------------------------- */

static void lm_free(mn_model *model)
{
    mn_lm *lm = (mn_lm *)model;
    if (lm->llama) llama_model_free(lm->llama);
    mn_lm_panels_free(lm->panels);
    free(lm->pieces);
    free(lm->at);
    free(lm->model.weights);
    free(lm);
}

const mn_kind mn_lm_kind = {.name = "lm",
                            .free = lm_free,
                            .piece = piece,
                            .ends_generation = ends_generation,
                            .tokenize = tokenize,
                            .embeddings = embeddings,
                            .worker_new = mn_lm_worker_new,
                            .worker_free = mn_lm_worker_free,
                            .session_new = mn_lm_session_new,
                            .session_free = mn_lm_session_free,
                            .rewound = mn_lm_rewound,
                            .advance = mn_lm_advance,
                            .predict = mn_lm_predict,
                            .features = mn_lm_features};

static mn_status load(mn_lm *lm, const mn_lm_opts *opts, mn_err *err)
{
    struct llama_model_params p = llama_model_default_params();
    MN_TRY(find_weights(lm, opts, err));
    lm->llama = llama_model_load_from_file(lm->model.weights, p);
    if (!lm->llama)
        return mn_fail_at(err, MN_ERR_INPUT, opts->path, 0, 0,
                          "cannot be loaded by llama.cpp: truncated, damaged, or of an unknown kind");
    if (llama_model_has_encoder(lm->llama) || !llama_model_has_decoder(lm->llama))
        return mn_fail_at(err, MN_ERR_INPUT, opts->path, 0, 0, "is not a model that continues text");
    lm->vocab = llama_model_get_vocab(lm->llama);
    lm->layers = (size_t)llama_model_n_layer(lm->llama);
    lm->width = (size_t)llama_model_n_embd(lm->llama);
    lm->model.A = (size_t)llama_vocab_n_tokens(lm->vocab);
    lm->model.longest = (size_t)llama_model_n_ctx_train(lm->llama);
    lm->model.E = lm->width;
    lm->model.F = lm->layers >= MN_LM_LAYERS ? MN_LM_BLOCKS * lm->width : 0;
    if (!lm->model.A || !lm->width) return mn_fail_at(err, MN_ERR_INPUT, opts->path, 0, 0, "has no vocabulary or no layers");
    return read_pieces(lm, err);
}

mn_status mn_lm_open(mn_model **out, const mn_lm_opts *opts, mn_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    mn_lm *lm;
    double temperature = opts->temperature == 0 ? 1 : opts->temperature;
    if (!(temperature > 0) || !isfinite(temperature))
        return mn_fail(err, MN_ERR_INPUT, "temperature %g: expected a positive number", temperature);
    pthread_once(&once, start_llama);
    MN_ALLOC_OR_FAIL(lm, 1, err);
    lm->model.kind = &mn_lm_kind;
    lm->temperature = temperature;
    lm->panels = mn_lm_panels_new();
    if (!lm->panels) return lm_free(&lm->model), mn_fail(err, MN_ERR_MEMORY, "out of memory");
    mn_status status = load(lm, opts, err);
    if (status != MN_OK) return lm_free(&lm->model), status;
    *out = &lm->model;
    return MN_OK;
}
