/* mightnt: reinforcement learning on a base policy under a KL budget that cannot be exceeded.
 *
 * The one public header. Conventions, everywhere:
 *   A symbols (tokens, actions), T steps of an episode, B rows of a batch, V entries of a row, F features.
 *   lp_ natural-log probabilities in double; _nats natural units. log 0 is -INFINITY. NaN in is an error.
 *   The caller owns every output array; _new/_open pair with _free, and freeing NULL is fine.
 *   Fallible functions return mn_status; where they take an mn_err, NULL is allowed.
 *   No function prints, exits, or keeps mutable global state. */
#ifndef MIGHTNT_H
#define MIGHTNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MN_VERSION "0.1.0"

#if defined(__GNUC__)
#pragma GCC visibility push(default) /* the library is built with all else hidden */
#endif

#if defined(__GNUC__)
#define MN_CHECKED __attribute__((warn_unused_result))
#define MN_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define MN_CHECKED
#define MN_PRINTF(f, a)
#endif

/* ---- status -------------------------------------------------------------------------------------------------------- */

typedef enum mn_status {
    MN_OK = 0,
    MN_ERR_CHECK,       /* a check failed: exit status 1 */
    MN_ERR_USAGE,       /* wrong use: 2 */
    MN_ERR_INPUT,       /* bad input, position known where there is one: 3 */
    MN_ERR_NUM,         /* NaN or a value out of its domain: 3 */
    MN_ERR_IO,          /* a file or a process failed: 4 */
    MN_ERR_MEMORY,      /* allocation failed: 4 */
    MN_ERR_LIMIT,       /* a stated limit reached (positions, sequences, time): 4 */
    MN_ERR_INTERRUPTED  /* stopped on request: 130 */
} mn_status;

/* What went wrong, where. file "" and line 0 where there is no position; column counts bytes from 1. */
typedef struct mn_err {
    mn_status code;
    size_t line, column;
    char file[256];
    char message[768];
} mn_err;

/* Fills *err (when not NULL) and returns code, so that a caller can `return mn_fail(err, MN_ERR_INPUT, "...")`. */
mn_status mn_fail(mn_err *err, mn_status code, const char *format, ...) MN_PRINTF(3, 4);
/* The same with a position; file may be NULL, line and column 0. */
mn_status mn_fail_at(mn_err *err, mn_status code, const char *file, size_t line, size_t column, const char *format, ...)
    MN_PRINTF(6, 7);
/* One line without a newline: "file:line:column: message". Truncates to size. */
void mn_err_format(const mn_err *err, char *out, size_t size);
/* The exit status for a code: 0 1 2 3 4 as listed above, 130 for MN_ERR_INTERRUPTED. */
int mn_exit_status(mn_status code);

/* ---- words and numbers of a command line or a file ----------------------------------------------------------------- */

/* The whole of text as a number, decimal only, whatever the locale. num also takes inf, +inf, -inf and with a dot before (.inf).
 * MN_ERR_INPUT: not one (NaN, hexadecimal, spaces, rest behind it); MN_ERR_NUM: too large or too small for the type. */
MN_CHECKED mn_status mn_text_int(int64_t *out, const char *text);
MN_CHECKED mn_status mn_text_num(double *out, const char *text);
/* Which of names[n] was probably meant by text: the least edits (Levenshtein), at most a third of the length; NULL if none. */
const char *mn_text_nearest(const char *text, const char *const *names, size_t n);

/* ---- random streams ------------------------------------------------------------------------------------------------ */

/* A counter-based stream (Philox4x32-10): key = seed, counter = (draw, purpose, episode). Splitting costs nothing and
 * an extra draw in one stream changes no other. Plain data: copy it to save it. */
typedef struct mn_rng {
    uint64_t seed, episode;
    uint32_t purpose, draw;
} mn_rng;

/* Stream of (seed, episode, purpose), at its beginning. Purposes are MN_STREAM_* in the library, or the caller's own. */
mn_rng mn_rng_split(uint64_t seed, uint64_t episode, uint32_t purpose);
double mn_rng_uniform(mn_rng *rng);                  /* [0,1), 53 bits */
double mn_rng_normal(mn_rng *rng);                   /* standard normal, Box-Muller, two draws */
uint64_t mn_rng_below(mn_rng *rng, uint64_t n);      /* uniform on 0..n-1 by rejection; n >= 1 */
/* First i with cumulative exp(lp[0..i]) > u * sum exp(lp): never a symbol of probability 0. lp: [A], u in [0,1). */
size_t mn_sample(const double *lp, size_t A, double u);

/* ---- predictors ---------------------------------------------------------------------------------------------------- */

/* A frozen model, shareable between threads; a worker, one thread's place on it (for a language model a context with
 * its key-value cache); cheap sessions, one mutable timeline each, on one worker. */
typedef struct mn_model mn_model;
typedef struct mn_worker mn_worker;
typedef struct mn_session mn_session;

/* Explicit probabilities: a Markov chain of order D over A symbols with texts.
 * lp: [S,A] with S = (A+1)^D rows; row index = sum_k c_k (A+1)^k, c_0 the most recent symbol + 1, 0 = before the start.
 * Rows sum to 1 within 1e-9 (else MN_ERR_NUM naming the row), or to less: the rest is help. texts: [A], copied;
 * a symbol ends a turn where its text has a newline. Features: one-hot of the row, F = S. All arrays copied. */
MN_CHECKED mn_status mn_table_new(mn_model **out, size_t A, size_t D, const double *lp, const char *const *texts,
                                  mn_err *err);
/* The same from a JSON file: {"symbols": ["yes", "no", "\n"], "depth": 1, "rows": [[p, ...], ...]}. */
MN_CHECKED mn_status mn_table_open(mn_model **out, const char *path, mn_err *err);

