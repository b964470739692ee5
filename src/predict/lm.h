/* Inside of the language model: what its two files share. */
#ifndef MN_LM_H
#define MN_LM_H

#include <llama.h>

#include "predict/lm_panels.h"
#include "predict/predict.h"

typedef struct mn_lm {
    mn_model model;
    struct llama_model *llama;
    const struct llama_vocab *vocab;
    mn_lm_panels *panels;
    double temperature;
    char *pieces;      /* bytes of all pieces, each followed by a NUL */
    size_t *at;        /* [A + 1] piece a is pieces[at[a] .. at[a+1] - 1) */
    size_t layers, width;
} mn_lm;

extern const mn_kind mn_lm_kind;

/* Sessions (lm.c). */
MN_CHECKED mn_status mn_lm_worker_new(mn_worker **out, mn_model *model, size_t sessions, size_t length, mn_err *err);
void mn_lm_worker_free(mn_worker *worker);
MN_CHECKED mn_status mn_lm_session_new(mn_session **out, mn_worker *worker, const mn_session *fork_of, mn_err *err);
void mn_lm_session_free(mn_session *session);
void mn_lm_rewound(mn_session *session, size_t length);
MN_CHECKED mn_status mn_lm_advance(mn_session *const *sessions, size_t n, mn_err *err);
MN_CHECKED mn_status mn_lm_predict(mn_session *session, double *lp, mn_err *err);
MN_CHECKED mn_status mn_lm_features(mn_session *session, float *x, mn_err *err);

/* Features: outputs of the last MN_LM_LAYERS layers, oldest first, and of the final norm. */
enum { MN_LM_LAYERS = 3, MN_LM_BLOCKS = MN_LM_LAYERS + 1 };

#endif
