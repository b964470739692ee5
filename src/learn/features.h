/* What the heads see of a context: the model's features, standardised and projected to few dimensions, and where the episode
 * stands. Also the token embeddings through which the actor scores symbols. */
#ifndef MN_FEATURES_H
#define MN_FEATURES_H

#include "base/base.h"

/* Sparse Johnson-Lindenstrauss projection (Kane and Nelson 2014): each input goes to MN_SPARSE outputs with random signs.
 * Keeps lengths and angles nearly, costs n * MN_SPARSE additions, and always the same bits. */
enum { MN_SPARSE = 4 };
typedef struct mn_projection {
    size_t n, width;   /* inputs, outputs; width = n: the identity */
    uint32_t *to;      /* [n, MN_SPARSE]: 2 * output + (1 if subtracted) */
    float scale;       /* 1/sqrt(MN_SPARSE) */
} mn_projection;

/* Outputs min(width, n). which: distinguishes projections of one seed. */
MN_CHECKED mn_status mn_projection_new(mn_projection *out, size_t n, size_t width, uint64_t seed, uint64_t which, mn_err *err);
void mn_projection_free(mn_projection *projection);
/* y: [width] = projection of x: [n]; no aliasing. */
void mn_projection_apply(const mn_projection *projection, float *y, const float *x);

/* Where an episode stands, for the heads. */
typedef struct mn_place {
    double budget, remaining; /* nats; INFINITY where there is no budget */
    size_t t, tokens;         /* sampled so far, of at most */
    size_t in_turn, turns, scored;
    bool agents_turn;
} mn_place;
enum { MN_PLACE_INPUTS = 8 };

typedef struct mn_features {
    mn_projection projection;
    float *mean, *scale; /* [F] of the raw features over base episodes; 0 and 1 until fitted */
} mn_features;

MN_CHECKED mn_status mn_features_new(mn_features *out, size_t F, size_t width, uint64_t seed, mn_err *err);
void mn_features_free(mn_features *features);
/* Inputs of the heads: projected features and MN_PLACE_INPUTS more. */
size_t mn_features_width(const mn_features *features);
/* Standardise from now on with these means and variances, [F]; a feature that does not vary becomes 0. */
void mn_features_fit(mn_features *features, const double *mean, const double *variance);
/* x: [width] from raw: [F]; raw is overwritten (standardised, cut to +-8). O(F). */
void mn_features_apply(const mn_features *features, float *x, float *raw, const mn_place *place);

/* Token embeddings [A,E] for the actor: projected from raw [A,n], centred, each of length 1. raw is overwritten by centring.
 * *out is released by free. */
MN_CHECKED mn_status mn_embeddings_project(float **out, float *raw, size_t A, size_t n, size_t E, uint64_t seed, mn_err *err);

#endif