typedef struct mn_lm_opts {
    const char *path;      /* a GGUF file */
    /* "bf16", "f16", "f32", "q8_0": converted once into cache; NULL: the fastest of them here. "file": as it is; in a quantisation
     * other than Q8_0 its predictions may then differ by rounding with what is computed together. */
    const char *weights;
    const char *cache;     /* folder for converted weights; NULL: $MIGHTNT_CACHE, $XDG_CACHE_HOME/mightnt or ~/.cache/mightnt */
    double temperature;    /* of the base itself: lp = log softmax(logits / temperature); 0 means 1 */
} mn_lm_opts;
MN_CHECKED mn_status mn_lm_open(mn_model **out, const mn_lm_opts *opts, mn_err *err);
void mn_model_free(mn_model *model); /* after its workers */

size_t mn_model_alphabet(const mn_model *model);              /* A */
size_t mn_model_features(const mn_model *model);              /* F; 0: gives none */
size_t mn_model_longest(const mn_model *model);               /* positions a session may hold */
const char *mn_model_name(const mn_model *model);             /* "lm", "table" */
const char *mn_model_weights(const mn_model *model);          /* file whose numbers are used, "" if none */
/* SHA-256 of the file that was opened (and of the converted one), 64 hex digits; "" for a model made in memory. */
const char *mn_model_sha256(const mn_model *model);
const char *mn_model_weights_sha256(const mn_model *model);
/* Bytes of symbol id as text (not necessarily whole UTF-8), NUL-terminated; *len may be NULL. Control symbols give "". */
const char *mn_model_piece(const mn_model *model, int32_t id, size_t *len);
bool mn_model_ends_generation(const mn_model *model, int32_t id);  /* an end-of-generation symbol */
/* Symbols of a text. opening: the text opens a session, so the model's own start symbol goes first if it wants one;
 * otherwise the text continues what is there, and no symbol or space is added. Special tokens written out in the text are text.
 * *n is the number needed even when it exceeds cap (then nothing past cap is written, status MN_OK). */
MN_CHECKED mn_status mn_model_tokenize(const mn_model *model, int32_t *ids, size_t cap, size_t *n, const char *text, size_t len,
                                       bool opening, mn_err *err);
/* Token embeddings as plain floats [A,E] (tied or input), E in *width; MN_ERR_INPUT where a model has none. */
size_t mn_model_embedding_width(const mn_model *model);       /* E; 0: has none */
MN_CHECKED mn_status mn_model_embeddings(const mn_model *model, float *out /* [A,E] */, mn_err *err);

/* A worker for at most `sessions` sessions at once of at most `length` symbols each. One thread at a time.
 * Limits are checked here (MN_ERR_LIMIT), never later by an abort. */
MN_CHECKED mn_status mn_worker_new(mn_worker **out, mn_model *model, size_t sessions, size_t length, mn_err *err);
void mn_worker_free(mn_worker *worker); /* frees its sessions too */

MN_CHECKED mn_status mn_session_begin(mn_session **out, mn_worker *worker, mn_err *err);
void mn_session_free(mn_session *session);
size_t mn_session_length(const mn_session *session);
/* Appends n symbols to the timeline. O(n) or deferred: a language model computes at the next advance. */
MN_CHECKED mn_status mn_session_append(mn_session *session, const int32_t *ids, size_t n, mn_err *err);
/* Appends and learns from them, where the predictor learns; else the same as append. */
MN_CHECKED mn_status mn_session_learn(mn_session *session, const int32_t *ids, size_t n, mn_err *err);
/* Shortens the timeline to length; length <= the present one. */
MN_CHECKED mn_status mn_session_rewind(mn_session *session, size_t length, mn_err *err);
/* A new session with the same timeline on the same worker. */
MN_CHECKED mn_status mn_session_fork(mn_session **out, const mn_session *session, mn_err *err);

/* Computes what is pending for n sessions of one worker together: for a language model one decode when each has one pending
 * symbol; longer tails are prefilled first. Elsewhere a no-op. Results are read with predict and features until the
 * next advance of the same worker. */
MN_CHECKED mn_status mn_advance(mn_session *const *sessions, size_t n, mn_err *err);
/* Natural-log probabilities of the next symbol, lp: [A]. Advances this session alone if it has to. May sum to less than 1:
 * the rest is help. MN_ERR_NUM where the model gives NaN. */
MN_CHECKED mn_status mn_session_predict(mn_session *session, double *lp, mn_err *err);
/* Features of the present context, x: [F]. */
MN_CHECKED mn_status mn_session_features(mn_session *session, float *x, mn_err *err);
/* Members of a mixture-like predictor, likeliest first: *n of them, of which the first cap are written: posterior lp_weights [cap],
 * lp [cap,A]. *n = 0 where there are none. */
MN_CHECKED mn_status mn_session_members(mn_session *session, double *lp_weights, double *lp, size_t cap, size_t *n, mn_err *err);

/* What of the timeline decides the future: two sessions of one model with equal keys predict alike whatever comes. The first cap
 * bytes of it; *n is the length even when it exceeds cap. MN_ERR_INPUT where a kind has none (a language model). */
MN_CHECKED mn_status mn_session_key(mn_session *session, unsigned char *key, size_t cap, size_t *n, mn_err *err);

/* ---- symbols of files ---------------------------------------------------------------------------------------------- */

