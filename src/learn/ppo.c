#include "learn/ppo.h"

#include <math.h>
#include <string.h>

#include "base/stats.h"
#include "base/threads.h"
#include "learn/kernels.h"

enum {
    LANES =
        4, /* parts of a minibatch whose gradients are summed apart, then in order: neither threads nor their timing matter */
    CHUNK = 128, /* rows of a lane that go forward and back together, so that they stay in the caches */
};

/* ---- samples ------------------------------------------------------------------------------------------------- */

mn_status mn_ppo_samples_new(mn_ppo_samples *s, size_t N, size_t F, size_t M, mn_err *err)
{
    size_t NF, NM, NV, NT;
    *s = (mn_ppo_samples){.N = N, .F = F, .M = M};
    if (!mn_mul_size(&NF, N, F) || M == SIZE_MAX || !mn_mul_size(&NV, N, M + 1) || !mn_mul_size(&NM, N, M) ||
        !mn_mul_size(&NT, N, MN_ESTIMATES))
        return mn_fail(err, MN_ERR_LIMIT, "%zu samples of %zu features and %zu cells are too many", N, F, M);
    s->x = mn_alloc(NF, sizeof *s->x);
    s->ids = mn_alloc(NM, sizeof *s->ids);
    s->lp_cells = mn_alloc(NV, sizeof *s->lp_cells);
    s->remaining = mn_alloc(N, sizeof *s->remaining);
    s->price = mn_alloc(N, sizeof *s->price);
    s->logit = mn_alloc(N, sizeof *s->logit);
    s->offset = mn_alloc(N, sizeof *s->offset);
    s->chosen = mn_alloc(N, sizeof *s->chosen);
    s->lp_old = mn_alloc(N, sizeof *s->lp_old);
    s->advantage = mn_alloc(N, sizeof *s->advantage);
    s->target = mn_alloc(NT, sizeof *s->target);
    if (s->x && s->ids && s->lp_cells && s->remaining && s->price && s->logit && s->offset && s->chosen && s->lp_old &&
        s->advantage && s->target)
        return MN_OK;
    mn_ppo_samples_free(s);
    return mn_fail(err, MN_ERR_MEMORY, "out of memory (%zu samples)", N);
}

void mn_ppo_samples_free(mn_ppo_samples *s)
{
    free(s->x);
    free(s->ids);
    free(s->lp_cells);
    free(s->remaining);
    free(s->price);
    free(s->logit);
    free(s->offset);
    free(s->chosen);
    free(s->lp_old);
    free(s->advantage);
    free(s->target);
    *s = (mn_ppo_samples){0};
}

/* ---- memory of an update --------------------------------------------------------------------------------------- */

/* A net's weights, packed for products. */
typedef struct packs {
    float *ahead[MN_LAYERS]; /* W */
    float *back[MN_LAYERS];  /* its transpose; none for the first layer */
} packs;

/* A net on the rows of a chunk. */
typedef struct net {
    float *output[MN_LAYERS];    /* [CHUNK,out] of each layer; the last is turned into its gradient in place */
    float *delta[MN_LAYERS - 1]; /* [CHUNK,H] gradients before tanh */
} net;

/* A thread's own memory. V cells. */
typedef struct seat {
    float *x; /* [CHUNK,F] */
    net nets[MN_NETS];
    float *packed;                                        /* the gradients of a layer's outputs */
    float *z, *p;                                         /* [V] */
    double *scores, *base, *policy, *d_policy, *d_scores; /* [V] */
} seat;

/* Sums over the rows of a lane. */
typedef struct sums {
    double policy_loss, value_loss, clipped, approx_kl, nats, lambda, miss, miss_square;
} sums;

typedef struct update {
    const mn_ppo_samples *samples;
    const mn_ppo_opts *opts;
    mn_heads *heads;
    size_t V;            /* cells */
    bool plain;          /* the policy is a softmax of base + scores */
    float mean, inverse; /* of the advantages */
    double *log_sum;     /* [N] of exp(lp_cells), where not plain */
    size_t *order;       /* [N] */
    packs packs[MN_NETS];
    float *gradients[LANES]; /* [parameters]; the first becomes the sum */
    sums sums[LANES];
    seat *seats; /* [threads] */
    size_t threads, minibatch;
    const size_t *rows; /* [n] samples of the minibatch at hand */
    size_t n;
    double share; /* of one row in the minibatch's mean */
} update;

