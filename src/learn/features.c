#include "learn/features.h"

#include <math.h>
#include <string.h>

mn_status mn_projection_new(mn_projection *out, size_t n, size_t width, uint64_t seed, uint64_t which, mn_err *err)
{
    *out = (mn_projection){.n = n, .width = width < n ? width : n, .scale = .5f};
    if (out->width == n) return MN_OK;
    size_t entries;
    if (!mn_mul_size(&entries, n, MN_SPARSE) || width > UINT32_MAX / 2)
        return mn_fail(err, MN_ERR_LIMIT, "projection of %zu inputs", n);
    MN_ALLOC_OR_FAIL(out->to, entries, err);
    mn_rng rng = mn_rng_split(seed, which, MN_STREAM_PROJECT);
    for (size_t i = 0; i < entries; i++) out->to[i] = (uint32_t)mn_rng_below(&rng, 2 * out->width);
    return MN_OK;
}

void mn_projection_free(mn_projection *projection)
{
    free(projection->to);
    *projection = (mn_projection){0};
}

void mn_projection_apply(const mn_projection *p, float *y, const float *x)
{
    if (p->width == p->n) {
        memcpy(y, x, p->n * sizeof *y);
        return;
    }
    memset(y, 0, p->width * sizeof *y);
    for (size_t i = 0; i < p->n; i++) {
        const uint32_t *to = p->to + i * MN_SPARSE;
        float sides[2] = {x[i], -x[i]};
        for (size_t k = 0; k < MN_SPARSE; k++) y[to[k] >> 1] += sides[to[k] & 1];
    }
    for (size_t j = 0; j < p->width; j++) y[j] *= p->scale;
}

mn_status mn_features_new(mn_features *out, size_t F, size_t width, uint64_t seed, mn_err *err)
{
    *out = (mn_features){0};
    MN_TRY(mn_projection_new(&out->projection, F, width, seed, 0, err));
    MN_ALLOC_OR_FAIL(out->mean, F, err);
    MN_ALLOC_OR_FAIL(out->scale, F, err);
    for (size_t i = 0; i < F; i++) out->scale[i] = 1;
    return MN_OK;
}

void mn_features_free(mn_features *features)
{
    mn_projection_free(&features->projection);
    free(features->mean);
    free(features->scale);
    *features = (mn_features){0};
}

size_t mn_features_width(const mn_features *features)
{
    return features->projection.width + MN_PLACE_INPUTS;
}

void mn_features_fit(mn_features *features, const double *mean, const double *variance)
{
    /* A projected coordinate sums n * MN_SPARSE / width inputs: brought to about unit variance here. */
    const mn_projection *p = &features->projection;
    double spread = p->width == p->n ? 1 : sqrt((double)p->n / (double)p->width);
    for (size_t i = 0; i < p->n; i++) {
        bool varies = variance[i] > 1e-12 * (1 + mean[i] * mean[i]);
        features->mean[i] = (float)mean[i];
        features->scale[i] = varies ? (float)(1 / (sqrt(variance[i]) * spread)) : 0;
    }
}

static float within(float x, float most)
{
    return x > most ? most : x < -most ? -most : x;
}

static void place_inputs(float *x, const mn_place *p)
{
    bool bound = isfinite(p->budget) && p->budget > 0;
    x[0] = bound ? (float)(p->remaining / p->budget) : 1;
    x[1] = bound ? (float)log1p(p->remaining) : 1;
    x[2] = (float)((double)p->t / (double)p->tokens);
    x[3] = (float)exp(-(double)p->in_turn / 4);
    x[4] = within((float)p->in_turn / 16, 4);
    x[5] = within((float)p->turns / 4, 4);
    x[6] = within((float)p->scored / 4, 4);
    x[7] = p->agents_turn ? 1 : 0;
}

void mn_features_apply(const mn_features *features, float *x, float *raw, const mn_place *place)
{
    const mn_projection *p = &features->projection;
    for (size_t i = 0; i < p->n; i++) raw[i] = within((raw[i] - features->mean[i]) * features->scale[i], 8);
    mn_projection_apply(p, x, raw);
    place_inputs(x + p->width, place);
}

static void centre(float *raw, size_t A, size_t n)
{
    for (size_t j = 0; j < n; j++) {
        double sum = 0;
        for (size_t a = 0; a < A; a++) sum += raw[a * n + j];
        for (size_t a = 0; a < A; a++) raw[a * n + j] -= (float)(sum / (double)A);
    }
}

static void to_unit_length(float *x, size_t n)
{
    double square = 0;
    for (size_t j = 0; j < n; j++) square += (double)x[j] * x[j];
    float scale = square > 0 ? (float)(1 / sqrt(square)) : 0;
    for (size_t j = 0; j < n; j++) x[j] *= scale;
}

mn_status mn_embeddings_project(float **out, float *raw, size_t A, size_t n, size_t E, uint64_t seed, mn_err *err)
{
    mn_projection projection;
    size_t size;
    if (!mn_mul_size(&size, A, E < n ? E : n)) return mn_fail(err, MN_ERR_LIMIT, "embeddings of %zu symbols", A);
    MN_TRY(mn_projection_new(&projection, n, E, seed, 1, err));
    *out = mn_alloc(size, sizeof **out);
    if (!*out) return mn_projection_free(&projection), mn_fail(err, MN_ERR_MEMORY, "out of memory");
    centre(raw, A, n);
    for (size_t a = 0; a < A; a++) {
        mn_projection_apply(&projection, *out + a * projection.width, raw + a * n);
        to_unit_length(*out + a * projection.width, projection.width);
    }
    mn_projection_free(&projection);
    return MN_OK;
}