typedef enum mn_symbols_format {
    /* By the path and the first 64 KB: transcripts where the path ends in .jsonl or the first byte that is not white space is
     * '{'; characters where the first line that is not empty has no separator, and is the only one or at least 32 bytes long (a
     * long text, wrapped or not); else tokens. */
    MN_SYMBOLS_AUTO,
    MN_SYMBOLS_CHARACTERS,  /* one symbol a character (a code point of UTF-8); white space is passed over */
    MN_SYMBOLS_TOKENS,      /* separated by white space or commas; each of at most 4096 bytes */
    MN_SYMBOLS_TRANSCRIPTS, /* JSON lines, each one sequence: {"symbols": [...]} or {"turns": [{"role":, "text":}]} */
    MN_SYMBOLS_BYTES        /* each byte a symbol, A = 256, named by itself if it is visible ASCII, else 0x00 to 0xFF */
} mn_symbols_format;

typedef struct mn_symbols_opts {
    const char *path;       /* "-": stdin */
    mn_symbols_format format;
    const char *alphabet;   /* names separated by white space or commas (one word: its characters); NULL: found, byte order */
    const mn_model *model;  /* its alphabet, in place of one declared or found; NULL: none. Borrowed for the opening only */
    const char *role, *field; /* of turns: whose (NULL: everybody's) and which text of a turn is the symbol (NULL: "text") */
} mn_symbols_opts;
/* A reader of sequences: each line of transcripts is one (those without symbols are passed over), any other file is one. A file
 * is read twice where its alphabet is to be found, and never held; a pipe then is held. With an alphabet declared memory does
 * not grow with the input. A line of transcripts is held while it is read. 2 <= A <= 65536. Copies opts.
 * MN_ERR_INPUT (file, line and column): not UTF-8, NUL bytes, no symbols, only one distinct symbol or more than 65536, an
 * alphabet that names something twice; MN_ERR_USAGE: options that are not of the format; MN_ERR_IO; MN_ERR_MEMORY. */
typedef struct mn_symbols mn_symbols;
MN_CHECKED mn_status mn_symbols_open(mn_symbols **out, const mn_symbols_opts *opts, mn_err *err);
void mn_symbols_free(mn_symbols *symbols);
mn_symbols_format mn_symbols_kind(const mn_symbols *symbols);            /* what MN_SYMBOLS_AUTO came to */
size_t mn_symbols_alphabet(const mn_symbols *symbols);                   /* A */
const char *mn_symbols_name(const mn_symbols *symbols, int32_t id);      /* UTF-8, valid as long as symbols */
/* The next *n <= cap symbols of one sequence into ids: [cap], cap >= 1; *begins: its first is among them. *n = 0: the end.
 * Errors as of opening, and a symbol that is not in the alphabet; a file without symbols fails here if its alphabet was
 * declared. */
MN_CHECKED mn_status mn_symbols_next(mn_symbols *symbols, int32_t *ids, size_t cap, size_t *n, bool *begins, mn_err *err);

/* ---- context trees ------------------------------------------------------------------------------------------------- */

/* Bayesian context trees (Kontoyiannis et al. 2022): prior on trees alpha^(leaves-1) beta^(leaves above depth D),
 * alpha = (1-beta)^(1/(A-1)); Dirichlet(1/2) parameters at the leaves. */
typedef struct mn_bct_opts {
    size_t A, D;              /* symbols 2..65536, depth 0..1024 */
    double beta;              /* in (0,1); 0: 1 - 2^-(A-1) */
    int32_t start;            /* this symbol stands D times before each sequence; -1: its first D symbols only condition */
    const char *const *names; /* [A], copied; NULL: 0, 1, ... */
    size_t members;           /* so many of the likeliest trees are its members; 0: it has none */
} mn_bct_opts;
/* A tree that has seen nothing; kind "bct". Its sessions learn on a copy of what they touch, and never change the model: learning,
 * rewinding (to the same bits) and forking cost O(D) a symbol learnt. A context shorter than D (without start) ends at a leaf where it
 * ends. Features: one-hot of each of the last D symbols, most recent first, the last of each A + 1 for none: F = D (A + 1). Key: the
 * last D symbols; MN_ERR_INPUT once the session has learnt. MN_ERR_INPUT what is out of range; MN_ERR_LIMIT the depth. */
MN_CHECKED mn_status mn_bct_new(mn_model **out, const mn_bct_opts *opts, mn_err *err);
/* Learns n more symbols in place, O(D) each; begins: of a new sequence. While it has no workers. MN_ERR_INPUT a wrong id (nothing is
 * learnt then); MN_ERR_LIMIT 2^32 symbols in all, or contexts; MN_ERR_MEMORY: those before are learnt, mn_bct_symbols says how many. */
MN_CHECKED mn_status mn_bct_learn(mn_model *bct, const int32_t *ids, size_t n, bool begins, mn_err *err);
/* The same, each symbol predicted before it is learnt: lp: [n] of what came; lost: [n], false where no likelier symbol (of equals,
 * none with a lower id) was there; next: [A], lp of the symbol after the last. Each may be NULL. O(D) a symbol for lp; for the others
 * O(D + A) and what was seen in its contexts. Symbols that only condition are predicted as sessions do, and are no part of the
 * evidence: that is the sum of the other lp. By the odds recursion: no logarithms but those of lp. */
MN_CHECKED mn_status mn_bct_predict_all(mn_model *bct, double *lp, bool *lost, double *next, const int32_t *ids, size_t n, bool begins,
                                        mn_err *err);
double mn_bct_log_evidence(const mn_model *bct);   /* ln P_w at the root, nats. O(A) */
size_t mn_bct_depth(const mn_model *bct);
double mn_bct_beta(const mn_model *bct);
int32_t mn_bct_start(const mn_model *bct);         /* the symbol that stands before each sequence; -1: none */
uint64_t mn_bct_symbols(const mn_model *bct);      /* learnt, those that only condition included */
uint64_t mn_bct_predicted(const mn_model *bct);    /* those that did not */
size_t mn_bct_contexts(const mn_model *bct);       /* distinct ones of all depths */
/* How often each symbol followed a context, most recent symbol first: counts: [A]. Zeros for one never seen. */
MN_CHECKED mn_status mn_bct_counts(const mn_model *bct, uint64_t *counts, const int32_t *context, size_t length, mn_err *err);

