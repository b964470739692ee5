#include "learn/heads.h"

#include <math.h>
#include <string.h>

#include "learn/kernels.h"

/* Appends a layer to the parameters counted so far; false on overflow. */
static bool append(mn_layer *layer, size_t *n, size_t in, size_t out)
{
    size_t weights;
    *layer = (mn_layer){.in = in, .out = out, .weights = *n};
    return mn_mul_size(&weights, in, out) && !__builtin_add_overflow(*n, weights, &layer->bias) &&
           !__builtin_add_overflow(layer->bias, out, n) && *n <= PTRDIFF_MAX / sizeof(float);
}

mn_status mn_heads_new(mn_heads *heads, size_t F, size_t H, size_t O, mn_err *err)
{
    const size_t outputs[MN_NETS] = {O, MN_ESTIMATES};
    *heads = (mn_heads){.F = F, .H = H, .O = O};
    bool ok = F && O && H && H <= MN_HIDDEN_MAX;
    for (size_t net = 0; net < MN_NETS && ok; net++)
        ok = append(&heads->layers[net][0], &heads->n, F, H) && append(&heads->layers[net][1], &heads->n, H, H) &&
             append(&heads->layers[net][2], &heads->n, H, outputs[net]);
    if (!ok)
        return mn_fail(err, MN_ERR_LIMIT, "heads of %zu features, %zu hidden units and %zu outputs cannot be made", F, H, O);
    MN_ALLOC_OR_FAIL(heads->params, heads->n, err);
    return MN_OK;
}

void mn_heads_free(mn_heads *heads)
{
    free(heads->params);
    *heads = (mn_heads){0};
}

void mn_heads_init(mn_heads *heads, mn_rng *rng)
{
    memset(heads->params, 0, heads->n * sizeof *heads->params);
    for (size_t net = 0; net < MN_NETS; net++)
        for (size_t l = 0; l + 1 < MN_LAYERS; l++) {
            const mn_layer *layer = &heads->layers[net][l];
            float *weights = heads->params + layer->weights;
            double deviation = 1 / sqrt((double)layer->in);
            for (size_t i = 0; i < layer->in * layer->out; i++) weights[i] = (float)(deviation * mn_rng_normal(rng));
        }
}

static void forward_row(const mn_heads *heads, int net, float *out, const float *x)
{
    float first[MN_HIDDEN_MAX], second[MN_HIDDEN_MAX];
    float *to[MN_LAYERS] = {first, second, out};
    for (size_t l = 0; l < MN_LAYERS; l++) {
        const mn_layer *layer = &heads->layers[net][l];
        mn_product_row(to[l], l ? to[l - 1] : x, heads->params + layer->weights, heads->params + layer->bias, layer->out,
                       layer->in);
        if (l + 1 < MN_LAYERS) mn_tanh(to[l], layer->out);
    }
}

void mn_heads_actor_row(const mn_heads *heads, float *out, const float *x)
{
    forward_row(heads, MN_ACTOR, out, x);
}

void mn_heads_critic_row(const mn_heads *heads, float out[MN_ESTIMATES], const float *x)
{
    forward_row(heads, MN_CRITIC, out, x);
}

void mn_heads_scores_row(const mn_heads *heads, double *scores, const float *actor, const float *embeddings, const int32_t *ids,
                         size_t M)
{
    enum { BLOCK = 256 };
    float z[BLOCK];
    size_t E = heads->O - 2;
    for (size_t j = 0; j < M; j += BLOCK) {
        size_t n = M - j < BLOCK ? M - j : BLOCK;
        if (embeddings) mn_dots(z, actor, embeddings, ids + j, n, E);
        for (size_t i = 0; i < n; i++) scores[j + i] = (double)(embeddings ? z[i] : actor[ids[j + i]]);
    }
    scores[M] = (double)actor[E];
}

double mn_share(float logit)
{
    return 1 / (1 + exp(-(double)logit));
}

double mn_share_of(double remaining, double share)
{
    return remaining < INFINITY ? remaining * share : INFINITY;
}

mn_status mn_adam_new(mn_adam *adam, size_t n, mn_err *err)
{
    *adam = (mn_adam){0};
    MN_ALLOC_OR_FAIL(adam->m, n, err);
    MN_ALLOC_OR_FAIL(adam->v, n, err);
    return MN_OK;
}

void mn_adam_free(mn_adam *adam)
{
    free(adam->m);
    free(adam->v);
    *adam = (mn_adam){0};
}
