#include "learn/trainer.h"

#include <math.h>
#include <string.h>

#include "base/threads.h"

size_t mn_trainer_episodes(const mn_settings *s, size_t step, uint64_t *first)
{
    *first = step ? (uint64_t)s->base_episodes + (uint64_t)(step - 1) * (uint64_t)s->episodes : 0;
    return (size_t)(step ? s->episodes : s->base_episodes);
}

double mn_trainer_budget(const mn_settings *s, size_t step)
{
    if (s->regularizer.type != MN_REG_BUDGET) return INFINITY;
    double warm = (double)s->regularizer.warmup_steps;
    return (double)step >= warm || s->regularizer.budget_nats == INFINITY
               ? s->regularizer.budget_nats
               : s->regularizer.budget_nats * (double)(step ? step : 1) / warm;
}

static mn_status open_heads(mn_trainer *t, mn_err *err)
{
    const mn_settings *s = t->settings;
    mn_rng rng = mn_rng_split((uint64_t)s->seed, 0, MN_STREAM_INIT);
    MN_TRY(mn_heads_new(&t->heads, mn_features_width(&t->setup.features), (size_t)s->ppo.hidden, t->setup.E + 2, err));
    mn_heads_init(&t->heads, &rng);
    MN_TRY(mn_adam_new(&t->adam, t->heads.n, err));
    MN_ALLOC_OR_FAIL(t->played, t->heads.n, err);
    return MN_OK;
}

mn_status mn_trainer_new(mn_trainer *t, const mn_settings *s, size_t threads, mn_err *err)
{
    *t = (mn_trainer){.settings = s, .threads = threads, .coefficient = s->regularizer.coefficient};
    size_t most = (size_t)(s->episodes > s->base_episodes ? s->episodes : s->base_episodes);
    MN_TRY(mn_setup_open(&t->setup, s, err));
    MN_TRY(open_heads(t, err));
    MN_ALLOC_OR_FAIL(t->episodes, most, err);
    MN_ALLOC_OR_FAIL(t->decisions, most, err);
    t->cap = most;
    for (size_t i = 0; i < most; i++) t->decisions[i] = (mn_decisions){.F = t->heads.F, .M = t->setup.M[0]};
    return mn_crew_new(&t->crew, &t->setup, threads, (size_t)s->episodes, true, err);
}

void mn_trainer_free(mn_trainer *t)
{
    mn_crew_free(t->crew);
    for (size_t i = 0; i < t->cap; i++) {
        mn_episode_free(&t->episodes[i]);
        mn_decisions_free(&t->decisions[i]);
    }
    free(t->episodes);
    free(t->decisions);
    free(t->played);
    mn_adam_free(&t->adam);
    mn_heads_free(&t->heads);
    mn_setup_free(&t->setup);
    *t = (mn_trainer){0};
}

/* ---- step 0: standardisation ------------------------------------------------------------------------------- */

static void moments_free(mn_moments *moments, size_t n)
{
    for (size_t i = 0; moments && i < n; i++) {
        free(moments[i].sum);
        free(moments[i].square);
    }
    free(moments);
}

static mn_status moments_new(mn_moments **out, size_t n, size_t F, mn_err *err)
{
    mn_moments *moments;
    MN_ALLOC_OR_FAIL(moments, n, err);
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++) {
        moments[i].sum = mn_alloc(F, sizeof(double));
        moments[i].square = mn_alloc(F, sizeof(double));
        ok = moments[i].sum && moments[i].square;
    }
    if (!ok) return moments_free(moments, n), mn_fail(err, MN_ERR_MEMORY, "out of memory");
    *out = moments;
    return MN_OK;
}

/* Into moments[0], in the order of episodes. */
static void fit(mn_features *features, mn_moments *moments, size_t n, size_t F)
{
    mn_moments *all = &moments[0];
    for (size_t i = 1; i < n; i++) {
        all->n += moments[i].n;
        for (size_t f = 0; f < F; f++) {
            all->sum[f] += moments[i].sum[f];
            all->square[f] += moments[i].square[f];
        }
    }
    double count = all->n ? (double)all->n : 1;
    for (size_t f = 0; f < F; f++) {
        all->sum[f] /= count;
        all->square[f] = fmax(0, all->square[f] / count - all->sum[f] * all->sum[f]);
    }
    mn_features_fit(features, all->sum, all->square);
}

/* ---- learning -------------------------------------------------------------------------------------------------- */