/* Trees in full: each is a list of leaves, each leaf a context, most recent symbol first, in symbol order. */
typedef struct mn_tree {
    size_t leaves;
    size_t *lengths;          /* [leaves] */
    int32_t *contexts;        /* the leaves' symbols, end to end */
    double *parameters;       /* [leaves,A] of a posterior draw; else NULL */
    double log_posterior, log_prior, log_likelihood_nats, bic, aic; /* likelihood: the maximum; bic, aic as in DESIGN */
} mn_tree;
/* The k likeliest trees into trees: [k], *n <= k of them (there may be fewer), by falling posterior; k = 1: the MAP
 * tree. Exact for every beta. Of equal values (as doubles) a leaf is before a branching, and branchings are in the order
 * of their first children that differ: those that were seen in symbol order, then the others; so the k best are the
 * first of any more. Free each by mn_tree_free. MN_ERR_LIMIT: over 2^27 choices at nodes (k is too large), or together
 * over 2^26 leaves and symbols in them. O(contexts k log k), and the writing. */
MN_CHECKED mn_status mn_bct_best(mn_tree *trees, size_t *n, const mn_model *bct, size_t k, mn_err *err);
/* One exact draw from the posterior on trees, and parameters at its leaves: Dirichlet(counts + 1/2). MN_ERR_LIMIT as above. */
MN_CHECKED mn_status mn_bct_draw(mn_tree *tree, const mn_model *bct, mn_rng *rng, mn_err *err);
/* Fills the figures of a tree given by leaves, lengths, contexts. MN_ERR_INPUT, naming the leaf (from 0): not a proper and
 * complete tree of depth <= D with its leaves in symbol order. bic and aic count A-1 parameters a leaf, over
 * mn_bct_predicted symbols. */
MN_CHECKED mn_status mn_bct_judge(mn_tree *tree, const mn_model *bct, mn_err *err);
/* Draws ids[given..n) from a tree with parameters; ids: [n], the first `given` are there already. A symbol that the past is
 * too short for to tell its leaf is drawn uniformly. O(A + D log leaves) a symbol. */
MN_CHECKED mn_status mn_tree_generate(int32_t *ids, size_t n, size_t given, const mn_tree *tree, size_t A, mn_rng *rng,
                                      mn_err *err);
void mn_tree_free(mn_tree *tree); /* what it holds, not itself */

/* A tree drawn for a terminal of so many columns (labels of its own that are wider are not broken), in at most `lines` lines
 * and one that says what was left out: contexts most recent symbol first, and at each leaf how many symbols followed and the
 * likeliest next ones, by Dirichlet(1/2). Names are the model's. *out is released by free. MN_ERR_MEMORY. */
MN_CHECKED mn_status mn_tree_text(char **out, const mn_tree *tree, const mn_model *bct, size_t width, size_t lines,
                                  mn_err *err);
/* The same as an SVG file of its own, for light and dark. MN_ERR_IO, MN_ERR_MEMORY. */
MN_CHECKED mn_status mn_tree_svg(const char *path, const mn_tree *tree, const mn_model *bct, mn_err *err);
/* One line of JSON without its end: symbols, alphabet, depth, log_evidence_nats, trees [n] and, where there are, samples
 * [n_samples] with their parameters. *out is released by free. MN_ERR_MEMORY, MN_ERR_NUM. */
MN_CHECKED mn_status mn_trees_json(char **out, const mn_model *bct, const mn_tree *trees, size_t n, const mn_tree *samples,
                                   size_t n_samples, mn_err *err);

/* A bct as a file, versioned and checksummed, written so that path has the old file or the new one whole. Opening maps it into
 * memory in time that does not grow with it: up to 16 MB all checksums are verified then, in larger files those of the header, of
 * the alphabet and of the root, and each other block of some 64 KB before anything in it is used. What is not exactly what was saved
 * is refused, MN_ERR_INPUT, at the latest by the function that would use it. The file must not be changed in place while it is open
 * (saving over it is fine). Learning in place first copies it into memory, O(size). mn_model_sha256 is that of the header, whose
 * hashes cover the rest. MN_ERR_IO, MN_ERR_MEMORY. */
MN_CHECKED mn_status mn_bct_save(const mn_model *bct, const char *path, mn_err *err);
MN_CHECKED mn_status mn_bct_open(mn_model **out, const char *path, mn_err *err);

/* Bytes by binary decomposition: each of the 255 decisions that make up a byte has a context tree over the last `depth` bytes,
 * with the zero-redundancy estimator 1/2 P_counts + 1/4 [all zeros] + 1/4 [all ones], P_counts Dirichlet(1/4, 1/4) (Willems 2013).
 * Weighting: contexts end at borders of bytes, with probability 1/2 each: P_w = (P_e + P_longer)/2. Switching (Veness et al.
 * 2012): which of the two speaks may change after each byte that a context has seen, with probability 1/(t+3), t bytes learnt
 * before it; contexts may also end after each second bit of the nearest two bytes, with probability 1/5. */
typedef struct mn_bytes_opts {
    size_t depth;          /* bytes of context, 0 to 1024; 8 suits files of up to some MB */
    bool switching;        /* in place of weighting */
    double discount;       /* counts are multiplied by it before each update, in (0,1]; 0: .98. 1: none */
} mn_bytes_opts;
/* A model that has seen nothing; kind "bytes", A = 256. Contexts that reach beyond the start of a sequence are contexts of their
 * own. Its sessions begin a new sequence, learn on a copy of what they touch, and never change the model; predict takes
 * O(256 depth) at most, rewind O(depth^2 + what was learnt). Their key is the last bytes; MN_ERR_INPUT once they have learnt.
 * MN_ERR_NUM, MN_ERR_LIMIT, MN_ERR_MEMORY. */
