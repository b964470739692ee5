#include <math.h>

#include <Random123/philox.h>

#include "mightnt.h"

mn_rng mn_rng_split(uint64_t seed, uint64_t episode, uint32_t purpose)
{
    mn_rng rng = {.seed = seed, .episode = episode, .purpose = purpose, .draw = 0};
    return rng;
}

static uint64_t draw(mn_rng *rng)
{
    philox4x32_ctr_t counter = {{rng->draw++, rng->purpose, (uint32_t)rng->episode, (uint32_t)(rng->episode >> 32)}};
    philox4x32_key_t key = {{(uint32_t)rng->seed, (uint32_t)(rng->seed >> 32)}};
    philox4x32_ctr_t out = philox4x32(counter, key);
    return (uint64_t)out.v[0] | (uint64_t)out.v[1] << 32;
}

double mn_rng_uniform(mn_rng *rng)
{
    return (double)(draw(rng) >> 11) * 0x1p-53;
}

double mn_rng_normal(mn_rng *rng)
{
    double radius = sqrt(-2.0 * log1p(-mn_rng_uniform(rng))); /* 1 - u is in (0,1] */
    return radius * cos(6.283185307179586 * mn_rng_uniform(rng));
}

uint64_t mn_rng_below(mn_rng *rng, uint64_t n)
{
    uint64_t excess = (UINT64_MAX % n + 1) % n; /* 2^64 mod n */
    uint64_t x;
    do x = draw(rng);
    while (x > UINT64_MAX - excess);
    return x % n;
}

size_t mn_sample(const double *lp, size_t A, double u)
{
    double total = 0, cumulative = 0;
    size_t last = 0;
    for (size_t i = 0; i < A; i++) total += exp(lp[i]);
    for (size_t i = 0; i < A; i++) {
        if (lp[i] == -INFINITY) continue;
        cumulative += exp(lp[i]);
        last = i;
        if (cumulative > u * total) return i;
    }
    return last;
}

size_t mn_draw(const double *p, size_t n, double u)
{
    double sum = 0, until = 0;
    size_t last = 0;
    for (size_t i = 0; i < n; i++) sum += p[i];
    for (size_t i = 0; i < n; i++) {
        if (!(p[i] > 0)) continue;
        last = i;
        until += p[i];
        if (until > u * sum) break;
    }
    return last;
}
