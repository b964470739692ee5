/* Heads and the PPO update. The update's source is included, so that its allocations can be made to fail. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static size_t allocations_left = SIZE_MAX;

static bool refused(void)
{
    return allocations_left == 0 || (allocations_left != SIZE_MAX && !allocations_left--);
}

static void *sparing_calloc(size_t n, size_t size)
{
    return refused() ? NULL : calloc(n, size);
}

static void *sparing_aligned_alloc(size_t alignment, size_t size)
{
    return refused() ? NULL : aligned_alloc(alignment, size);
}

#define calloc sparing_calloc
#define aligned_alloc sparing_aligned_alloc
#include "learn/ppo.c"
#undef calloc
#undef aligned_alloc

static bool near(double a, double b, double tolerance)
{
    return fabs(a - b) <= tolerance * (1 + fabs(b));
}

/* ---- a small world of samples ---- */

typedef struct world {
    mn_ppo_samples samples;
    mn_ppo_opts opts;
    mn_heads heads;
    mn_adam adam;
    float *embeddings; /* [A,E] or NULL */
    size_t A;
} world;

static void fill(float *x, size_t n, double deviation, mn_rng *rng)
{
    for (size_t i = 0; i < n; i++) x[i] = (float)(deviation * mn_rng_normal(rng));
}

static void fill_row(world *w, size_t i, mn_rng *rng)
{
    mn_ppo_samples *s = &w->samples;
    size_t M = s->M, V = M + 1;
    double base[64], sum = 0;
    for (size_t v = 0; v < V; v++) sum += exp(base[v] = 1.5 * mn_rng_normal(rng));
    if (i % 5 == 3) { /* a cell that the base never takes */
        sum -= exp(base[M]);
        base[M] = -INFINITY;
    }
    for (size_t v = 0; v < V; v++) s->lp_cells[i * V + v] = (float)(base[v] - log(sum));
    for (size_t j = 0, id = 0; id < w->A; id++) /* M of A symbols, rising, each choice as likely */
        if (mn_rng_below(rng, w->A - id) < M - j) s->ids[i * M + j++] = (int32_t)id;
    s->chosen[i] = (int32_t)mn_rng_below(rng, base[M] > -INFINITY ? V : M);
    s->lp_old[i] = s->lp_cells[i * V + (size_t)s->chosen[i]] + (float)(.2 * mn_rng_normal(rng));
    s->remaining[i] = i % 4 == 0 ? INFINITY : i % 4 == 1 ? 1e-3 : 4 * mn_rng_uniform(rng);
    s->offset[i] = (float)-log((double)(1 + i % 10));
    s->logit[i] = s->offset[i] + (float)(.5 * mn_rng_normal(rng));
    s->price[i] = (float)mn_rng_uniform(rng);
}

/* E = 0: a score a symbol. */
static void make_world(world *w, mn_reg_kind kind, size_t N, size_t F, size_t H, size_t A, size_t M, size_t E, uint64_t seed)
{
    mn_rng rng = mn_rng_split(seed, 0, MN_STREAM_USER);
    *w = (world){.A = A};
    assert_int_equal(mn_ppo_samples_new(&w->samples, N, F, M, NULL), MN_OK);
    assert_int_equal(mn_heads_new(&w->heads, F, H, (E ? E : A) + 2, NULL), MN_OK);
    assert_int_equal(mn_adam_new(&w->adam, w->heads.n, NULL), MN_OK);
    if (E) {
        w->embeddings = malloc(A * E * sizeof *w->embeddings);
        fill(w->embeddings, A * E, .7, &rng);
    }
    fill(w->heads.params, w->heads.n, .5, &rng);
    fill(w->samples.x, N * F, 1, &rng);
    fill(w->samples.advantage, N, 1, &rng);
    fill(w->samples.target, N * MN_ESTIMATES, 1, &rng);
    for (size_t i = 0; i < N; i++) fill_row(w, i, &rng);
    w->opts = (mn_ppo_opts){.kind = kind, .limit = .05, .embeddings = w->embeddings, .clip = .2, .epochs = 1, .minibatch = N,
                            .learning_rate = 1e-3, .value_coefficient = .5, .kl_coefficient = .3,
                            .normalise_advantage = true, .threads = 1};
}