/* Aligned for the widest vectors, zeroed. */
static mn_status floats(float **out, size_t rows, size_t columns, mn_err *err)
{
    size_t n;
    if (!mn_mul_size(&n, rows, columns) || n > (SIZE_MAX - 64) / sizeof **out)
        return mn_fail(err, MN_ERR_LIMIT, "the minibatch is too large");
    n = (n * sizeof **out / 64 + 1) * 64;
    *out = aligned_alloc(64, n);
    if (!*out) return mn_fail(err, MN_ERR_MEMORY, "out of memory (%zu bytes)", n);
    memset(*out, 0, n);
    return MN_OK;
}

static mn_status packs_new(packs *to, const mn_layer *layers, mn_err *err)
{
    for (size_t l = 0; l < MN_LAYERS; l++) {
        MN_TRY(floats(&to->ahead[l], mn_packed(layers[l].in, layers[l].out), 1, err));
        if (l) MN_TRY(floats(&to->back[l], mn_packed(layers[l].out, layers[l].in), 1, err));
    }
    return MN_OK;
}

static void packs_free(packs *of)
{
    for (size_t l = 0; l < MN_LAYERS; l++) {
        free(of->ahead[l]);
        free(of->back[l]);
    }
}

static mn_status net_new(net *to, const mn_layer *layers, mn_err *err)
{
    for (size_t l = 0; l < MN_LAYERS; l++) {
        MN_TRY(floats(&to->output[l], CHUNK, layers[l].out, err));
        if (l) MN_TRY(floats(&to->delta[l - 1], CHUNK, layers[l].in, err));
    }
    return MN_OK;
}

static void net_free(net *of)
{
    for (size_t l = 0; l < MN_LAYERS; l++) {
        free(of->output[l]);
        if (l) free(of->delta[l - 1]);
    }
}

static mn_status seat_new(seat *s, const update *u, mn_err *err)
{
    double *doubles;
    size_t most = 0;
    for (size_t i = 0; i < MN_NETS; i++) {
        MN_TRY(net_new(&s->nets[i], u->heads->layers[i], err));
        for (size_t l = 0; l < MN_LAYERS; l++)
            if (u->heads->layers[i][l].out > most) most = u->heads->layers[i][l].out;
    }
    MN_TRY(floats(&s->x, CHUNK, u->samples->F, err));
    MN_TRY(floats(&s->packed, CHUNK, most + MN_PANEL, err));
    MN_TRY(floats(&s->z, u->V, 1, err));
    MN_TRY(floats(&s->p, u->V, 1, err));
    MN_ALLOC_OR_FAIL(doubles, 5 * u->V, err);
    s->scores = doubles;
    s->base = doubles + u->V;
    s->policy = doubles + 2 * u->V;
    s->d_policy = doubles + 3 * u->V;
    s->d_scores = doubles + 4 * u->V;
    return MN_OK;
}

static void seat_free(seat *s)
{
    for (size_t i = 0; i < MN_NETS; i++) net_free(&s->nets[i]);
    free(s->x);
    free(s->packed);
    free(s->z);
    free(s->p);
    free(s->scores);
}

static void update_free(update *u)
{
    for (size_t i = 0; i < MN_NETS; i++) packs_free(&u->packs[i]);
    for (size_t i = 0; i < LANES; i++) free(u->gradients[i]);
    for (size_t i = 0; u->seats && i < u->threads; i++) seat_free(&u->seats[i]);
    free(u->seats);
    free(u->log_sum);
    free(u->order);
}

static mn_status update_new(update *u, mn_err *err)
{
    const mn_ppo_samples *s = u->samples;
    u->V = s->M + 1;
    u->minibatch = u->opts->minibatch < s->N ? u->opts->minibatch : s->N;
    u->plain = u->opts->kind == MN_REG_PENALTY || u->opts->kind == MN_REG_NONE;
    u->threads = u->opts->threads ? u->opts->threads : 1;
    for (size_t i = 0; i < LANES; i++) MN_TRY(floats(&u->gradients[i], u->heads->n, 1, err));
    for (size_t i = 0; i < MN_NETS; i++) MN_TRY(packs_new(&u->packs[i], u->heads->layers[i], err));
    MN_ALLOC_OR_FAIL(u->order, s->N, err);
    MN_ALLOC_OR_FAIL(u->seats, u->threads, err);
    for (size_t i = 0; i < u->threads; i++) MN_TRY(seat_new(&u->seats[i], u, err));
    if (!u->plain) MN_ALLOC_OR_FAIL(u->log_sum, s->N, err);
    return MN_OK;
}