MN_CHECKED mn_status mn_bytes_new(mn_model **out, const mn_bytes_opts *opts, mn_err *err);
/* Learns n more bytes in place; begins: of a new sequence. lp: [n], nats, of each before it is learnt; may be NULL. While it has
 * no workers. On failure the bytes before it have been learnt. O(depth) a byte; memory grows with distinct contexts. */
MN_CHECKED mn_status mn_bytes_learn(mn_model *bytes, double *lp, const unsigned char *data, size_t n, bool begins, mn_err *err);

/* ---- mixtures and pessimists --------------------------------------------------------------------------------------- */

/* Models made of models (docs/pessimism.md). Those inside are borrowed: they outlive what is made of them. Where nothing is
 * left that could have said what was said, all is help. No model is changed by its sessions. */

/* Independent symbols: Dirichlet(a0, ..., a0) over A; p(a) = (c_a + a0)/(n + A a0), c what the session has learnt. a0 0: 1/2.
 * names: [A], copied; NULL: 0, 1, ... MN_ERR_NUM: a0 negative, infinite or NaN; MN_ERR_LIMIT: A = 0. */
MN_CHECKED mn_status mn_kt_new(mn_model **out, size_t A, double a0, const char *const *names, mn_err *err);
/* The Bayesian mixture of n models of one alphabet with prior weights exp(lp_prior), up to a common constant: [n]. Sessions
 * learn: w_i is multiplied by p_i(symbol), then replaced by (1 - share) w_i + share/n (fixed share, Herbster and Warmuth 1998;
 * 0: none), and the members learn where they do. Members: the models, refuted ones apart; ties by index. No features.
 * O(n A) a symbol, besides the members.
 * MN_ERR_INPUT: n = 0, different alphabets; MN_ERR_NUM: a weight that is NaN or inf, none above zero, share not in [0,1]. */
MN_CHECKED mn_status mn_mixture_new(mn_model **out, mn_model *const *models, const double *lp_prior, size_t n, double share,
                                    mn_err *err);
/* A model confined to some symbols, allowed: [A], copied: zero elsewhere, renormalised. Its members are those inside, likewise
 * confined; credible floors are not renormalised, which leaves them floors. */
MN_CHECKED mn_status mn_only_new(mn_model **out, mn_model *model, const bool *allowed, mn_err *err);

/* "As the model, but from the n-th turn on always a": for n = 1..turns and each allowed symbol a, prior 1/(2 M n (n+1)), M the
 * number allowed; the model itself has the rest. A turn is a symbol that is allowed. */
typedef struct mn_switch_opts {
    mn_model *model;
    const bool *allowed;  /* [A]: the speaker's symbols, copied; the model is confined to them */
    size_t turns;         /* the largest n */
} mn_switch_opts;
/* Their mixture. The model inside is frozen: whatever a session is given is appended there. learn: the weights move by a turn's
 * symbol; append: only the timeline does, and with it the count of turns. Members: all that are not refuted, ties in the order
 * model, n, a. O(A + turns M) a symbol. MN_ERR_INPUT: nothing allowed; MN_ERR_LIMIT: turns M too many. */
MN_CHECKED mn_status mn_switch_new(mn_model **out, const mn_switch_opts *opts, mn_err *err);
/* Evidence of one whole transcript: refutes members, or multiplies their odds by 1/model(symbol) over what they explain. While
 * it has no workers. On an error nothing of it is learnt. */
MN_CHECKED mn_status mn_switch_learn(mn_model *model, const int32_t *ids, size_t n, mn_err *err);

/* The least probability that any kept member gives (Cohen, Hutter, Nanda 2022): members by falling weight w, kept while
 * w_n >= alpha * (w_1 + ... + w_n), hence at most 1/alpha. What is missing to 1 is help. leaf_alpha > 0: what counts (a context
 * tree, a kt) speaks with its credible floor, the least theta_a over all parameters with likelihood >= leaf_alpha * KT evidence
 * at the deepest context at hand (Ville), and never more than it predicts; 0: as it predicts. A context tree without members is
 * its only one. Members: the kept ones, as they speak here. Learning is that of the model inside.
 * MN_ERR_NUM: alpha not in (0,1), leaf_alpha not in [0,1); MN_ERR_INPUT: a model that neither has members nor counts. */
MN_CHECKED mn_status mn_pessimist_new(mn_model **out, mn_model *model, double alpha, double leaf_alpha, mn_err *err);
/* The credible floor of one model that counts, or of such a model confined by mn_only_new: then over the allowed symbols. */
MN_CHECKED mn_status mn_credible_new(mn_model **out, mn_model *model, double leaf_alpha, mn_err *err);

/* The session inside that of an only, switch, pessimist or credible, to be looked at (predict, members), not to be changed: why
 * help was asked. NULL for other kinds. */
mn_session *mn_session_inner(mn_session *session);

/* ---- programs -------------------------------------------------------------------------------------------------- */

/* Programs of a small prefix-free language over 2 to 4 symbols (docs/theory.md): what an actor does in turn with a world,
 * the actor first. Symbols at even places of a timeline are the actor's; the others the world's, which programs see and do
 * not predict. Kind "program". */

/* All programs of at most `bits` bits, 1..40, prior weight 2^-bits of each: the computable stand-in for Solomonoff
 * induction. Programs of one decision diagram, which predict alike after every history, are one member with the sum of their
 * weights. Sessions learn: a member's weight is multiplied by what it gave to the actor's symbol; the world's symbols move
 * no weight. Members: all that are not refuted; ties with the shorter first. Predicting at the world's turn: MN_ERR_INPUT.
 * O(members) a turn. MN_ERR_LIMIT: A not 2..4, bits. */
