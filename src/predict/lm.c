/* A language model's workers and sessions over llama.cpp. One context a worker, one compute thread, one key-value stream a
 * session.
 *
 * The same bits whatever is computed together. llama.cpp's kernels give a row the same bits in any company as long as
 *   - the cache is not unified and flash attention is on;
 *   - a sequence is given fewer than 64 symbols a decode (beyond, attention takes another kernel);
 *   - every decode has at least two rows and two outputs (a single row takes a matrix-vector kernel);
 *   - no sequence is alone in a decode once its cache is past 256 positions.
 * (Beyond that, files in K-quants, taken as they are, have another kernel from 8 rows on: their bits do depend on the company.)
 * (Our own products and attention, lm_hooks.c, would not need this; llama.cpp's run where they do not.)
 * So a decode here is a run of neighbouring sequences with one symbol each; where sequences between them (or beside a single
 * one) have nothing to compute, they are given a row that is taken back afterwards. */
#include <math.h>
#include <string.h>

#include "predict/lm.h"
#include "predict/log_softmax.h"

enum {
    CHUNK = 63,     /* symbols of a prefill */
    ALONE = 256,    /* positions up to which a sequence may be alone in a decode */
    GAP = 16,       /* idle sequences that are cheaper to fill than to split at */
    SEQUENCES = 256 /* llama.cpp's limit */
};

typedef struct lm_session {
    mn_session session;
    llama_seq_id seq;
    size_t computed; /* symbols in the cache */
    size_t row;      /* of the worker's results, where stamp is the worker's */
    uint64_t stamp;
} lm_session;

typedef struct lm_worker {
    mn_worker worker;
    struct llama_context *context;
    struct llama_batch batch; /* room for `rows` */
    size_t rows, sequences;
    size_t padded;          /* positions of a sequence, more than a session holds */
    lm_session **by_seq;    /* [sequences] NULL: free */
    lm_session **order;     /* [sequences] sessions of one advance, by sequence */
    const float *logits;    /* [.,A] of the last decode, in llama.cpp's memory */
    float *kept;            /* [sequences,A] where one advance took several decodes; NULL until then */
    float *features;        /* [sequences,F] */
    size_t first_row;       /* where in features the decode at hand begins */
    bool capturing, broken; /* features wanted; they came in another shape than expected */
    uint64_t stamp;         /* of the last advance */
} lm_worker;

static lm_worker *worker_of(const mn_session *session)
{
    return (lm_worker *)session->worker;
}

/* ---- workers ---------------------------------------------------------------------------------------------------- */

/* Which block of the features a node of the graph is; -1: none. */
static int block_of(const char *name, size_t layers)
{
    if (strcmp(name, "result_norm") == 0) return MN_LM_LAYERS;
    if (strncmp(name, "l_out-", 6) != 0) return -1;
    size_t layer = (size_t)atol(name + 6);
    return layer < layers && layer + MN_LM_LAYERS >= layers ? (int)(layer + MN_LM_LAYERS - layers) : -1;
}

/* llama.cpp asks for each node whether we want it, and then shows it. */
static bool on_node(struct ggml_tensor *node, bool ask, void *arg)
{
    lm_worker *w = arg;
    const mn_lm *lm = (const mn_lm *)w->worker.model;
    int block = w->capturing ? block_of(ggml_get_name(node), lm->layers) : -1;
    if (ask) return block >= 0;
    if (block < 0) return true;
    size_t rows = (size_t)w->batch.n_tokens, width = lm->width;
    if (node->type != GGML_TYPE_F32 || (size_t)node->ne[0] != width || (size_t)ggml_nrows(node) != rows) {
        w->broken = true;
        return true;
    }
    for (size_t r = 0; r < rows; r++)
        ggml_backend_tensor_get(node, w->features + (w->first_row + r) * lm->model.F + (size_t)block * width, r * node->nb[1],
                                width * sizeof(float));
    return true;
}