static void free_world(world *w)
{
    mn_ppo_samples_free(&w->samples);
    mn_heads_free(&w->heads);
    mn_adam_free(&w->adam);
    free(w->embeddings);
}

static mn_status learn(world *w, mn_ppo_stats *stats, uint64_t seed)
{
    mn_rng rng = mn_rng_split(seed, 0, MN_STREAM_SHUFFLE);
    mn_err err;
    return mn_ppo_update(stats, &w->heads, &w->adam, &w->samples, &w->opts, &rng, &err);
}

/* ---- the same loss in double, from its definition ---- */

static void net_double(double *out, const mn_heads *heads, const double *params, int which, const float *x)
{
    double from[64], to[64];
    for (size_t i = 0; i < heads->F; i++) from[i] = (double)x[i];
    for (size_t l = 0; l < MN_LAYERS; l++) {
        const mn_layer *layer = &heads->layers[which][l];
        for (size_t j = 0; j < layer->out; j++) {
            to[j] = params[layer->bias + j];
            for (size_t i = 0; i < layer->in; i++) to[j] += from[i] * params[layer->weights + i * layer->out + j];
            if (l + 1 < MN_LAYERS) to[j] = tanh(to[j]);
        }
        memcpy(from, to, sizeof to);
    }
    memcpy(out, to, heads->layers[which][MN_LAYERS - 1].out * sizeof *out);
}

/* lp of the tilt at l; returns what the regulariser limits, and the KL. */
static double tilt(double *lp, double *kl, mn_reg_kind kind, const double *base, const double *z, double l, size_t V)
{
    double sum = 0, distance = 0, square = -1;
    *kl = 0;
    for (size_t v = 0; v < V; v++) sum += exp(base[v] + l * z[v]);
    for (size_t v = 0; v < V; v++) {
        lp[v] = base[v] + l * z[v] - log(sum);
        if (base[v] == -INFINITY) continue;
        *kl += exp(lp[v]) * (lp[v] - base[v]);
        distance += fabs(exp(lp[v]) - exp(base[v])) / 2;
        square += exp(2 * lp[v] - base[v]);
    }
    return kind == MN_REG_TVD ? distance : kind == MN_REG_CHI2 ? square : *kl;
}

/* Returns how far it tilts. */
static double policy_double(double *lp, double *kl, mn_reg_kind kind, const double *base, const double *z, double limit, size_t V)
{
    double low = 0, high = 1;
    if (kind == MN_REG_PENALTY || kind == MN_REG_NONE || tilt(lp, kl, kind, base, z, 1, V) <= limit) low = 1;
    for (int i = 0; i < 60 && low < 1; i++) {
        double middle = (low + high) / 2;
        *(tilt(lp, kl, kind, base, z, middle, V) <= limit ? &low : &high) = middle;
    }
    tilt(lp, kl, kind, base, z, low, V);
    return low;
}

static void scores_double(double *z, const world *w, const double *out, size_t sample)
{
    size_t M = w->samples.M, E = w->heads.O - 2;
    const int32_t *ids = w->samples.ids + sample * M;
    for (size_t j = 0; j < M; j++) {
        z[j] = w->embeddings ? 0 : out[ids[j]];
        for (size_t e = 0; e < E && w->embeddings; e++) z[j] += out[e] * (double)w->embeddings[(size_t)ids[j] * E + e];
    }
    z[M] = out[E];
}

/* What a decision's limit does to the loss, at the parameters as they are: the loss goes with `by` times the limit. */
typedef struct push {
    double limit, by;
} push;

/* d lp[cell] / d limit = (z_cell - E z) / (l Var z), damped. */
static double slope_double(const double *lp, const double *z, double l, size_t cell, size_t V)
{
    double mean = 0, variance = 0;
    for (size_t v = 0; v < V; v++) mean += exp(lp[v]) * z[v];
    for (size_t v = 0; v < V; v++) variance += exp(lp[v]) * pow(z[v] - mean, 2);
    return l * (z[cell] - mean) / (l * l * variance + .01);
}