MN_CHECKED mn_status mn_program_new(mn_model **out, size_t A, size_t bits, mn_err *err);
/* One program from its text, weight 2^-bits:
 *   policy: always x | mix k ... k | copy | rotate x | count n | if event then policy else policy |
 *           until event do policy then policy
 *   event:  last is x | seen x | seen x y | seen x n times | time >= n | not event | event and event
 * MN_ERR_INPUT with the column, MN_ERR_LIMIT. */
MN_CHECKED mn_status mn_program_read(mn_model **out, const char *text, size_t A, mn_err *err);
/* The same from its code, characters 0 and 1, all of them. */
MN_CHECKED mn_status mn_program_decode(mn_model **out, const char *code, size_t A, mn_err *err);
/* Of a program read or decoded: its text and code as the language has them, to be freed. MN_ERR_INPUT for a class of
 * programs. */
MN_CHECKED mn_status mn_program_text(char **text, char **code, const mn_model *program, mn_err *err);
/* Evidence of one whole transcript, as often as `times`. While it has no workers. */
MN_CHECKED mn_status mn_program_learn(mn_model *program, const int32_t *ids, size_t n, double times, mn_err *err);
/* ln of the sum over all programs of 2^-bits times what each gave to all that was learnt, nats. */
double mn_program_log_evidence(const mn_model *program);
size_t mn_program_count(const mn_model *program);     /* programs */
size_t mn_program_members(const mn_model *program);   /* behaviours among them */

/* ---- regularisers -------------------------------------------------------------------------------------------------- */

/* The tilted family pi_l ∝ base exp(l z), 0 <= l <= 1, and how l is chosen (docs/regularisers.md). */
typedef enum mn_reg_kind {
    MN_REG_BUDGET,   /* largest l with KL(pi_l || base) <= limit */
    MN_REG_PENALTY,  /* l = 1; the KL is charged to the reward by the trainer */
    MN_REG_TVD,      /* largest l with total variation(pi_l, base) <= limit */
    MN_REG_CHI2,     /* largest l with chi-squared(pi_l || base) <= limit */
    MN_REG_NONE      /* l = 1 */
} mn_reg_kind;

/* For each row: policy, l, KL in nats (always KL(pi_l || base), whatever the kind).
 * lp_policy: [B,V], must not alias an input.
 * lambda, nats: [B]. lp_base: [B,V], each row exp-sums to 1 within 1e-9 (the base is taken as base/sum; help is one more
 * entry where it has mass). scores: [B,V], finite or -INFINITY (a mask). limit: [B], >= 0, INFINITY allowed; ignored (may be
 * NULL) for penalty and none.
 * budget: nats never exceeds limit, in exact arithmetic for the exact tilt at the returned double l, and as the returned double;
 * the base to the bit and nats 0 at limit 0 (l = 0), at scores all equal on the support and at one symbol of support (every tilt is the
 * base there, so l = 1, and gradients flow: this is where training begins).
 * A -INFINITY score masks if the limit can afford it, else l = 0 (0 * -inf = 0).
 * Errors, *err naming the row (from 0), outputs of earlier rows written: MN_ERR_NUM on NaN, +INFINITY scores, -INFINITY scores on the whole
 * support, negative limit, base not summing to 1. No allocation. O(BV). Thread-safe. */
MN_CHECKED mn_status mn_regularize(mn_reg_kind kind, double *lp_policy, double *lambda, double *nats, const double *lp_base,
                                   const double *scores, const double *limit, size_t B, size_t V, mn_err *err);
/* Gradients of a loss through mn_regularize. In: d_lp_policy [B,V] (entries of probability 0 are ignored) and d_nats [B] (NULL: 0),
 * with the forward's inputs and outputs. Out: d_scores [B,V], d_limit [B] (NULL: not wanted). 0 < l < 1: implicit function theorem;
 * at l = 1 lambda is constant; at l = 0 everything is 0. */
MN_CHECKED mn_status mn_regularize_backward(mn_reg_kind kind, double *d_scores, double *d_limit, const double *d_lp_policy,
                                            const double *d_nats, const double *lp_policy, const double *lambda,
                                            const double *lp_base, const double *scores, const double *limit, size_t B, size_t V,
                                            mn_err *err);
/* KL(p||q) = sum p (lp - lq) in nats, [A] each, normalised; +INFINITY on lost support. MN_ERR_NUM on NaN. */
MN_CHECKED mn_status mn_kl_nats(double *out, const double *lp, const double *lq, size_t A);

/* One row of a file and what the budget operator makes of it. Probabilities, not their logarithms: [V]; with help, the last
 * entry is that. Valid during the call. */
typedef struct mn_budget_answer {
    size_t line, V;
    bool help;
    double limit, lambda, nats;
    const double *base, *policy;
} mn_budget_answer;

/* Answers a file ("-": stdin) of JSON lines, row by row as they come: {"base": [p, ...], "scores": [...], "budget_nats": b}, or
 * "lp_base" in place of "base", and optionally "help": mass, which makes one more entry, last. limit serves the rows without a
 * budget; negative: there is none. Empty lines are passed over. MN_ERR_INPUT naming line and cause, earlier rows answered. */
MN_CHECKED mn_status mn_budget_file(const char *path, double limit, void (*answer)(void *arg, const mn_budget_answer *answer), void *arg,
                                    mn_err *err);

/* ---- plans --------------------------------------------------------------------------------------------------------- */