/* ---- forward and back ------------------------------------------------------------------------------------------ */

static void pack_nets(update *u)
{
    for (size_t i = 0; i < MN_NETS; i++)
        for (size_t l = 0; l < MN_LAYERS; l++) {
            const mn_layer *layer = &u->heads->layers[i][l];
            const float *weights = u->heads->params + layer->weights;
            mn_pack(u->packs[i].ahead[l], weights, layer->out, 1, layer->in, layer->out);
            if (l) mn_pack(u->packs[i].back[l], weights, 1, layer->out, layer->out, layer->in);
        }
}

static void forward(const update *u, seat *s, size_t which, size_t rows)
{
    for (size_t l = 0; l < MN_LAYERS; l++) {
        const mn_layer *layer = &u->heads->layers[which][l];
        const float *from = l ? s->nets[which].output[l - 1] : s->x;
        float *to = s->nets[which].output[l];
        mn_product(to, layer->out, from, layer->in, 1, u->packs[which].ahead[l], u->heads->params + layer->bias, rows,
                   layer->out, layer->in);
        if (l + 1 < MN_LAYERS) mn_tanh(to, rows * layer->out);
    }
}

/* From the gradient of the last layer's output to that of the first layer's sums; those of the parameters are added. */
static void backward(const update *u, seat *s, size_t which, size_t rows, float *gradient)
{
    static const float zeros[MN_HIDDEN_MAX], one = 1;
    const net *of = &s->nets[which];
    for (size_t l = MN_LAYERS; l-- > 0;) {
        const mn_layer *layer = &u->heads->layers[which][l];
        const float *delta = l + 1 < MN_LAYERS ? of->delta[l] : of->output[l], *input = l ? of->output[l - 1] : s->x;
        mn_pack(s->packed, delta, layer->out, 1, rows, layer->out);
        mn_product(gradient + layer->weights, layer->out, input, 1, layer->in, s->packed, NULL, layer->in, layer->out, rows);
        mn_product(gradient + layer->bias, layer->out, &one, 0, 0, s->packed, NULL, 1, layer->out, rows);
        if (!l) break;
        mn_product(of->delta[l - 1], layer->in, delta, layer->out, 1, u->packs[which].back[l], zeros, rows, layer->in,
                   layer->out);
        mn_tanh_back(of->delta[l - 1], input, rows * layer->in);
    }
}

/* ---- the loss of one decision -------------------------------------------------------------------------------- */

/* Gradient of the clipped surrogate by the new ln p of what was done, not yet multiplied by the row's share. */
static double surrogate(const update *u, size_t sample, double lp, sums *sum)
{
    double a = (double)((u->samples->advantage[sample] - u->mean) * u->inverse), clip = u->opts->clip;
    double log_ratio = lp - (double)u->samples->lp_old[sample], r = exp(log_ratio);
    double cut = fmin(fmax(r, 1 - clip), 1 + clip);
    sum->policy_loss -= fmin(r * a, cut * a);
    sum->clipped += r != cut;
    sum->approx_kl += expm1(log_ratio) - log_ratio;
    return r * a > cut * a ? 0 : -r * a; /* NaN goes through */
}

/* Gradient of the loss by the scores of the cells, into seat->p, where the policy is a softmax of base + scores. */
static void learn_plain(const update *u, seat *s, size_t sample, const float *out, sums *sum)
{
    const mn_ppo_samples *all = u->samples;
    const int32_t *ids = all->ids + sample * all->M;
    const float *base = all->lp_cells + sample * u->V;
    size_t cell = (size_t)all->chosen[sample], M = all->M, E = u->heads->O - 2;
    double total, log_sum, nats, penalty = u->opts->kl_coefficient * u->share;
    if (u->opts->embeddings)
        mn_dots(s->z, out, u->opts->embeddings, ids, M, E);
    else if (M == E)
        memcpy(s->z, out, M * sizeof *out); /* all symbols, in their order */
    else
        for (size_t j = 0; j < M; j++) s->z[j] = out[ids[j]];
    s->z[M] = out[E];
    mn_softmax(s->p, &total, &log_sum, &nats, base, s->z, u->V);
    double gradient = surrogate(u, sample, (double)base[cell] + (double)s->z[cell] - log_sum, sum) * u->share;
    mn_softmax_back(s->p, s->p, s->z, (float)((-gradient - penalty * (log_sum + nats)) / total), (float)(penalty / total),
                    u->V);
    s->p[cell] += (float)gradient;
    sum->nats += nats;
    sum->lambda += 1;
}