/* pushes: [N] what moves the shares, or NULL: fills `now` [N] with those of these parameters. */
static double loss_double(const world *w, const double *params, const push *pushes, push *now)
{
    const mn_ppo_samples *s = &w->samples;
    const mn_ppo_opts *o = &w->opts;
    size_t V = s->M + 1;
    double loss = 0, mean = 0, square = 0, n = (double)s->N;
    for (size_t i = 0; i < s->N; i++) mean += (double)s->advantage[i] / n;
    for (size_t i = 0; i < s->N; i++) square += pow((double)s->advantage[i] - mean, 2) / (n - 1);
    double inverse = o->normalise_advantage ? 1 / (sqrt(square) + 1e-8) : 1;
    for (size_t i = 0; i < s->N; i++) {
        double out[64], estimates[64], z[64], base[64], lp[64], kl, mass = 0, limit = o->limit;
        size_t cell = (size_t)s->chosen[i];
        net_double(out, &w->heads, params, MN_ACTOR, s->x + i * s->F);
        net_double(estimates, &w->heads, params, MN_CRITIC, s->x + i * s->F);
        scores_double(z, w, out, i);
        for (size_t v = 0; v < V; v++) mass += exp((double)s->lp_cells[i * V + v]);
        for (size_t v = 0; v < V; v++) base[v] = (double)s->lp_cells[i * V + v] - log(mass);
        if (o->kind == MN_REG_BUDGET) {
            limit = s->remaining[i] / (1 + exp(-out[w->heads.O - 1] - (double)s->offset[i]));
            if (pushes && limit < INFINITY) {
                loss += pushes[i].by * (limit - pushes[i].limit);
                limit = pushes[i].limit;
            }
        }
        double l = policy_double(lp, &kl, o->kind, base, z, limit, V);
        double a = o->normalise_advantage ? ((double)s->advantage[i] - mean) * inverse : (double)s->advantage[i];
        double r = exp(lp[cell] - (double)s->lp_old[i]), cut = fmin(fmax(r, 1 - o->clip), 1 + o->clip);
        if (now) {
            double by = (double)s->price[i] * inverse - (r * a > cut * a ? 0 : r * a * slope_double(lp, z, l, cell, V));
            double moved = out[w->heads.O - 1] + (double)s->offset[i] - (double)s->logit[i];
            now[i] = (push){limit, (by < 0 ? moved > o->clip : moved < -o->clip) ? 0 : by};
        }
        loss += -fmin(r * a, cut * a) + o->kl_coefficient * kl;
        for (size_t k = 0; k < MN_ESTIMATES; k++) loss += o->value_coefficient * pow(estimates[k] - (double)s->target[i * MN_ESTIMATES + k], 2) / 2;
    }
    return loss / n;
}

/* Of the loss, the part that comes from the critic's second estimate; no figure of the update tells it. */
static double price_loss(const world *w, const double *params)
{
    double loss = 0, n = (double)w->samples.N;
    for (size_t i = 0; i < w->samples.N; i++) {
        double estimates[64];
        net_double(estimates, &w->heads, params, MN_CRITIC, w->samples.x + i * w->samples.F);
        loss += pow(estimates[MN_PRICE] - (double)w->samples.target[i * MN_ESTIMATES + MN_PRICE], 2) / 2;
    }
    return w->opts.value_coefficient * loss / n;
}

/* The first Adam step from zero leaves a tenth of the gradient in m. */
static void check_gradient(world *w)
{
    size_t n = w->heads.n;
    double *params = calloc(n, sizeof *params), *want = calloc(n, sizeof *want), most = 0, h = 1e-6;
    mn_ppo_stats stats;
    push pushes[64];
    assert_true(w->samples.N <= sizeof pushes / sizeof *pushes);
    for (size_t i = 0; i < n; i++) params[i] = (double)w->heads.params[i];
    double loss = loss_double(w, params, NULL, pushes) - price_loss(w, params);
    for (size_t i = 0; i < n; i++) {
        params[i] += h;
        want[i] = loss_double(w, params, pushes, NULL);
        params[i] -= 2 * h;
        want[i] = (want[i] - loss_double(w, params, pushes, NULL)) / (2 * h);
        params[i] += h;
        most = fmax(most, fabs(want[i]));
    }
    assert_int_equal(learn(w, &stats, 1), MN_OK);
    assert_true(near(stats.policy_loss + w->opts.value_coefficient * stats.value_loss + w->opts.kl_coefficient * stats.nats, loss, 1e-5));
    for (size_t i = 0; i < n; i++) {
        double got = (double)w->adam.m[i] / .1;
        if (fabs(got - want[i]) > 1e-3 * fabs(want[i]) + 2e-5 * most) fail_msg("kind %d, parameter %zu: %g, expected %g", (int)w->opts.kind, i, got, want[i]);
    }
    free(params), free(want);
}