static mn_status open_context(lm_worker *w, const mn_lm *lm, size_t length, mn_err *err)
{
    struct llama_context_params p = llama_context_default_params();
    size_t all;
    w->padded = (length + 256) / 256 * 256; /* as llama.cpp does it; company needs one past the end */
    if (!mn_mul_size(&all, w->padded, w->sequences) || all > INT32_MAX)
        return mn_fail(err, MN_ERR_LIMIT, "%zu sessions of %zu symbols are too many", w->sequences, length);
    p.n_ctx = (uint32_t)all;
    p.n_seq_max = (uint32_t)w->sequences;
    p.n_batch = p.n_ubatch = (uint32_t)w->rows;
    p.n_threads = p.n_threads_batch = 1;
    p.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
    p.kv_unified = false;
    p.no_perf = true;
    p.cb_eval = on_node;
    p.cb_eval_user_data = w;
    w->context = llama_init_from_model(lm->llama, p);
    if (!w->context) return mn_fail(err, MN_ERR_MEMORY, "no memory for %zu sessions of %zu symbols", w->sequences, length);
    w->batch = llama_batch_init((int32_t)w->rows, 0, 1);
    return w->batch.token ? MN_OK : mn_fail(err, MN_ERR_MEMORY, "out of memory");
}

static mn_status fill_worker(lm_worker *w, const mn_lm *lm, size_t length, mn_err *err)
{
    size_t features;
    if (!mn_mul_size(&features, w->sequences, lm->model.F)) return mn_fail(err, MN_ERR_LIMIT, "too many features");
    MN_ALLOC_OR_FAIL(w->by_seq, w->sequences, err);
    MN_ALLOC_OR_FAIL(w->order, w->sequences, err);
    MN_ALLOC_OR_FAIL(w->features, features, err);
    return open_context(w, lm, length, err);
}

mn_status mn_lm_worker_new(mn_worker **out, mn_model *model, size_t sessions, size_t length, mn_err *err)
{
    lm_worker *w;
    size_t sequences = sessions < 2 ? 2 : sessions; /* a single one needs company */
    if (sequences > SEQUENCES) return mn_fail(err, MN_ERR_LIMIT, "%zu sessions: llama.cpp has at most %d", sessions, SEQUENCES);
    MN_ALLOC_OR_FAIL(w, 1, err);
    w->worker.model = model;
    w->sequences = sequences;
    w->rows = sequences > 2 * CHUNK ? sequences : 2 * CHUNK;
    mn_status status = fill_worker(w, (const mn_lm *)model, length, err);
    if (status != MN_OK) return mn_lm_worker_free(&w->worker), status;
    *out = &w->worker;
    return MN_OK;
}

void mn_lm_worker_free(mn_worker *worker)
{
    lm_worker *w = (lm_worker *)worker;
    if (w->batch.token) llama_batch_free(w->batch);
    if (w->context) llama_free(w->context);
    free(w->by_seq);
    free(w->order);
    free(w->kept);
    free(w->features);
    free(w);
}

/* ---- sessions ----------------------------------------------------------------------------------------------------- */

mn_status mn_lm_session_new(mn_session **out, mn_worker *worker, const mn_session *fork_of, mn_err *err)
{
    lm_worker *w = (lm_worker *)worker;
    const lm_session *from = (const lm_session *)fork_of;
    lm_session *s;
    MN_ALLOC_OR_FAIL(s, 1, err);
    while (w->by_seq[s->seq]) s->seq++; /* there is one: predict.c counts */
    if (from) {
        s->computed = from->computed;
        if (from->computed) llama_memory_seq_cp(llama_get_memory(w->context), from->seq, s->seq, -1, -1);
    }
    w->by_seq[s->seq] = s;
    *out = &s->session;
    return MN_OK;
}

static void cut(const lm_worker *w, llama_seq_id seq, size_t length)
{
    llama_memory_seq_rm(llama_get_memory(w->context), seq, (llama_pos)length, -1);
}

void mn_lm_session_free(mn_session *session)
{
    lm_session *s = (lm_session *)session;
    lm_worker *w = worker_of(session);
    if (s->computed) cut(w, s->seq, 0);
    w->by_seq[s->seq] = NULL;
    free(s);
}

void mn_lm_rewound(mn_session *session, size_t length)
{
    lm_session *s = (lm_session *)session;
    s->stamp = 0;
    if (length >= s->computed) return;
    cut(worker_of(session), s->seq, length);
    s->computed = length;
}

/* ---- decodes ------------------------------------------------------------------------------------------------------- */

static void add_row(lm_worker *w, llama_seq_id seq, size_t position, int32_t id, bool output)
{
    struct llama_batch *b = &w->batch;
    int32_t i = b->n_tokens++;
    b->token[i] = id;
    b->pos[i] = (llama_pos)position;
    b->n_seq_id[i] = 1;
    b->seq_id[i][0] = seq;
    b->logits[i] = output;
}