double mn_ppo_slope(const double *lp_policy, const double *scores, size_t V, double lambda, size_t cell)
{
    const double damping = .01; /* a tilt by .005 nats has this lambda^2 Var z */
    double mean = 0, square = 0;
    for (size_t v = 0; v < V; v++) {
        if (lp_policy[v] == -INFINITY) continue;
        double p = exp(lp_policy[v]), z = scores[v] - scores[cell];
        mean += p * z;
        square += p * z * z;
    }
    return -lambda * mean / (lambda * lambda * (square - mean * mean) + damping);
}

/* The same through the operator, and *d_logit by the share's logit. */
static mn_status learn_tilt(const update *u, seat *s, size_t sample, const float *out, float *d_logit, sums *sum, mn_err *err)
{
    const mn_ppo_samples *all = u->samples;
    const mn_ppo_opts *o = u->opts;
    size_t cell = (size_t)all->chosen[sample], E = u->heads->O - 2;
    bool shared = o->kind == MN_REG_BUDGET && all->remaining[sample] < INFINITY;
    float logit = out[E + 1] + all->offset[sample];
    double share = mn_share(logit), lambda, nats, d_nats = o->kl_coefficient * u->share;
    double limit = o->kind == MN_REG_BUDGET ? mn_share_of(all->remaining[sample], share) : o->limit;
    mn_heads_scores_row(u->heads, s->scores, out, o->embeddings, all->ids + sample * all->M, all->M);
    for (size_t v = 0; v < u->V; v++) s->base[v] = (double)all->lp_cells[sample * u->V + v] - u->log_sum[sample];
    MN_TRY(mn_regularize(o->kind, s->policy, &lambda, &nats, s->base, s->scores, &limit, 1, u->V, err));
    double gradient = surrogate(u, sample, s->policy[cell], sum) * u->share;
    s->d_policy[cell] = gradient;
    MN_TRY(mn_regularize_backward(o->kind, s->d_scores, NULL, s->d_policy, &d_nats, s->policy, &lambda, s->base, s->scores,
                                  &limit, 1, u->V, err));
    s->d_policy[cell] = 0;
    for (size_t v = 0; v < u->V; v++) s->p[v] = (float)s->d_scores[v];
    if (shared) {
        double price = (double)(all->price[sample] * u->inverse) * u->share, moved = (double)(logit - all->logit[sample]);
        double d_limit = gradient * mn_ppo_slope(s->policy, s->scores, u->V, lambda, cell) + price;
        *d_logit = (d_limit < 0 ? moved > o->clip : moved < -o->clip) ? 0 : (float)(d_limit * limit * (1 - share));
    }
    sum->nats += nats;
    sum->lambda += lambda;
    return MN_OK;
}

/* Turns the actor's outputs of one row into the loss's gradient by them. */
static mn_status learn_policy(const update *u, seat *s, size_t sample, float *out, sums *sum, mn_err *err)
{
    const mn_ppo_samples *all = u->samples;
    const int32_t *ids = all->ids + sample * all->M;
    size_t M = all->M, E = u->heads->O - 2;
    float d_logit = 0;
    if (u->plain)
        learn_plain(u, s, sample, out, sum);
    else
        MN_TRY(learn_tilt(u, s, sample, out, &d_logit, sum, err));
    if (u->opts->embeddings)
        mn_dots_back(out, s->p, u->opts->embeddings, ids, M, E);
    else if (M == E)
        memcpy(out, s->p, M * sizeof *out);
    else {
        memset(out, 0, E * sizeof *out);
        for (size_t j = 0; j < M; j++) out[ids[j]] = s->p[j];
    }
    out[E] = s->p[M];
    out[E + 1] = d_logit;
    return MN_OK;
}