static void gradients_are_those_of_the_loss(void **state)
{
    (void)state;
    static const struct {
        size_t A, M, E;
    } shapes[] = {{9, 5, 0}, {6, 6, 0}, {12, 5, 7}};
    for (int kind = MN_REG_BUDGET; kind <= MN_REG_NONE; kind++)
        for (size_t i = 0; i < 3; i++) {
            world w;
            make_world(&w, (mn_reg_kind)kind, 40, 4, 5, shapes[i].A, shapes[i].M, shapes[i].E, 10 + i);
            w.opts.normalise_advantage = i != 1;
            if (i == 2) w.opts.kl_coefficient = 0;
            check_gradient(&w);
            free_world(&w);
        }
}

/* Where all scores are equal the operator says lambda = 0, but learning has to begin there. */
static void gradients_at_the_base_are_those_of_the_loss(void **state)
{
    (void)state;
    for (int kind = MN_REG_BUDGET; kind <= MN_REG_NONE; kind++) {
        world w;
        mn_rng rng = mn_rng_split(14, 0, MN_STREAM_INIT);
        make_world(&w, (mn_reg_kind)kind, 40, 4, 5, 12, 5, 7, 14);
        mn_heads_init(&w.heads, &rng);
        check_gradient(&w);
        free_world(&w);
    }
}

static void the_norm_is_cut(void **state)
{
    (void)state;
    world a, b;
    mn_ppo_stats stats;
    make_world(&a, MN_REG_NONE, 50, 4, 5, 6, 6, 0, 3);
    make_world(&b, MN_REG_NONE, 50, 4, 5, 6, 6, 0, 3);
    assert_int_equal(learn(&a, &stats, 1), MN_OK);
    b.opts.max_grad_norm = stats.grad_norm / 4;
    assert_int_equal(learn(&b, &stats, 1), MN_OK);
    assert_true(near(sqrt(mn_sum_squares(a.adam.m, a.heads.n)), stats.grad_norm / 10, 1e-6));
    for (size_t i = 0; i < a.heads.n; i++) assert_true(near((double)b.adam.m[i] * 4, (double)a.adam.m[i], 1e-6));
    free_world(&a), free_world(&b);
}

/* ---- heads ---- */

static void heads_refuse_sizes(void **state)
{
    (void)state;
    mn_heads heads;
    mn_err err;
    assert_int_equal(mn_heads_new(&heads, 0, 8, 3, &err), MN_ERR_LIMIT);
    assert_int_equal(mn_heads_new(&heads, 8, 0, 3, &err), MN_ERR_LIMIT);
    assert_int_equal(mn_heads_new(&heads, 8, MN_HIDDEN_MAX + 1, 3, &err), MN_ERR_LIMIT);
    assert_int_equal(mn_heads_new(&heads, SIZE_MAX / 2, 128, 3, &err), MN_ERR_LIMIT);
    assert_int_equal(mn_heads_new(&heads, 8, 128, SIZE_MAX / 64, &err), MN_ERR_LIMIT);
    mn_heads_free(&heads);
    mn_ppo_samples samples;
    assert_int_equal(mn_ppo_samples_new(&samples, SIZE_MAX / 4, 8, 2, &err), MN_ERR_LIMIT);
    assert_int_equal(mn_ppo_samples_new(&samples, 2, 8, SIZE_MAX, &err), MN_ERR_LIMIT);
}

static void rows_match_double(void **state)
{
    (void)state;
    world w;
    make_world(&w, MN_REG_NONE, 20, 30, 40, 25, 25, 0, 4);
    double params[64 * 200];
    assert_true(w.heads.n <= sizeof params / sizeof *params);
    for (size_t i = 0; i < w.heads.n; i++) params[i] = (double)(w.heads.params[i] *= .3f);
    for (size_t i = 0; i < 20; i++) {
        float out[27];
        double want[64], estimates[64];
        float got[MN_ESTIMATES];
        mn_heads_actor_row(&w.heads, out, w.samples.x + i * 30);
        net_double(want, &w.heads, params, MN_ACTOR, w.samples.x + i * 30);
        net_double(estimates, &w.heads, params, MN_CRITIC, w.samples.x + i * 30);
        mn_heads_critic_row(&w.heads, got, w.samples.x + i * 30);
        for (size_t j = 0; j < 27; j++) assert_true(near((double)out[j], want[j], 1e-5));
        for (size_t k = 0; k < MN_ESTIMATES; k++) assert_true(near((double)got[k], estimates[k], 1e-5));
    }
    free_world(&w);
}

