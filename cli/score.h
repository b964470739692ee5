/* Losses of predictors along symbols. Private to the program. */
#ifndef MN_SCORE_H
#define MN_SCORE_H

#include "mightnt.h"

/* A predictor of one sequence after another: a tree, or bytes, that learns as it goes, or a tree that stays as it is. */
typedef struct predictor {
    mn_model *model;    /* owned */
    const char *name;   /* for people */
    bool bytes, learns; /* bytes always learn */
    size_t skip;        /* symbols of each sequence that it does not predict */
    mn_worker *worker;  /* where it stays as it is: a session that is moved along */
    mn_session *session;
    double *p;              /* [A] */
    int32_t *recent;        /* [depth] the sequence's last symbols, n_recent of them */
    size_t depth, n_recent; /* how far back it looks */
} predictor;

/* What it needs besides its model, name, bytes, learns and (of bytes) depth. MN_ERR_MEMORY; free it also then. */
mn_status predictor_prepare(predictor *predictor, mn_err *err);
void predictor_free(predictor *predictor);
/* Of the next n <= CLI_CHUNK symbols of a sequence (begins: its first): lp: [n] of what came; lost: [n], false where no
 * likelier symbol was there (of equals none with a lower id), left alone by bytes. */
mn_status predictor_run(predictor *predictor, double *lp, bool *lost, const int32_t *ids, size_t n, bool begins, mn_err *err);
/* lp: [A] of the symbol after the last. */
mn_status predictor_next(predictor *predictor, double *lp, mn_err *err);

/* A sum that keeps what rounding loses (Neumaier 1974), a mean with the standard error of units that are of unequal sizes. */
typedef struct total {
    double sum, lost;
} total;
void total_add(total *total, double x);
double total_of(const total *total);

/* Ratio of sums x and n over units: error sqrt(K/(K-1) sum (x_k - mean n_k)^2) / sum n. Start from {0}. */
typedef struct ratio {
    total x;
    double n, units, xx, xn, nn;
} ratio;
void ratio_add(ratio *ratio, double x, double n);
double ratio_mean(const ratio *ratio);
double ratio_error(const ratio *ratio); /* 0 of a single unit */

#endif