/* The exact agent (docs/planning.md): one turn of a sampled episode. */
typedef struct mn_plan_turn {
    const char *move, *sentence;       /* the agent's, or for it the demonstrator's */
    const char *answer, *answer_sentence;
    bool helped;                       /* the demonstrator made the move */
    double nats, reward;               /* KL(policy || base) of the turn; reward of the answer */
} mn_plan_turn;

/* What the best policy under one budget comes to. Valid during the call. Nats and help are expected sums over an episode. */
typedef struct mn_plan_answer {
    double budget;                     /* of the regularizer: nats, penalty or limit */
    double value, value_above;         /* mean reward; hard: no policy exceeds value_above. Else equal */
    double eta;                        /* multiplier: policy ∝ base exp(Q/eta); 0: it does not bind; NAN where there is none */
    double kl_base_nats, kl_demonstrator_nats;
    double worst_observation_kl_nats;  /* kl_base_nats where each answer is the costliest */
    double help_per_episode, help_slack_nats; /* E sum ln(1 + the base's help) */
    size_t states, turns;
    const double *per_turn;            /* [turns,4] kl_base, kl_demonstrator, reward, help */
    const char *roles[2];              /* agent, the other */
    const mn_plan_turn *episodes;      /* [sampled,turns] */
    size_t sampled;
} mn_plan_answer;

typedef struct mn_plan_opts {
    const char *config;                /* YAML file; NULL: all defaults */
    const char *const *sets;           /* [n_sets] "key=value" */
    size_t n_sets;
    const char *dir;                   /* plan.json, policy.jsonl and transcripts.jsonl go there; NULL: nowhere */
    size_t threads;                    /* 0: one a core. Never changes what comes out */
    size_t sampled;                    /* episodes sampled of each policy */
    void (*answer)(void *arg, const mn_plan_answer *answer); /* in the order of the budgets */
    bool (*stop)(void *arg);           /* may be NULL */
    void *arg;
} mn_plan_opts;
/* Computes the optimal agent for each budget of the configuration. MN_ERR_INPUT, MN_ERR_NUM: what the configuration names, with
 * file and position; MN_ERR_LIMIT: more states than max_states; MN_ERR_IO, MN_ERR_MEMORY, MN_ERR_INTERRUPTED. */
MN_CHECKED mn_status mn_plan(const mn_plan_opts *opts, mn_err *err);
/* The keys of its configuration, as mn_train_keys. */
MN_CHECKED mn_status mn_plan_keys(char **out, mn_err *err);

/* One of the statements that the classroom shows, and what the planner finds of it. Sentences, ASCII. */
typedef struct mn_claim {
    const char *claim;
    char *figures;
} mn_claim;
enum { MN_CLAIMS = 5 };
/* Computes the classroom of docs/planning.md anew, in seconds: the agent held to the imitator and the one held to its pessimist,
 * for several budgets and numbers of demonstrations. Fills claims [MN_CLAIMS], to be freed also after a failure, and writes one
 * self-contained page to path, its numbers as TSV in a folder beside it, as mn_report does. threads: as in mn_plan_opts; stop
 * may be NULL. The same bytes every time. MN_ERR_IO: gnuplot is missing or failed, or nothing can be written; MN_ERR_MEMORY,
 * MN_ERR_INTERRUPTED. */
MN_CHECKED mn_status mn_classroom_page(const char *path, mn_claim claims[MN_CLAIMS], size_t threads, bool (*stop)(void *arg),
                                       void *arg, mn_err *err);
void mn_claims_free(mn_claim claims[MN_CLAIMS]);

/* ---- laboratory ------------------------------------------------------------------------------------------------ */

/* The statements of the paper as experiments that can fail (docs/theory.md). */
enum { MN_LAB_COLUMNS = 10, MN_LAB_SETTINGS = 8 };

/* A number of an experiment that --set NAME.KEY=VALUE replaces: for tests of the laboratory, which break one and see the
 * statement fail. */
typedef struct mn_lab_setting {
    const char *key;
    double value;
    const char *help;
} mn_lab_setting;

typedef struct mn_lab_kind {
    const char *name, *title;
    const char *claim, *formula;  /* one sentence; plain text */
    mn_lab_setting settings[MN_LAB_SETTINGS]; /* key NULL: the end */
} mn_lab_kind;
size_t mn_lab_kinds(void);
const mn_lab_kind *mn_lab_kind_at(size_t i);

typedef enum mn_lab_relation { MN_LAB_AT_MOST, MN_LAB_AT_LEAST } mn_lab_relation;

/* What was compared: holds is value <= limit, or >=. */
typedef struct mn_lab_check {
    char what[200];
    double value, limit;
    mn_lab_relation relation;
    bool holds;
} mn_lab_check;

/* A table: a label and numbers a row; NAN: nothing there. Its chart: columns `lines` [n_lines] over column x, a colour for
 * each label, or what is before ": " in it; the first column solid, the second dashed; dots: points without lines. */
typedef struct mn_lab_row {
    char label[120];
    double values[MN_LAB_COLUMNS];
} mn_lab_row;

typedef struct mn_lab {
    const mn_lab_kind *kind;
    size_t columns, rows, checks;
    const char *heading, *headings[MN_LAB_COLUMNS]; /* of the labels; [columns], with units */
    mn_lab_row *row;      /* [rows] */
    mn_lab_check *check;  /* [checks] */
    char *finding;        /* what came out, in sentences */
    bool holds;           /* every check does */
    size_t x, n_lines, lines[MN_LAB_COLUMNS];
    bool dots, log_x, log_y;
    const char *x_title, *y_title;
    char set[200];        /* what was replaced, as on a command line; "" for nothing */
} mn_lab;