/* What each decision earned: every turn's share of the return, credited to the last decision before the turn ended; an
 * episode without rewarded turns credits its return to the last decision. A penalty is charged where it was incurred. */
static void credit(double *rewards, const mn_episode *episode, const mn_decisions *d, double coefficient)
{
    for (size_t i = 0; i < d->n; i++) rewards[i] = -coefficient * d->nats[i];
    for (size_t k = 0, i = 0; k < episode->n_rewards; k++) {
        while (i + 1 < d->n && d->t[i + 1] <= episode->rewards[k].t) i++;
        if (d->n && d->t[i] <= episode->rewards[k].t) rewards[i] += episode->rewards[k].value / (double)episode->n_rewards;
    }
    if (!episode->n_rewards && d->n) rewards[d->n - 1] += episode->value;
}

typedef struct lesson {
    mn_trainer *trainer;
    mn_ppo_samples *samples;
    const size_t *begin; /* [n + 1] first sample of each episode */
    double penalty;
} lesson;

static void gather(mn_ppo_samples *s, size_t at, const mn_decisions *d)
{
    size_t F = d->F, M = d->M, V = M + 1;
    memcpy(s->x + at * F, d->x, d->n * F * sizeof *d->x);
    memcpy(s->ids + at * M, d->ids, d->n * M * sizeof *d->ids);
    memcpy(s->lp_cells + at * V, d->lp_cells, d->n * V * sizeof *d->lp_cells);
    memcpy(s->remaining + at, d->remaining, d->n * sizeof *d->remaining);
    memcpy(s->logit + at, d->logit, d->n * sizeof *d->logit);
    memcpy(s->offset + at, d->offset, d->n * sizeof *d->offset);
    memcpy(s->chosen + at, d->chosen, d->n * sizeof *d->chosen);
    memcpy(s->lp_old + at, d->lp_old, d->n * sizeof *d->lp_old);
}

/* One episode's samples, values, advantages, prices and targets. */
static mn_status prepare(void *arg, size_t i, size_t thread, mn_err *err)
{
    const lesson *l = arg;
    const mn_trainer *t = l->trainer;
    const mn_decisions *d = &t->decisions[i];
    mn_ppo_samples *s = l->samples;
    size_t at = l->begin[i];
    double *work;
    (void)thread;
    MN_ALLOC_OR_FAIL(work, 5 * d->n, err);
    double *rewards = work, *values = work + d->n, *advantage = work + 2 * d->n, *target = work + 3 * d->n,
           *worth = work + 4 * d->n;
    double budget = mn_trainer_budget(t->settings, t->step), whole = budget > 0 && budget < INFINITY ? budget : 0;
    gather(s, at, d);
    credit(rewards, &t->episodes[i], d, l->penalty);
    for (size_t k = 0; k < d->n; k++) {
        float out[MN_ESTIMATES];
        mn_heads_critic_row(&t->heads, out, d->x + k * d->F);
        values[k] = (double)out[MN_VALUE];
        if (k && whole > 0) s->price[at + k - 1] = (float)fmax(0, (double)out[MN_PRICE] / whole);
    }
    mn_gae(advantage, target, rewards, values, d->n, 1, t->settings->ppo.lambda);
    mn_worth(worth, advantage, d->share, d->slope, d->n);
    for (size_t k = 0; k < d->n; k++) {
        s->advantage[at + k] = (float)advantage[k];
        s->target[(at + k) * MN_ESTIMATES + MN_VALUE] = (float)target[k];
        s->target[(at + k) * MN_ESTIMATES + MN_PRICE] = (float)(whole * worth[k]);
    }
    free(work);
    return MN_OK;
}

static mn_ppo_opts ppo_opts(const mn_trainer *t)
{
    const mn_settings *s = t->settings;
    return (mn_ppo_opts){
        .kind = (mn_reg_kind)s->regularizer.type,
        .limit = s->regularizer.limit,
        .embeddings = t->setup.embeddings,
        .clip = s->ppo.clip,
        .epochs = (size_t)s->ppo.epochs,
        .minibatch = (size_t)s->ppo.minibatch,
        .learning_rate = s->ppo.learning_rate,
        .value_coefficient = s->ppo.value_coefficient,
        .max_grad_norm = s->ppo.max_grad_norm,
        .normalise_advantage = true,
        .threads = t->threads,
    };
}

