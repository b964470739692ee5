/* Attention of a language model's rows over their caches, where the processor has AVX-512. A row has the same bits in any
 * company. */
#ifndef MN_LM_ATTENTION_H
#define MN_LM_ATTENTION_H

#include "base/base.h"

enum { MN_ATTENTION_WIDTH = 256, MN_ATTENTION_HEADS = 256 }; /* most */

/* One row of queries and its sequence's cache; strides in bytes. */
typedef struct mn_attention {
    const float *q;       /* [heads,D], heads q_head apart */
    const void *k, *v;    /* [cells,kv_heads,D] of half floats, cells and heads that far apart */
    const uint16_t *mask; /* [cells] of half floats to add to the scores; -inf: not seen */
    size_t q_head, k_cell, k_head, v_cell, v_head;
    size_t k_next, v_next;            /* from the last head to what will be asked for next: no more than a hint */
    size_t cells, heads, kv_heads, D; /* heads a multiple of kv_heads, of both and D at most the above */
    float scale;
} mn_attention;

/* out: [heads,D], the sum over cells c of softmax_c(scale q.k_c + mask_c) v_c, all sums in float; zeros where no cell is seen.
 * 140 KB of stack; O(cells heads D). */
void mn_lm_attention(float *out, const mn_attention *a);

#endif