/* Turns the critic's estimates into the loss's gradients by them. */
static void learn_estimates(const update *u, size_t sample, float out[MN_ESTIMATES], sums *sum)
{
    for (size_t k = 0; k < MN_ESTIMATES; k++) {
        double miss = (double)out[k] - (double)u->samples->target[sample * MN_ESTIMATES + k];
        if (k == MN_VALUE) {
            sum->value_loss += miss * miss / 2;
            sum->miss += miss;
            sum->miss_square += miss * miss;
        }
        out[k] = (float)(u->opts->value_coefficient * miss * u->share);
    }
}

/* Rows from..to-1 of the minibatch, at most CHUNK. */
static mn_status learn_chunk(update *u, seat *s, size_t lane, size_t from, size_t to, mn_err *err)
{
    size_t F = u->samples->F, O = u->heads->O;
    float *acts = s->nets[MN_ACTOR].output[MN_LAYERS - 1], *estimates = s->nets[MN_CRITIC].output[MN_LAYERS - 1];
    for (size_t r = from; r < to; r++) memcpy(s->x + (r - from) * F, u->samples->x + u->rows[r] * F, F * sizeof *s->x);
    for (size_t i = 0; i < MN_NETS; i++) forward(u, s, i, to - from);
    for (size_t r = from; r < to; r++) {
        MN_TRY(learn_policy(u, s, u->rows[r], acts + (r - from) * O, &u->sums[lane], err));
        learn_estimates(u, u->rows[r], estimates + (r - from) * MN_ESTIMATES, &u->sums[lane]);
    }
    for (size_t i = 0; i < MN_NETS; i++) backward(u, s, i, to - from, u->gradients[lane]);
    return MN_OK;
}

static mn_status lane_task(void *arg, size_t lane, size_t thread, mn_err *err)
{
    update *u = arg;
    size_t begin = u->n * lane / LANES, end = u->n * (lane + 1) / LANES;
    memset(u->gradients[lane], 0, u->heads->n * sizeof *u->gradients[lane]);
    u->sums[lane] = (sums){0};
    for (size_t at = begin; at < end; at += CHUNK)
        MN_TRY(learn_chunk(u, &u->seats[thread], lane, at, at + CHUNK < end ? at + CHUNK : end, err));
    return MN_OK;
}

/* Some parameters' gradients, from all lanes into the first. */
static mn_status sum_task(void *arg, size_t task, size_t thread, mn_err *err)
{
    update *u = arg;
    size_t begin = u->heads->n * task / LANES, end = u->heads->n * (task + 1) / LANES;
    (void)thread, (void)err;
    for (size_t i = begin; i < end; i++) {
        float sum = u->gradients[0][i];
        for (size_t lane = 1; lane < LANES; lane++) sum += u->gradients[lane][i];
        u->gradients[0][i] = sum;
    }
    return MN_OK;
}

static void add_sums(sums *total, const sums *s)
{
    total->policy_loss += s->policy_loss;
    total->value_loss += s->value_loss;
    total->clipped += s->clipped;
    total->approx_kl += s->approx_kl;
    total->nats += s->nats;
    total->lambda += s->lambda;
    total->miss += s->miss;
    total->miss_square += s->miss_square;
}

/* Those of a minibatch of n samples, rows, into the first lane's; what is logged of them is added to total. */
static mn_status gradients(update *u, const size_t *rows, size_t n, sums *total, mn_err *err)
{
    pack_nets(u);
    u->rows = rows;
    u->n = n;
    u->share = 1 / (double)n;
    MN_TRY(mn_parallel(u->threads, LANES, lane_task, u, err));
    MN_TRY(mn_parallel(u->threads, LANES, sum_task, u, err));
    for (size_t i = 0; i < LANES; i++) add_sums(total, &u->sums[i]);
    return MN_OK;
}

/* ---- the update ------------------------------------------------------------------------------------------------ */

/* One Adam step on a minibatch; its gradient's norm is added. */
static mn_status step(update *u, mn_adam *adam, const size_t *rows, size_t n, sums *total, double *norms, mn_err *err)
{
    MN_TRY(gradients(u, rows, n, total, err));
    double norm = sqrt(mn_sum_squares(u->gradients[0], u->heads->n)), most = u->opts->max_grad_norm;
    if (!isfinite(norm)) return mn_fail(err, MN_ERR_NUM, "the gradient is not finite");
    float scale = most > 0 && norm > most ? (float)(most / norm) : 1;
    adam->steps++;
    mn_adam_step(u->heads->params, adam->m, adam->v, u->gradients[0], scale, u->opts->learning_rate, adam->steps, u->heads->n);
    *norms += norm;
    return MN_OK;
}