static mn_status learn(mn_trainer *t, mn_err *err)
{
    size_t *begin;
    mn_ppo_samples samples;
    MN_ALLOC_OR_FAIL(begin, t->n + 1, err);
    for (size_t i = 0; i < t->n; i++) begin[i + 1] = begin[i] + t->decisions[i].n;
    mn_status status = mn_ppo_samples_new(&samples, begin[t->n], t->heads.F, t->setup.M[0], err);
    if (status == MN_OK) {
        lesson l = {.trainer = t,
                    .samples = &samples,
                    .begin = begin,
                    .penalty = t->settings->regularizer.type == MN_REG_PENALTY ? t->coefficient : 0};
        mn_ppo_opts opts = ppo_opts(t);
        mn_rng rng = mn_rng_split((uint64_t)t->settings->seed, t->step, MN_STREAM_SHUFFLE);
        status = mn_parallel(t->threads, t->n, prepare, &l, err);
        if (status == MN_OK && samples.N)
            status = mn_ppo_update(&t->stats.ppo, &t->heads, &t->adam, &samples, &opts, &rng, err);
        mn_ppo_samples_free(&samples);
    }
    free(begin);
    return status;
}

/* The coefficient follows the nats to their target (Ziegler et al. 2019, eq. 5: proportional, cut to +-20%, gain .1). */
static void adapt(mn_trainer *t)
{
    double target = t->settings->regularizer.target_nats;
    if (t->settings->regularizer.type != MN_REG_PENALTY || target <= 0) return;
    double error = fmax(-.2, fmin(.2, t->stats.nats / target - 1));
    t->coefficient *= 1 + .1 * error;
}

/* ---- a step ------------------------------------------------------------------------------------------------------ */

static void summarise(mn_trainer *t, double budget)
{
    mn_step_stats *out = &t->stats;
    mn_stats value = {0}, nats = {0}, lambda = {0}, share = {0};
    *out = (mn_step_stats){.step = t->step, .episodes = t->n, .budget_nats = budget, .coefficient = t->coefficient};
    for (size_t i = 0; i < t->n; i++) {
        const mn_episode *e = &t->episodes[i];
        const mn_decisions *d = &t->decisions[i];
        mn_stats_add(&value, e->value);
        mn_stats_add(&nats, e->spent_nats);
        if (e->spent_nats > out->nats_max) out->nats_max = e->spent_nats;
        out->tokens += e->T;
        out->turns += e->n_rewards;
        for (size_t k = 0; k < d->n; k++) {
            mn_stats_add(&lambda, d->lambda[k]);
            mn_stats_add(&share, d->share[k]);
        }
    }
    out->value = value.mean;
    out->value_se = mn_stats_error(&value);
    out->nats = nats.mean;
    out->lambda = lambda.mean;
    out->share = share.mean;
}

static mn_status play(mn_trainer *t, mn_moments *moments, bool (*stop)(void *), void *stop_arg, mn_err *err)
{
    mn_rollout job = {.heads = &t->heads,
                      .budget_nats = mn_trainer_budget(t->settings, t->step),
                      .step = t->step,
                      .episodes = t->episodes,
                      .decisions = t->decisions,
                      .moments = moments,
                      .stop = stop,
                      .stop_arg = stop_arg};
    t->n = job.n = mn_trainer_episodes(t->settings, t->step, &job.first);
    for (size_t i = 0; i < t->n; i++) t->decisions[i].n = 0;
    MN_TRY(mn_rollout_play(t->crew, &job, err));
    summarise(t, job.budget_nats);
    t->stats.decoded = mn_crew_decoded(t->crew);
    return MN_OK;
}

static mn_status first_step(mn_trainer *t, bool (*stop)(void *), void *stop_arg, mn_err *err)
{
    size_t F = mn_model_features(t->setup.base), n = (size_t)t->settings->base_episodes;
    mn_moments *moments = NULL;
    MN_TRY(moments_new(&moments, n, F, err));
    mn_status status = play(t, moments, stop, stop_arg, err);
    if (status == MN_OK) fit(&t->setup.features, moments, n, F);
    moments_free(moments, n);
    return status;
}

mn_status mn_trainer_step(mn_trainer *t, bool (*stop)(void *), void *stop_arg, mn_err *err)
{
    memcpy(t->played, t->heads.params, t->heads.n * sizeof *t->played);
    if (t->step == 0) {
        MN_TRY(first_step(t, stop, stop_arg, err));
    } else {
        MN_TRY(play(t, NULL, stop, stop_arg, err));
        MN_TRY(learn(t, err));
        adapt(t);
    }
    t->step++;
    return MN_OK;
}
