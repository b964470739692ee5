#define _GNU_SOURCE /* tdestroy */
#include "predict/lm_panels.h"

#include <pthread.h>
#include <search.h>
#include <stdlib.h>

/* One matrix; ordered by address and shape. */
typedef struct matrix {
    const mn_q8 *a;
    size_t m, k;
    mn_q8_panel *panels;
} matrix;

struct mn_lm_panels {
    pthread_mutex_t lock;
    void *tree; /* of matrices, as tsearch has it */
};

static _Thread_local mn_lm_panels *used;

mn_lm_panels *mn_lm_panels_new(void)
{
    mn_lm_panels *p = calloc(1, sizeof *p);
    if (p) pthread_mutex_init(&p->lock, NULL);
    return p;
}

static void release(void *item)
{
    free(((matrix *)item)->panels);
    free(item);
}

void mn_lm_panels_free(mn_lm_panels *p)
{
    if (!p) return;
    tdestroy(p->tree, release);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

void mn_lm_panels_use(mn_lm_panels *panels)
{
    used = panels;
}

static int compare(const void *x, const void *y)
{
    const matrix *a = x, *b = y;
    if (a->a != b->a) return (uintptr_t)a->a < (uintptr_t)b->a ? -1 : 1;
    if (a->m != b->m) return a->m < b->m ? -1 : 1;
    return a->k < b->k ? -1 : a->k > b->k;
}

/* A new matrix, in the tree; NULL where there is no memory, or no product that uses it. */
static matrix *lay_out(mn_lm_panels *p, const matrix *key, size_t lda)
{
#if defined(__x86_64__)
    size_t size = (key->m + 15) / 16 * key->k * sizeof(mn_q8_panel);
    matrix *new = malloc(sizeof *new);
    if (!new) return NULL;
    *new = *key;
    new->panels = aligned_alloc(64, size);
    if (!new->panels || !tsearch(new, &p->tree, compare)) return release(new), NULL;
    mn_lm_gemm_q8_pack(new->panels, key->a, key->m, key->k, lda);
    return new;
#else
    (void)p, (void)key, (void)lda;
    return NULL;
#endif
}

const mn_q8_panel *mn_lm_panels_find(const mn_q8 *a, size_t m, size_t k, size_t lda)
{
    mn_lm_panels *p = used;
    matrix key = {a, m, k, NULL}, *found;
    if (!p) return NULL;
    pthread_mutex_lock(&p->lock);
    matrix **at = tfind(&key, &p->tree, compare);
    found = at ? *at : lay_out(p, &key, lda);
    pthread_mutex_unlock(&p->lock);
    return found ? found->panels : NULL;
}
