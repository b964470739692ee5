/* One row on its way through a regulariser. Two solvers give the same answer: budget.c in double with a proven error, which
 * nearly every row allows, and wide.c in 113-bit arithmetic for the others. */
#ifndef MN_ROW_H
#define MN_ROW_H

#include "regularize/tilt.h"

typedef struct mn_row {
    const double *lp, *z; /* [V] */
    double *out;          /* [V] the policy, before that p */
    size_t V;
    mn_tilt_base base;
    double center;        /* the base's mean score */
    double var;           /* of the scores under the base, in units of 1/scale^2, roughly */
    double scale;         /* a power of two */
    double cost;          /* nats that the mask alone costs: ln((kept + masked)/kept) */
    double cost_error;
} mn_row;

typedef struct mn_row_answer {
    double l, nats;
    double lnz; /* policy = lp + (l (z - center) - lnz) */
} mn_row_answer;

/* From base to the moments; false where double will not do. */
bool mn_row_prepare(mn_row *row);
/* The largest l in (0, 1] within limit; false where double cannot prove it. l = 0: even the mask is too dear. */
bool mn_row_budget(mn_row_answer *out, const mn_row *row, double limit);
/* The KL at l > 0; false where double is not accurate enough. */
bool mn_row_at(mn_row_answer *out, const mn_row *row, double l);

/* The same for any row, slowly (about 2 microseconds an entry and step), and with the policy written to row->out
 * unless l = 0. Uses lp, z, out and V alone. */
mn_row_answer mn_wide_budget(const mn_row *row, double limit);
mn_row_answer mn_wide_at(const mn_row *row, double l);

#endif