/* The rows of a minibatch and a row alone go through one arithmetic. */
static void batch_and_row_have_the_same_bits(void **state)
{
    (void)state;
    world w;
    make_world(&w, MN_REG_NONE, 13, 37, 24, 50, 9, 8, 5);
    update u = {.samples = &w.samples, .opts = &w.opts, .heads = &w.heads};
    assert_int_equal(update_new(&u, NULL), MN_OK);
    pack_nets(&u);
    memcpy(u.seats[0].x, w.samples.x, 13 * 37 * sizeof *u.seats[0].x);
    for (size_t i = 0; i < MN_NETS; i++) forward(&u, &u.seats[0], i, 13);
    for (size_t i = 0; i < 13; i++) {
        float out[10], estimates[MN_ESTIMATES];
        mn_heads_critic_row(&w.heads, estimates, w.samples.x + i * 37);
        mn_heads_actor_row(&w.heads, out, w.samples.x + i * 37);
        assert_memory_equal(out, u.seats[0].nets[MN_ACTOR].output[2] + i * 10, sizeof out);
        assert_memory_equal(estimates, u.seats[0].nets[MN_CRITIC].output[2] + i * MN_ESTIMATES, sizeof estimates);
    }
    update_free(&u);
    free_world(&w);
}

static void untrained_heads_are_the_base(void **state)
{
    (void)state;
    for (int kind = MN_REG_BUDGET; kind <= MN_REG_NONE; kind++) {
        world w;
        mn_rng rng = mn_rng_split(6, 0, MN_STREAM_INIT);
        double scores[10], base[10], policy[10], lambda, nats, limit = .5;
        make_world(&w, (mn_reg_kind)kind, 1, 6, 8, 30, 9, 4, 6);
        mn_heads_init(&w.heads, &rng);
        float out[6], estimates[MN_ESTIMATES];
        mn_heads_actor_row(&w.heads, out, w.samples.x);
        mn_heads_critic_row(&w.heads, estimates, w.samples.x);
        mn_heads_scores_row(&w.heads, scores, out, w.embeddings, w.samples.ids, 9);
        for (size_t v = 0; v < 10; v++) {
            assert_true(scores[v] == 0);
            base[v] = log((double)(v + 1) / 55);
        }
        assert_true(estimates[MN_VALUE] == 0 && estimates[MN_PRICE] == 0);
        assert_true(out[5] == 0 && mn_share(out[5]) == .5);
        assert_int_equal(mn_regularize((mn_reg_kind)kind, policy, &lambda, &nats, base, scores, &limit, 1, 10, NULL), MN_OK);
        assert_memory_equal(policy, base, sizeof base);
        assert_true(nats == 0);
        free_world(&w);
    }
}

/* ---- the update ---- */

static void threads_do_not_change_bits(void **state)
{
    (void)state;
    static const mn_reg_kind kinds[] = {MN_REG_BUDGET, MN_REG_PENALTY};
    for (size_t k = 0; k < 2; k++) {
        world w[3];
        mn_ppo_stats stats[3];
        for (size_t i = 0; i < 3; i++) {
            make_world(&w[i], kinds[k], 700, 10, 16, 40, 20, 12, 7);
            w[i].opts.threads = i + 1;
            w[i].opts.minibatch = 300;
            w[i].opts.epochs = 2;
            assert_int_equal(learn(&w[i], &stats[i], 2), MN_OK);
            assert_int_equal(w[i].adam.steps, 6);
            assert_memory_equal(w[i].heads.params, w[0].heads.params, w[0].heads.n * sizeof(float));
            assert_memory_equal(w[i].adam.v, w[0].adam.v, w[0].heads.n * sizeof(float));
            assert_memory_equal(&stats[i], &stats[0], sizeof stats[0]);
        }
        for (size_t i = 0; i < 3; i++) free_world(&w[i]);
    }
}