static void shuffle(size_t *order, size_t n, mn_rng *rng)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)mn_rng_below(rng, i), kept = order[i - 1];
        order[i - 1] = order[j];
        order[j] = kept;
    }
}

/* The float base's logarithmic sum, so that it can be made to sum to 1 as the operator demands. */
static void sum_base(update *u)
{
    for (size_t i = 0; i < u->samples->N; i++) {
        const float *row = u->samples->lp_cells + i * u->V;
        double sum = 0;
        for (size_t v = 0; v < u->V; v++) sum += exp((double)row[v]);
        u->log_sum[i] = log(sum);
    }
}

static void normalise(update *u)
{
    const mn_ppo_samples *s = u->samples;
    mn_stats advantage = {0};
    u->inverse = 1;
    if (!u->opts->normalise_advantage) return;
    for (size_t i = 0; i < s->N; i++) mn_stats_add(&advantage, (double)s->advantage[i]);
    u->mean = (float)advantage.mean;
    u->inverse = (float)(1 / (sqrt(mn_stats_variance(&advantage)) + 1e-8));
}

static double explained(const mn_ppo_samples *s, const sums *first)
{
    mn_stats target = {0};
    double n = (double)s->N, mean = first->miss / n;
    for (size_t i = 0; i < s->N; i++) mn_stats_add(&target, (double)s->target[i * MN_ESTIMATES + MN_VALUE]);
    return target.m2 > 0 ? 1 - (first->miss_square - n * mean * mean) / target.m2 : 0;
}

static mn_status epochs(mn_ppo_stats *stats, update *u, mn_adam *adam, mn_rng *rng, mn_err *err)
{
    size_t N = u->samples->N, steps = 0;
    sums total = {0}, first = {0};
    double norms = 0, n = (double)N * (double)u->opts->epochs;
    for (size_t i = 0; i < N; i++) u->order[i] = i;
    for (size_t epoch = 0; epoch < u->opts->epochs; epoch++) {
        shuffle(u->order, N, rng);
        for (size_t at = 0, rows; at < N; at += rows, steps++) {
            rows = N - at < u->minibatch ? N - at : u->minibatch;
            MN_TRY(step(u, adam, u->order + at, rows, &total, &norms, err));
        }
        if (!epoch) first = total;
    }
    *stats = (mn_ppo_stats){.policy_loss = total.policy_loss / n,
                            .value_loss = total.value_loss / n,
                            .clip_fraction = total.clipped / n,
                            .approx_kl = total.approx_kl / n,
                            .nats = total.nats / n,
                            .lambda = total.lambda / n,
                            .grad_norm = norms / (double)steps,
                            .explained_variance = explained(u->samples, &first)};
    return MN_OK;
}

mn_status mn_ppo_update(mn_ppo_stats *stats, mn_heads *heads, mn_adam *adam, const mn_ppo_samples *samples,
                        const mn_ppo_opts *opts, mn_rng *rng, mn_err *err)
{
    update u = {.samples = samples, .opts = opts, .heads = heads};
    mn_status status = update_new(&u, err);
    if (status == MN_OK) {
        normalise(&u);
        if (!u.plain) sum_base(&u);
        status = epochs(stats, &u, adam, rng, err);
    }
    update_free(&u);
    return status;
}

void mn_gae(double *advantage, double *target, const double *rewards, const double *values, size_t n, double gamma,
            double lambda)
{
    double next_advantage = 0, next_value = 0;
    for (size_t i = n; i-- > 0;) {
        next_advantage = rewards[i] + gamma * next_value - values[i] + gamma * lambda * next_advantage;
        next_value = values[i];
        advantage[i] = next_advantage;
        target[i] = next_advantage + values[i];
    }
}

void mn_worth(double *worth, const double *advantage, const float *share, const float *slope, size_t n)
{
    double after = 0;
    for (size_t i = n; i-- > 0;) {
        double f = (double)share[i];
        worth[i] = after = f * advantage[i] * (double)slope[i] + (1 - f) * after;
    }
}
