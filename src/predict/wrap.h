/* Kinds made of other models: what those with one inside forward to it, what others share. Private to src/predict. */
#ifndef MN_WRAP_H
#define MN_WRAP_H

#include "predict/predict.h"

/* The beginning of such a kind's own structs. */
typedef struct mn_wrap {
    mn_model model;
    mn_model *inner; /* borrowed */
} mn_wrap;

typedef struct mn_wrap_worker {
    mn_worker worker;
    mn_worker *inner;
    mn_session **sessions; /* [most] scratch */
    uint64_t *counts;      /* [A] scratch */
} mn_wrap_worker;

typedef struct mn_wrap_session {
    mn_session session;
    mn_session *inner;
} mn_wrap_session;

/* A kind's fields but for name, free, predict, members, counts. */
#define MN_WRAP_MODEL                                                                                     \
    .piece = mn_wrap_piece, .ends_generation = mn_wrap_ends_generation, .tokenize = mn_wrap_tokenize,     \
    .embeddings = mn_wrap_embeddings, .advance = mn_wrap_advance, .features = mn_wrap_features
#define MN_WRAP_SESSIONS                                                                                  \
    .worker_new = mn_wrap_worker_new, .worker_free = mn_wrap_worker_free, .session_new = mn_wrap_session_new, \
    .session_free = mn_wrap_session_free, .rewound = mn_wrap_rewound, .append = mn_wrap_append, .key = mn_wrap_key

/* The model's part of a new one. */
mn_model mn_wrap_model(const mn_kind *kind, const mn_model *inner);

const char *mn_wrap_piece(const mn_model *model, int32_t id, size_t *len);
bool mn_wrap_ends_generation(const mn_model *model, int32_t id);
mn_status mn_wrap_tokenize(const mn_model *model, int32_t *ids, size_t cap, size_t *n, const char *text, size_t len,
                           bool opening, mn_err *err);
mn_status mn_wrap_embeddings(const mn_model *model, float *out, mn_err *err);

/* open fills a worker or session that is zeroed; after a failure, too, close is called, and frees what it holds, not itself. */
MN_CHECKED mn_status mn_wrap_worker_open(mn_wrap_worker *worker, mn_model *model, size_t sessions, size_t length, mn_err *err);
void mn_wrap_worker_close(mn_wrap_worker *worker);
mn_status mn_wrap_worker_new(mn_worker **out, mn_model *model, size_t sessions, size_t length, mn_err *err);
void mn_wrap_worker_free(mn_worker *worker);
MN_CHECKED mn_status mn_wrap_session_open(mn_wrap_session *session, mn_worker *worker, const mn_session *fork_of, mn_err *err);
mn_status mn_wrap_session_new(mn_session **out, mn_worker *worker, const mn_session *fork_of, mn_err *err);
void mn_wrap_session_free(mn_session *session);

void mn_wrap_rewound(mn_session *session, size_t length);
mn_status mn_wrap_append(mn_session *session, const int32_t *ids, size_t n, bool learn, mn_err *err);
mn_status mn_wrap_advance(mn_session *const *sessions, size_t n, mn_err *err);
mn_status mn_wrap_features(mn_session *session, float *x, mn_err *err);
mn_status mn_wrap_key(mn_session *session, unsigned char *key, size_t cap, size_t *n, mn_err *err);
mn_status mn_wrap_counts(mn_session *session, uint64_t *counts, mn_err *err);

/* A member and its log weight; sorts n of them likeliest first, equals by index. */
typedef struct mn_rank {
    double lw;
    size_t index;
} mn_rank;
void mn_rank_sort(mn_rank *ranks, size_t n);

/* Adds size bytes to a key of *n bytes, as far as cap allows. */
void mn_key_add(unsigned char *key, size_t cap, size_t *n, const void *data, size_t size);
/* Adds a session's own key and its length. */
MN_CHECKED mn_status mn_key_add_session(unsigned char *key, size_t cap, size_t *n, mn_session *session, mn_err *err);

#endif