static void order_comes_from_the_stream(void **state)
{
    (void)state;
    world a, b;
    mn_ppo_stats stats;
    make_world(&a, MN_REG_NONE, 100, 4, 5, 6, 6, 0, 8);
    make_world(&b, MN_REG_NONE, 100, 4, 5, 6, 6, 0, 8);
    a.opts.minibatch = b.opts.minibatch = 30;
    assert_int_equal(learn(&a, &stats, 1), MN_OK);
    assert_int_equal(learn(&b, &stats, 2), MN_OK);
    assert_true(memcmp(a.heads.params, b.heads.params, a.heads.n * sizeof(float)) != 0);
    size_t order[50], seen[50] = {0};
    mn_rng rng = mn_rng_split(9, 0, MN_STREAM_SHUFFLE);
    for (size_t i = 0; i < 50; i++) order[i] = i;
    shuffle(order, 50, &rng);
    for (size_t i = 0; i < 50; i++) seen[order[i]]++;
    for (size_t i = 0; i < 50; i++) assert_int_equal(seen[i], 1);
    free_world(&a), free_world(&b);
}

static void the_critic_learns_its_targets(void **state)
{
    (void)state;
    world w;
    mn_ppo_stats first, last;
    make_world(&w, MN_REG_NONE, 256, 6, 32, 5, 5, 0, 9);
    for (size_t i = 0; i < 256; i++) w.samples.target[i * MN_ESTIMATES] = w.samples.x[i * 6] - 2 * w.samples.x[i * 6 + 1];
    w.opts.minibatch = 64;
    w.opts.epochs = 20;
    w.opts.learning_rate = .01;
    assert_int_equal(learn(&w, &first, 1), MN_OK);
    assert_int_equal(learn(&w, &last, 2), MN_OK);
    assert_true(last.value_loss < first.value_loss / 4);
    assert_true(first.explained_variance < last.explained_variance && last.explained_variance > .9 && last.explained_variance <= 1);
    for (size_t i = 0; i < 256; i++) w.samples.target[i * MN_ESTIMATES] = 3;
    w.opts.epochs = 1;
    assert_int_equal(learn(&w, &last, 2), MN_OK);
    assert_true(last.explained_variance == 0);
    free_world(&w);
}

static void what_is_not_finite_is_an_error(void **state)
{
    (void)state;
    for (int kind = MN_REG_BUDGET; kind <= MN_REG_NONE; kind++)
        for (size_t layer = 0; layer < MN_LAYERS; layer++) {
            world w;
            mn_ppo_stats stats;
            make_world(&w, (mn_reg_kind)kind, 30, 4, 5, 6, 6, 0, 10);
            w.heads.params[w.heads.layers[MN_ACTOR][layer].weights] = NAN;
            assert_int_equal(learn(&w, &stats, 1), MN_ERR_NUM);
            free_world(&w);
        }
    world w;
    mn_ppo_stats stats;
    make_world(&w, MN_REG_NONE, 30, 4, 5, 6, 6, 0, 10);
    w.samples.target[14] = INFINITY;
    assert_int_equal(learn(&w, &stats, 1), MN_ERR_NUM);
    free_world(&w);
}

/* Every allocation in turn; the sanitizer watches over what is left. */
static void allocations_may_fail(void **state)
{
    (void)state;
    world w;
    mn_ppo_stats stats;
    size_t failed = 0;
    make_world(&w, MN_REG_BUDGET, 300, 4, 5, 6, 6, 0, 11);
    w.opts.threads = 2;
    for (mn_status status = MN_ERR_MEMORY; status != MN_OK; failed++) {
        allocations_left = failed;
        status = learn(&w, &stats, 1);
        assert_true(status == MN_OK || status == MN_ERR_MEMORY);
        allocations_left = SIZE_MAX;
    }
    assert_true(failed > 20);
    for (failed = 0; failed < 9; failed++) {
        mn_ppo_samples samples;
        allocations_left = failed;
        assert_int_equal(mn_ppo_samples_new(&samples, 5, 4, 3, NULL), MN_ERR_MEMORY);
        allocations_left = SIZE_MAX;
    }
    free_world(&w);
}

/* ---- advantages ---- */

