/* Actor and critic on frozen features: two nets x -> tanh(W1 x + b1) -> tanh(W2 . + b2) -> W3 . + b3 that share no weights. The actor's
 * outputs are E numbers that score the listed symbols, the score of the rest, and the logit of the share of the budget to spend.
 * The critic's are the value, and the price of a nat in units of value for the whole budget. */
#ifndef MN_HEADS_H
#define MN_HEADS_H

#include "base/base.h"

enum { MN_LAYERS = 3, MN_HIDDEN_MAX = 4096 };
enum { MN_ACTOR, MN_CRITIC, MN_NETS };
enum { MN_VALUE, MN_PRICE, MN_ESTIMATES }; /* the critic's outputs */

/* One layer in the flat parameters: W [in,out] at weights, b [out] at bias. */
typedef struct mn_layer {
    size_t in, out, weights, bias;
} mn_layer;

typedef struct mn_heads {
    size_t F, H, O;        /* features, hidden units, outputs of the actor */
    size_t n;              /* parameters of both nets */
    float *params;         /* [n]: for actor, then critic: W1 [F,H] b1 [H] W2 [H,H] b2 [H] W3 [H,O] b3 [O], the critic with O = MN_ESTIMATES */
    mn_layer layers[MN_NETS][MN_LAYERS];
} mn_heads;

/* All parameters zero. F, O >= 1, 1 <= H <= MN_HIDDEN_MAX, or MN_ERR_LIMIT; MN_ERR_MEMORY. */
MN_CHECKED mn_status mn_heads_new(mn_heads *heads, size_t F, size_t H, size_t O, mn_err *err);
void mn_heads_free(mn_heads *heads);
/* Hidden weights normal with variance 1/in; biases and output layers zero, so that the policy is the base. */
void mn_heads_init(mn_heads *heads, mn_rng *rng);

/* One row: out [O] or [MN_ESTIMATES], x [F]. The same bits alone, in a batch, on any machine. O(FH + HH + HO): some microseconds. */
void mn_heads_actor_row(const mn_heads *heads, float *out, const float *x);
void mn_heads_critic_row(const mn_heads *heads, float out[MN_ESTIMATES], const float *x);

/* Scores of the M listed symbols and the rest, from the actor's outputs: z_j = <u, embeddings[ids_j]>, or u[ids_j] where embeddings
 * is NULL (then E = A), and out[E] for the rest. scores: [M+1]; actor: [O], O = E + 2; embeddings: [A,E]; ids: [M], each below A. */
void mn_heads_scores_row(const mn_heads *heads, double *scores, const float *actor, const float *embeddings, const int32_t *ids, size_t M);
/* The share of what remains that a decision may spend, from the actor's last output plus an offset: 1/(1 + exp(-logit)). */
double mn_share(float logit);
/* The nats that are a share of what remains; INFINITY where nothing bounds it. */
double mn_share_of(double remaining, double share);

/* Adam's moments of n parameters. */
typedef struct mn_adam {
    float *m, *v;  /* [n] */
    size_t steps;  /* done */
} mn_adam;
MN_CHECKED mn_status mn_adam_new(mn_adam *adam, size_t n, mn_err *err);
void mn_adam_free(mn_adam *adam);

#endif