static mn_status decode(lm_worker *w, mn_err *err)
{
    mn_lm_panels_use(((const mn_lm *)w->worker.model)->panels);
    int result = llama_decode(w->context, w->batch);
    mn_lm_panels_use(NULL);
    if (result == 0 && !w->broken) return MN_OK;
    if (w->broken) return mn_fail(err, MN_ERR_INPUT, "this model's layers do not give the features expected of them");
    return mn_fail(err, result == 1 ? MN_ERR_LIMIT : MN_ERR_MEMORY,
                   "llama.cpp could not compute a batch of %d symbols (status %d)", w->batch.n_tokens, result);
}

static size_t computed_of(const lm_worker *w, llama_seq_id seq)
{
    return w->by_seq[seq] ? w->by_seq[seq]->computed : 0;
}

/* Rows for a sequence that has nothing to compute; take_back removes them. */
static void add_company(lm_worker *w, llama_seq_id seq, const int32_t *ids, size_t n)
{
    size_t at = computed_of(w, seq);
    for (size_t i = 0; i < n; i++) add_row(w, seq, at + i, ids[i], i + 2 >= n);
}

/* The neighbour that has more room. */
static llama_seq_id neighbour(const lm_worker *w, llama_seq_id seq)
{
    if (seq == 0) return 1;
    if ((size_t)seq + 1 == w->sequences) return seq - 1;
    return computed_of(w, seq + 1) < computed_of(w, seq - 1) ? seq + 1 : seq - 1;
}

/* Brings a session to one symbol short of its end, a chunk at a time. */
static mn_status prefill(lm_worker *w, lm_session *s, mn_err *err)
{
    llama_seq_id beside = neighbour(w, s->seq);
    size_t room = w->padded - computed_of(w, beside);
    w->capturing = false;
    while (s->computed + 1 < s->session.n) {
        size_t n = s->session.n - 1 - s->computed;
        if (n > CHUNK) n = CHUNK;
        bool company = n == 1 || s->computed + n > ALONE;
        if (company && n > room) n = room;
        const int32_t *ids = s->session.ids + s->computed;
        w->batch.n_tokens = 0;
        if (company && beside < s->seq) add_company(w, beside, ids, n);
        for (size_t i = 0; i < n; i++) add_row(w, s->seq, s->computed + i, ids[i], i + 2 >= n);
        if (company && beside > s->seq) add_company(w, beside, ids, n);
        MN_TRY(decode(w, err));
        if (company) cut(w, beside, computed_of(w, beside));
        s->computed += n;
    }
    return MN_OK;
}

/* One decode of sequences from..to, each with one symbol: those in sessions[0..n) their next one, the others company. */
static mn_status decode_run(lm_worker *w, lm_session *const *sessions, size_t n, llama_seq_id from, llama_seq_id to,
                            mn_err *err)
{
    size_t next = 0;
    w->batch.n_tokens = 0;
    for (llama_seq_id seq = from; seq <= to; seq++) {
        lm_session *s = next < n && sessions[next]->seq == seq ? sessions[next++] : NULL;
        if (s) {
            s->row = w->first_row + (size_t)w->batch.n_tokens;
            add_row(w, seq, s->computed, s->session.ids[s->computed], true);
        } else {
            add_company(w, seq, sessions[0]->session.ids + sessions[0]->computed, 1);
        }
    }
    w->capturing = true;
    MN_TRY(decode(w, err));
    next = 0;
    for (llama_seq_id seq = from; seq <= to; seq++) {
        if (next < n && sessions[next]->seq == seq) {
            sessions[next]->computed++;
            sessions[next++]->stamp = w->stamp;
        } else {
            cut(w, seq, computed_of(w, seq));
        }
    }
    return MN_OK;
}

/* Logits of the decode just done: left where they are if it is the only one of this advance, else kept. */
static mn_status keep_logits(lm_worker *w, bool only, mn_err *err)
{
    size_t A = w->worker.model->A, rows = (size_t)w->batch.n_tokens, size;
    const float *logits = llama_get_logits(w->context);
    if (!logits) return mn_fail(err, MN_ERR_INPUT, "the model gave no logits");
    w->logits = logits;
    if (only) return MN_OK;
    if (!w->kept) {
        if (!mn_mul_size(&size, w->sequences, A)) return mn_fail(err, MN_ERR_LIMIT, "too many logits");
        MN_ALLOC_OR_FAIL(w->kept, size, err);
    }
    memcpy(w->kept + w->first_row * A, logits, rows * A * sizeof *logits);
    w->logits = w->kept;
    return MN_OK;
}

