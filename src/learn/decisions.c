#include "learn/decisions.h"

/* *array with room for cap rows of `row` elements of `size` bytes. */
static bool grow(void *array, size_t cap, size_t row, size_t size)
{
    void **at = array;
    size_t bytes;
    if (!mn_mul_size(&bytes, cap, row) || !mn_mul_size(&bytes, bytes, size)) return false;
    void *grown = realloc(*at, bytes);
    if (grown) *at = grown;
    return grown != NULL;
}

mn_status mn_decisions_reserve(mn_decisions *d, mn_err *err)
{
    if (d->n < d->cap) return MN_OK;
    size_t cap = d->cap ? 2 * d->cap : 16;
    bool ok = grow(&d->x, cap, d->F, sizeof *d->x) && grow(&d->ids, cap, d->M, sizeof *d->ids) &&
              grow(&d->lp_cells, cap, d->M + 1, sizeof *d->lp_cells) && grow(&d->remaining, cap, 1, sizeof *d->remaining) &&
              grow(&d->logit, cap, 1, sizeof *d->logit) && grow(&d->offset, cap, 1, sizeof *d->offset) &&
              grow(&d->chosen, cap, 1, sizeof *d->chosen) && grow(&d->lp_old, cap, 1, sizeof *d->lp_old) &&
              grow(&d->slope, cap, 1, sizeof *d->slope) && grow(&d->nats, cap, 1, sizeof *d->nats) &&
              grow(&d->lambda, cap, 1, sizeof *d->lambda) && grow(&d->share, cap, 1, sizeof *d->share) &&
              grow(&d->t, cap, 1, sizeof *d->t);
    if (!ok) return mn_fail(err, MN_ERR_MEMORY, "out of memory for %zu decisions", cap);
    d->cap = cap;
    return MN_OK;
}

void mn_decisions_free(mn_decisions *d)
{
    free(d->x);
    free(d->ids);
    free(d->lp_cells);
    free(d->remaining);
    free(d->logit);
    free(d->offset);
    free(d->chosen);
    free(d->lp_old);
    free(d->slope);
    free(d->nats);
    free(d->lambda);
    free(d->share);
    free(d->t);
    *d = (mn_decisions){.F = d->F, .M = d->M};
}
