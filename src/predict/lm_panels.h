/* A model's Q8_0 weights laid out for multiplication, each matrix when it is first wanted: a copy as large as they are, without
 * which laying them out is a fifth of a decode of 64 rows and nearly all of a decode of one. */
#ifndef MN_LM_PANELS_H
#define MN_LM_PANELS_H

#include "predict/lm_gemm.h"

typedef struct mn_lm_panels mn_lm_panels;

/* NULL where there is no memory. To be freed after the last product of a thread that uses it. */
mn_lm_panels *mn_lm_panels_new(void);
void mn_lm_panels_free(mn_lm_panels *panels);

/* Products of this thread find their weights there from now on; NULL: nowhere. What the weights' addresses hold must not change. */
void mn_lm_panels_use(mn_lm_panels *panels);

/* The panels of a: [m,k] blocks in rows of lda; NULL where this thread uses none, or there is no memory for them. */
const mn_q8_panel *mn_lm_panels_find(const mn_q8 *a, size_t m, size_t k, size_t lda);

#endif
