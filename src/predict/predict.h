/* The inside of the predictor interface: what a kind of predictor supplies. predict.c checks arguments and keeps each session's
 * timeline; a kind computes. Private to src/predict. */
#ifndef MN_PREDICT_H
#define MN_PREDICT_H

#include "base/base.h"

/* Every function may assume what predict.c has checked: ids in range, sizes within limits, lengths that exist. */
typedef struct mn_kind {
    const char *name;
    void (*free)(mn_model *model);
    const char *(*piece)(const mn_model *model, int32_t id, size_t *len);
    mn_status (*tokenize)(const mn_model *model, int32_t *ids, size_t cap, size_t *n, const char *text, size_t len,
                          bool opening, mn_err *err);
    mn_status (*worker_new)(mn_worker **out, mn_model *model, size_t sessions, size_t length, mn_err *err);
    void (*worker_free)(mn_worker *worker); /* after its sessions */
    mn_status (*session_new)(mn_session **out, mn_worker *worker, const mn_session *fork_of, mn_err *err); /* NULL: empty */
    void (*session_free)(mn_session *session);
    mn_status (*predict)(mn_session *session, double *lp, mn_err *err);
    mn_status (*features)(mn_session *session, float *x, mn_err *err);
    /* What a kind need not have: NULL. */
    bool (*ends_generation)(const mn_model *model, int32_t id);
    mn_status (*embeddings)(const mn_model *model, float *out, mn_err *err); /* where E > 0 */
    void (*rewound)(mn_session *session, size_t length); /* before the timeline is cut */
    mn_status (*advance)(mn_session *const *sessions, size_t n, mn_err *err);
    mn_status (*append)(mn_session *session, const int32_t *ids, size_t n, bool learn, mn_err *err); /* before the timeline has them */
    mn_status (*key)(mn_session *session, unsigned char *key, size_t cap, size_t *n, mn_err *err);
    /* leaf_alpha > 0: lp of trees are their credible floors. */
    mn_status (*members)(mn_session *session, double leaf_alpha, double *lp_weights, double *lp, size_t cap, size_t *n, mn_err *err);
    /* How often each symbol followed the deepest context at hand, counts: [A]: what credible.h makes a floor of. */
    mn_status (*counts)(mn_session *session, uint64_t *counts, mn_err *err);
} mn_kind;

/* The beginning of every kind's own struct. */
struct mn_model {
    const mn_kind *kind;
    size_t A, F, E, longest;
    char *weights;                        /* path, owned; NULL: none */
    char sha256[65], weights_sha256[65];  /* "" for none */
};

struct mn_worker {
    mn_model *model;
    size_t most, length;   /* sessions at once, symbols of each */
    size_t n;              /* sessions there are */
    mn_session *sessions;  /* list of them */
};

struct mn_session {
    mn_worker *worker;
    mn_session *next, *previous;
    int32_t *ids;          /* [n] timeline, room for worker->length */
    size_t n;
};

/* Members, those that are trees with their credible floors (leaf_alpha > 0): mn_session_members is this with leaf_alpha 0. */
MN_CHECKED mn_status mn_session_floors(mn_session *session, double leaf_alpha, double *lp_weights, double *lp, size_t cap, size_t *n,
                                       mn_err *err);

#endif