static void advantages_follow_their_sum(void **state)
{
    (void)state;
    enum { T = 12 };
    mn_rng rng = mn_rng_split(12, 0, MN_STREAM_USER);
    double rewards[T], values[T + 1] = {0}, advantage[T], target[T], gamma = .9, lambda = .8;
    for (size_t t = 0; t < T; t++) {
        rewards[t] = mn_rng_normal(&rng);
        values[t] = mn_rng_normal(&rng);
    }
    mn_gae(advantage, target, rewards, values, T, gamma, lambda);
    for (size_t t = 0; t < T; t++) {
        double want = 0;
        for (size_t k = t; k < T; k++) want += pow(gamma * lambda, (double)(k - t)) * (rewards[k] + gamma * values[k + 1] - values[k]);
        assert_true(near(advantage[t], want, 1e-12) && near(target[t], want + values[t], 1e-12));
    }
    mn_gae(advantage, target, rewards, values, T, 1, 1); /* then the target is what is still to come */
    double rest = 0;
    for (size_t t = T; t-- > 0;) assert_true(near(target[t], rest += rewards[t], 1e-12));
}

/* By its definition: what a nat more would add at the decision that gets each part of it. */
static void worth_is_shared_out(void **state)
{
    (void)state;
    enum { T = 9 };
    mn_rng rng = mn_rng_split(15, 0, MN_STREAM_USER);
    double advantage[T], worth[T];
    float share[T], slope[T];
    for (size_t t = 0; t < T; t++) {
        advantage[t] = mn_rng_normal(&rng);
        slope[t] = (float)mn_rng_normal(&rng);
        share[t] = (float)mn_rng_uniform(&rng);
    }
    mn_worth(worth, advantage, share, slope, T);
    for (size_t t = 0; t < T; t++) {
        double left = 1, want = 0;
        for (size_t k = t; k < T; k++) {
            want += left * (double)share[k] * advantage[k] * (double)slope[k];
            left *= 1 - (double)share[k];
        }
        assert_true(near(worth[t], want, 1e-12));
    }
}

/* Where the limit binds and the tilt is not small, it is the operator's own derivative. */
static void slopes_are_those_of_the_operator(void **state)
{
    (void)state;
    mn_rng rng = mn_rng_split(16, 0, MN_STREAM_USER);
    size_t checked = 0;
    for (int k = 0; k < 200; k++) {
        double base[7], scores[7], policy[3][7], lambda, nats, sum = 0, limit = .5 + mn_rng_uniform(&rng), h = 1e-5;
        for (size_t v = 0; v < 7; v++) sum += base[v] = exp(mn_rng_normal(&rng));
        for (size_t v = 0; v < 7; v++) base[v] = log(base[v] / sum), scores[v] = 5 * mn_rng_normal(&rng);
        for (int i = 0; i < 3; i++) {
            double b = limit + h * (i - 1);
            assert_int_equal(mn_regularize(MN_REG_BUDGET, policy[i], &lambda, &nats, base, scores, &b, 1, 7, NULL), MN_OK);
        }
        double mean = 0, variance = 0;
        for (size_t v = 0; v < 7; v++) mean += exp(policy[1][v]) * scores[v];
        for (size_t v = 0; v < 7; v++) variance += exp(policy[1][v]) * pow(scores[v] - mean, 2);
        if (lambda == 1 || lambda * lambda * variance < .1) continue;
        checked++;
        double damped = lambda * lambda * variance / (lambda * lambda * variance + .01);
        for (size_t v = 0; v < 7; v++)
            assert_true(near(mn_ppo_slope(policy[1], scores, 7, lambda, v), damped * (policy[2][v] - policy[0][v]) / (2 * h), 1e-4));
    }
    assert_true(checked > 100);
}

/* ---- a bandit ---- */

/* The policy of three arms. */
static void bandit_policy(double policy[4], double *nats, const world *w, double budget, const float *out)
{
    static const double base[4] = {-.3566749439387324, -1.6094379124341003, -2.3025850929940455, -INFINITY}; /* .7 .2 .1 */
    double scores[4], lambda, limit = budget < INFINITY ? budget * mn_share(out[4]) : INFINITY;
    for (size_t v = 0; v < 4; v++) w->samples.lp_cells[v] = (float)base[v];
    mn_heads_scores_row(&w->heads, scores, out, NULL, (const int32_t[]){0, 1, 2}, 3);
    assert_int_equal(mn_regularize(w->opts.kind, policy, &lambda, nats, base, scores, &limit, 1, 4, NULL), MN_OK);
}