typedef struct mn_lab_opts {
    const char *const *sets; /* [n_sets] "NAME.KEY=VALUE"; those of other experiments are passed over */
    size_t n_sets;
    size_t threads;          /* 0: one a core. Never changes what comes out */
} mn_lab_opts;
/* Runs one experiment. *out is released by mn_lab_free; a statement that does not hold is no error: out->holds.
 * MN_ERR_INPUT: no such experiment or setting; MN_ERR_NUM, MN_ERR_LIMIT, MN_ERR_MEMORY. */
MN_CHECKED mn_status mn_lab_run(mn_lab **out, const char *name, const mn_lab_opts *opts, mn_err *err);
void mn_lab_free(mn_lab *lab);
/* One self-contained page of n experiments, and their tables as TSV in a folder beside it, as mn_report does. */
MN_CHECKED mn_status mn_lab_page(const char *path, const mn_lab *const *labs, size_t n, mn_err *err);

/* ---- runs ---------------------------------------------------------------------------------------------------------- */

/* What is told while a run goes on. */
typedef struct mn_progress {
    size_t step, steps;            /* the step just done, of so many (step 0 measures the base) */
    double value, base_value;      /* mean return of its episodes; that of the base */
    double nats, budget_nats;      /* mean spent, allowed */
    double tokens_per_s;           /* symbols computed a second, labels included, over the whole step */
    double seconds_left;
} mn_progress;

typedef struct mn_train_opts {
    const char *config;            /* YAML file (docs/configuration.md); NULL: all defaults. Not used by resume */
    const char *const *sets;       /* [n_sets] "key=value" */
    size_t n_sets;
    const char *dir;               /* the run directory */
    bool resume;                   /* go on with the run in dir */
    size_t threads;                /* 0: one a core. Never changes what comes out */
    const char *command;           /* for run.json; NULL: none */
    void (*progress)(void *arg, const mn_progress *progress); /* after each step; may be NULL */
    bool (*stop)(void *arg);       /* asked often; true ends the run with MN_ERR_INTERRUPTED, ready to be resumed; may be NULL */
    void *arg;
} mn_train_opts;
/* Trains an agent by PPO under its regulariser, and leaves the run directory of DESIGN section 7: run.json, steps.jsonl,
 * episodes.jsonl, heads.*, the last two checkpoint.*, timing.jsonl. Models and rewards are opened first: a directory is made only
 * when they could be. Killed at any moment, resume ends with the same bytes of steps.jsonl and episodes.jsonl as a run left alone,
 * for any number of threads: same machine, same build. Resuming a finished run does nothing.
 * MN_ERR_INPUT bad settings or model, MN_ERR_IO, MN_ERR_LIMIT, MN_ERR_MEMORY, MN_ERR_INTERRUPTED; what failed is in *err. */
MN_CHECKED mn_status mn_train(const mn_train_opts *opts, mn_err *err);
/* The settings of a run as a table for people: every key, its default and meaning. Released by free. */
MN_CHECKED mn_status mn_train_keys(char **out, mn_err *err);

/* What a run amounts to: means over episodes with their standard errors; after and nats over the last tenth of its steps. */
typedef struct mn_summary {
    size_t steps;                          /* trained */
    double before, before_se, after, after_se; /* return of the base (step 0) and of the agent */
    double nats, most_nats, budget_nats;   /* spent: mean, most in any episode; allowed */
    double tokens_per_s;                   /* 0: not known */
    char *lines_before, *lines_after;      /* the first logged episode of step 0 and of the last step, a line a turn; may be NULL */
} mn_summary;
/* MN_ERR_IO, MN_ERR_INPUT (a run needs at least one trained step), MN_ERR_MEMORY. */
MN_CHECKED mn_status mn_summarise(mn_summary *out, const char *dir, mn_err *err);
void mn_summary_free(mn_summary *summary);

typedef struct mn_audit_opts {
    const char *dir;
    size_t threads;                /* 0: one a core */
    void (*found)(void *arg, const char *line);    /* every difference, one line each; may be NULL */
    void (*progress)(void *arg, size_t done, size_t of); /* episodes; may be NULL */
    bool (*stop)(void *arg);
    void *arg;
} mn_audit_opts;
typedef struct mn_audit {
    size_t steps, episodes, tokens, decisions;     /* replayed; decisions are the agent's tokens */
    size_t differences;
    size_t unchecked_policy;       /* decisions whose heads are not there */
    size_t unchecked_rewards;      /* rewards that cannot be computed again (reward.type command) */
    bool same_machine;             /* bit for bit; else within tolerance */
    double tolerance;              /* nats */
    double worst;                  /* largest difference of lp or nats met */
    double mean_log_ratio, mean_nats, z; /* mean of lp_policy - lp_base against that of nats, in standard errors of their difference */
    double worst_spent_share;      /* most of spent_nats / budget_nats; 0 where no budget is finite */
} mn_audit;
/* Replays every logged episode through the models: every token as its stream draws it, every lp_base, lp_policy and nats, every sum,
 * every budget, every reward and return. MN_ERR_CHECK on any difference, *out filled all the same. */
MN_CHECKED mn_status mn_audit_run(mn_audit *out, const mn_audit_opts *opts, mn_err *err);

/* Writes one self-contained page on the runs in dirs [n] (finished or not, at least one trained step each) to path, and the numbers
 * of its charts as TSV into a folder beside it, named like path with "-data" for the ending. Runs that differ only in their seed
 * count as one setting, with errors over the seeds. The same inputs give the same bytes. Needs gnuplot on PATH.
 * MN_ERR_USAGE n = 0; MN_ERR_INPUT what stands in a run, with file and line; MN_ERR_IO files, gnuplot; MN_ERR_MEMORY. */
MN_CHECKED mn_status mn_report(const char *path, const char *const *dirs, size_t n, mn_err *err);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif
#endif
