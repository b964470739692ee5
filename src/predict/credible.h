/* The least that counts still allow: pessimism inside one model that counts. */
#ifndef MN_CREDIBLE_H
#define MN_CREDIBLE_H

#include "predict/predict.h"

/* lp: [A] probabilities that a model gives, in; at most these and the credible floors, out. The floor of symbol a is the least
 * theta_a over all theta with ln Lik_theta(c) >= ln KT(c) + ln leaf_alpha, c = counts: [A], KT the evidence under
 * Dirichlet(1/2, ..., 1/2). With the other symbols at their likeliest, that is the root q < c_a/n of
 *     n kl(c_a/n || q) = ln Lik_max(c) - ln KT(c) - ln leaf_alpha,    kl of two coins, n the sum of c,
 * solved to full double accuracy and rounded down; zero where c_a = 0. The truth leaves the set, ever, with probability at most
 * leaf_alpha (Ville). Symbols with lp -INFINITY cannot occur: they are no part of the alphabet, whatever their counts.
 * leaf_alpha in (0,1). */
void mn_credible_floor(double *lp, const uint64_t *counts, size_t A, double leaf_alpha);

/* What a session's model says next, lp: [A]; with leaf_alpha > 0, where it counts, the credible floor of that. counts: [A],
 * scratch. */
MN_CHECKED mn_status mn_credible_say(mn_session *session, double leaf_alpha, double *lp, uint64_t *counts, mn_err *err);

#endif