/* Plays N times with three arms of which the last pays. Returns its probability, and the nats of that decision. */
static double play_bandit(world *w, double budget, double *nats, mn_rng *rng)
{
    mn_ppo_samples *s = &w->samples;
    float out[5], estimates[MN_ESTIMATES];
    double policy[4];
    s->x[0] = 1;
    mn_heads_actor_row(&w->heads, out, s->x);
    mn_heads_critic_row(&w->heads, estimates, s->x);
    bandit_policy(policy, nats, w, budget, out);
    for (size_t i = 0; i < s->N; i++) {
        s->x[i] = 1;
        s->remaining[i] = budget;
        s->logit[i] = out[4];
        s->offset[i] = s->price[i] = 0; /* nothing follows */
        for (size_t v = 0; v < 4; v++) s->lp_cells[i * 4 + v] = s->lp_cells[v];
        for (size_t j = 0; j < 3; j++) s->ids[i * 3 + j] = (int32_t)j;
        s->chosen[i] = (int32_t)mn_sample(policy, 4, mn_rng_uniform(rng));
        s->lp_old[i] = (float)policy[s->chosen[i]];
        s->target[i * MN_ESTIMATES] = s->chosen[i] == 2;
        s->advantage[i] = s->target[i * MN_ESTIMATES] - estimates[MN_VALUE];
    }
    return exp(policy[2]);
}

/* The most that the last arm can have for b nats: the tilt towards it alone, whose KL is that of two cells. */
static double best_arm(double p, double b)
{
    double low = p, high = 1;
    for (int i = 0; i < 100; i++) {
        double q = (low + high) / 2;
        *(q * log(q / p) + (1 - q) * log((1 - q) / (1 - p)) <= b ? &low : &high) = q;
    }
    return low;
}

static void a_bandit_is_learnt_within_its_budget(void **state)
{
    (void)state;
    static const double budgets[] = {.2, .8, INFINITY};
    for (size_t k = 0; k < 3; k++) {
        world w;
        mn_rng rng = mn_rng_split(13, k, MN_STREAM_TOKEN), init = mn_rng_split(13, k, MN_STREAM_INIT);
        double p = 0, nats, best = budgets[k] < INFINITY ? best_arm(.1, budgets[k]) : 1;
        make_world(&w, k < 2 ? MN_REG_BUDGET : MN_REG_NONE, 256, 1, 16, 3, 3, 0, 13);
        mn_heads_init(&w.heads, &init);
        w.opts.minibatch = 64;
        w.opts.epochs = 4;
        w.opts.kl_coefficient = 0;
        w.opts.learning_rate = .01;
        for (uint64_t step = 0; step < 200; step++) {
            mn_ppo_stats stats;
            p = play_bandit(&w, budgets[k], &nats, &rng);
            if (!step) assert_true(nats == 0);
            assert_true(nats <= budgets[k]);
            assert_int_equal(learn(&w, &stats, step), MN_OK);
        }
        assert_true(p > .1 + .9 * (best - .1));
        assert_true(p <= best + 1e-12);
        free_world(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_refuse_sizes),
        cmocka_unit_test(rows_match_double),
        cmocka_unit_test(batch_and_row_have_the_same_bits),
        cmocka_unit_test(untrained_heads_are_the_base),
        cmocka_unit_test(gradients_are_those_of_the_loss),
        cmocka_unit_test(gradients_at_the_base_are_those_of_the_loss),
        cmocka_unit_test(the_norm_is_cut),
        cmocka_unit_test(threads_do_not_change_bits),
        cmocka_unit_test(order_comes_from_the_stream),
        cmocka_unit_test(the_critic_learns_its_targets),
        cmocka_unit_test(worth_is_shared_out),
        cmocka_unit_test(slopes_are_those_of_the_operator),
        cmocka_unit_test(what_is_not_finite_is_an_error),
        cmocka_unit_test(allocations_may_fail),
        cmocka_unit_test(advantages_follow_their_sum),
        cmocka_unit_test(a_bandit_is_learnt_within_its_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