/* How many of sessions[0..n), by rising sequences, are decoded together: *from..*to with the gaps between, at least two. */
static size_t next_run(const lm_worker *w, lm_session *const *sessions, size_t n, llama_seq_id *from, llama_seq_id *to)
{
    size_t k = 1;
    while (k < n && sessions[k]->seq - sessions[k - 1]->seq <= GAP) k++;
    *from = sessions[0]->seq;
    *to = sessions[k - 1]->seq;
    if (*from == *to) {
        if ((size_t)*to + 1 < w->sequences && (k == n || sessions[k]->seq > *to + 1))
            ++*to;
        else
            --*from;
    }
    return k;
}

/* Sessions that have something to compute, in rising sequences. */
static size_t collect(lm_worker *w, mn_session *const *sessions, size_t n)
{
    size_t pending = 0;
    for (size_t seq = 0; seq < w->sequences; seq++) w->order[seq] = NULL;
    for (size_t i = 0; i < n; i++) {
        lm_session *s = (lm_session *)sessions[i];
        if (s->computed < s->session.n) w->order[s->seq] = s;
    }
    for (size_t seq = 0; seq < w->sequences; seq++)
        if (w->order[seq]) w->order[pending++] = w->order[seq];
    return pending;
}

static void move(lm_worker *w, lm_session *s, llama_seq_id to)
{
    if (s->computed) {
        llama_memory_seq_cp(llama_get_memory(w->context), s->seq, to, -1, -1);
        cut(w, s->seq, 0);
    }
    w->by_seq[s->seq] = NULL;
    w->by_seq[to] = s;
    s->seq = to;
}

/* Free sequences among those to be decoded would be company: the last sessions move there. */
static void close_up(lm_worker *w, size_t pending)
{
    lm_session **order = w->order, *last;
    for (size_t i = 1; i < pending; i++) {
        llama_seq_id to = order[i - 1]->seq + 1;
        while (w->by_seq[to] && to < order[i]->seq) to++;
        if (to == order[i]->seq) continue;
        last = order[pending - 1];
        memmove(order + i + 1, order + i, (pending - 1 - i) * sizeof *order);
        order[i] = last;
        move(w, last, to);
    }
}

mn_status mn_lm_advance(mn_session *const *sessions, size_t n, mn_err *err)
{
    lm_worker *w = worker_of(sessions[0]);
    size_t pending = collect(w, sessions, n), k;
    if (!pending) return MN_OK;
    w->stamp++;
    w->first_row = 0;
    close_up(w, pending);
    for (size_t i = 0; i < pending; i++) MN_TRY(prefill(w, w->order[i], err));
    for (size_t i = 0; i < pending; i += k) {
        llama_seq_id from, to;
        k = next_run(w, w->order + i, pending - i, &from, &to);
        MN_TRY(decode_run(w, w->order + i, k, from, to, err));
        MN_TRY(keep_logits(w, k == pending, err));
        w->first_row += (size_t)w->batch.n_tokens;
    }
    return MN_OK;
}

/* ---- results -------------------------------------------------------------------------------------------------------- */

/* The results of this session are there; where another advance has overwritten them its last symbol is computed again. */
static mn_status refresh(lm_session *s, mn_err *err)
{
    lm_worker *w = worker_of(&s->session);
    mn_session *self = &s->session;
    if (!s->session.n) return mn_fail(err, MN_ERR_INPUT, "a language model predicts after at least one symbol");
    if (s->stamp == w->stamp) return MN_OK;
    if (s->computed == s->session.n) {
        s->computed--;
        cut(w, s->seq, s->computed);
    }
    return mn_lm_advance(&self, 1, err);
}

mn_status mn_lm_predict(mn_session *session, double *lp, mn_err *err)
{
    lm_session *s = (lm_session *)session;
    const mn_lm *lm = (const mn_lm *)session->worker->model;
    size_t A = lm->model.A;
    MN_TRY(refresh(s, err));
    const float *logits = worker_of(session)->logits + s->row * A;
    if (mn_log_softmax(lp, logits, A, 1 / lm->temperature) != MN_OK)
        return mn_fail(err, MN_ERR_NUM, "the model's logits are not numbers after %zu symbols", session->n);
    return MN_OK;
}

mn_status mn_lm_features(mn_session *session, float *x, mn_err *err)
{
    lm_session *s = (lm_session *)session;
    MN_TRY(refresh(s, err));
    memcpy(x, worker_of(session)->features + s->row * session->worker->model->F, session->worker->model->F * sizeof *x);
    return MN_OK;
}
