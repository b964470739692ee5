#include "learn/rollout.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/threads.h"
#include "learn/crew.h"
#include "learn/ppo.h"
#include "regularize/cells.h"

/* One call of mn_rollout_play, as its threads see it. */
typedef struct play {
    const mn_rollout *job;
    mn_crew *crew;
    atomic_size_t next; /* episode not yet begun */
    atomic_bool failed; /* some thread has failed: the others need not go on */
} play;

/* ---- beginning and ending an episode ------------------------------------------------------------------- */

static mn_status begin_lane(mn_hand *hand, mn_slot *slot, size_t l, const mn_opening *opening, mn_err *err)
{
    mn_lane *lane = &slot->lanes[l];
    const mn_root *root = &hand->roots[l];
    lane->n = lane->at = 0;
    MN_TRY(mn_session_fork(&lane->session, root->session, err));
    if (root->whole) return mn_lane_push(lane, root->last, err);
    return mn_lane_open(lane, hand->setup, l ? hand->setup->speaker : hand->setup->base, opening, err);
}

static mn_status begin_episode(play *p, mn_hand *hand, mn_slot *slot, size_t index, mn_err *err)
{
    const mn_setup *setup = hand->setup;
    const mn_rollout *job = p->job;
    uint64_t number = job->script ? job->script[index].number : job->first + index;
    const mn_opening *opening = mn_setup_opening(setup, number);
    mn_episode *episode = &job->episodes[index];
    double budget = job->script ? job->script[index].budget_nats : job->budget_nats;
    slot->index = index;
    slot->spent = 0;
    slot->remaining = budget;
    if (mn_chat_begin(&slot->chat, &setup->rules, opening->text, opening->len, opening->speaker) != MN_OK)
        return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    slot->turn_from = slot->chat.text.len;
    MN_TRY(mn_episode_begin(episode, number, job->step, (uint64_t)setup->settings->seed, (int64_t)opening->line, budget, err));
    for (size_t l = 0; l < hand->lanes; l++) MN_TRY(begin_lane(hand, slot, l, opening, err));
    slot->busy = true;
    return MN_OK;
}

static mn_status end_episode(play *p, mn_hand *hand, mn_slot *slot, mn_err *err)
{
    mn_episode *episode = &p->job->episodes[slot->index];
    double sum = 0;
    episode->spent_nats = (double)slot->spent;
    for (size_t i = 0; i < episode->n_rewards; i++) sum += episode->rewards[i].value;
    if (episode->n_rewards) {
        episode->value = sum / (double)episode->n_rewards;
    } else if (!hand->scorer) {
        episode->value = p->job->script[slot->index].value;
    } else {
        mn_turn silence = {.text = "",
                           .context = slot->chat.text.data,
                           .context_len = slot->chat.text.len,
                           .role = hand->setup->rules.role[MN_OTHER],
                           .episode = episode->number};
        MN_TRY(mn_scorer_score(hand->scorer, &episode->value, &silence, err));
    }
    for (size_t l = 0; l < hand->lanes; l++) {
        mn_session_free(slot->lanes[l].session);
        slot->lanes[l].session = NULL;
    }
    slot->busy = false;
    return MN_OK;
}

/* ---- a decision ------------------------------------------------------------------------------------------ */

static void look_around(const mn_hand *hand, const mn_slot *slot, const mn_episode *episode, mn_place *place)
{
    *place = (mn_place){.budget = episode->budget_nats,
                        .remaining = slot->remaining,
                        .t = slot->chat.sampled,
                        .tokens = hand->setup->rules.tokens,
                        .in_turn = slot->chat.in_turn,
                        .turns = slot->chat.turns[MN_AGENT],
                        .scored = slot->chat.turns[MN_OTHER],
                        .agents_turn = slot->chat.speaker == MN_AGENT};
}

static void add_moments(mn_moments *moments, const float *raw, size_t F)
{
    moments->n++;
    for (size_t i = 0; i < F; i++) {
        moments->sum[i] += raw[i];
        moments->square[i] += (double)raw[i] * raw[i];
    }
}

typedef struct decision {
    double remaining, limit, nats, lambda, share;
    float offset, logit; /* logit: of the share; offset: of the logit from the actor's output */
} decision;

/* What is left is first shared out evenly over so many tokens: of text, all that may come; of moves, the agent's, of which the last
 * one may spend nearly all (the share is 1/(1 + exp(-logit)), so that 1 in n has the odds n - 1). */
static double to_come(const mn_setup *setup, const mn_place *place)
{
    size_t tokens = place->tokens - place->t;
    return setup->rules.moves ? (double)((tokens + 1) / 2 - 1) + 1. / 16 : (double)tokens;
}

/* The nats this token may spend: a share of what remains, or the regulariser's own limit. */
static void set_limit(decision *d, const mn_setup *setup, float output, const mn_place *place)
{
    const mn_settings *s = setup->settings;
    d->offset = (float)-log(to_come(setup, place));
    d->logit = output + d->offset;
    d->share = mn_share(d->logit);
    d->remaining = s->regularizer.type == MN_REG_BUDGET ? place->remaining : INFINITY;
    d->limit = s->regularizer.type == MN_REG_BUDGET ? mn_share_of(d->remaining, d->share) : s->regularizer.limit;
}

/* The policy over the cells of the present context, into hand->lp_policy. */
static mn_status decide(play *p, mn_hand *hand, mn_slot *slot, decision *d, mn_err *err)
{
    const mn_setup *setup = hand->setup;
    const mn_settings *s = setup->settings;
    const mn_rollout *job = p->job;
    mn_place place;
    size_t M = setup->M[0], V = M + 1;
    look_around(hand, slot, &job->episodes[slot->index], &place);
    MN_TRY(mn_session_features(slot->lanes[0].session, hand->raw, err));
    if (job->moments) add_moments(&job->moments[slot->index], hand->raw, mn_model_features(setup->base));
    mn_features_apply(&setup->features, hand->x, hand->raw, &place);
    mn_heads_actor_row(job->heads, hand->actor, hand->x);
    mn_heads_scores_row(job->heads, hand->scores, hand->actor, setup->embeddings, hand->ids, M);
    set_limit(d, setup, hand->actor[setup->E + 1], &place);
    return mn_regularize((mn_reg_kind)s->regularizer.type, hand->lp_policy, &d->lambda, &d->nats, hand->lp_cells, hand->scores,
                         &d->limit, 1, V, err);
}

static mn_status remember(mn_decisions *all, const mn_hand *hand, const mn_slot *slot, const decision *d, int32_t cell,
                          mn_err *err)
{
    size_t i = all->n, F = all->F, M = all->M;
    MN_TRY(mn_decisions_reserve(all, err));
    memcpy(all->x + i * F, hand->x, F * sizeof *all->x);
    memcpy(all->ids + i * M, hand->ids, M * sizeof *all->ids);
    for (size_t v = 0; v <= M; v++) all->lp_cells[i * (M + 1) + v] = (float)hand->lp_cells[v];
    all->remaining[i] = d->remaining;
    all->logit[i] = d->logit;
    all->offset[i] = d->offset;
    all->chosen[i] = cell;
    all->lp_old[i] = (float)hand->lp_policy[cell];
    all->slope[i] = d->remaining < INFINITY ? (float)mn_ppo_slope(hand->lp_policy, hand->scores, M + 1, d->lambda, (size_t)cell)
                                            : 0;
    all->nats[i] = (float)d->nats;
    all->lambda[i] = (float)d->lambda;
    all->share[i] = (float)d->share;
    all->t[i] = slot->chat.sampled;
    all->n++;
    return MN_OK;
}

/* Charging rounds what remains down, so that no sum of charges exceeds the budget in exact arithmetic. */
static void charge(mn_slot *slot, double nats)
{
    slot->spent += nats;
    if (nats > 0) slot->remaining = fmax(0, nextafter(slot->remaining - nats, -INFINITY));
}

/* ---- a token --------------------------------------------------------------------------------------------- */

/* The symbol to go on with: drawn by the episode's stream, or what the script says. */
static void choose(const play *p, const mn_hand *hand, const mn_slot *slot, size_t lane, mn_sampled *out)
{
    const mn_rollout *job = p->job;
    const mn_episode *episode = &job->episodes[slot->index], *script = job->script ? &job->script[slot->index] : NULL;
    size_t t = slot->chat.sampled, M = hand->setup->M[lane],
           A = mn_model_alphabet(lane ? hand->setup->speaker : hand->setup->base);
    mn_rng rng = mn_rng_split((uint64_t)hand->setup->settings->seed, episode->number, MN_STREAM_TOKEN);
    rng.draw = (uint32_t)(2 * t);
    double u = mn_rng_uniform(&rng), v = mn_rng_uniform(&rng);
    mn_cells_sample(out, hand->lp_policy, hand->lp_cells, hand->ids, M, hand->lp, A, u, v);
    if (job->drawn) job->drawn[slot->index][t] = out->id;
    if (script) mn_cells_find(out, script->token[t], hand->lp_policy, hand->lp_cells, hand->ids, M, hand->lp);
}

static bool script_ends(const play *p, const mn_slot *slot, size_t A)
{
    const mn_episode *script = p->job->script ? &p->job->script[slot->index] : NULL;
    const mn_setup *setup = p->crew->setup;
    size_t t = slot->chat.sampled;
    if (!script) return false;
    if (t >= script->T || script->token[t] < 0 || (size_t)script->token[t] >= A) return true;
    return setup->plan_open && !mn_classroom_has(&setup->planned.world, script->token[t], slot->chat.speaker == MN_AGENT);
}

/* What a turn's end (or the conversation's other model) still has to be told. */
static mn_status tell(mn_hand *hand, mn_slot *slot, size_t lane, int32_t id, const mn_chat_event *event, mn_err *err)
{
    const mn_model *models[2] = {hand->setup->base, hand->setup->speaker};
    const mn_chat *chat = &slot->chat;
    if (hand->setup->rules.moves) { /* both models have the same symbols */
        for (size_t l = 0; l < hand->lanes; l++) MN_TRY(mn_lane_push(&slot->lanes[l], id, err));
        slot->turn_from = chat->text.len;
        return MN_OK;
    }
    if (!event->ended) return mn_lane_push(&slot->lanes[lane], id, err);
    MN_TRY(mn_lane_feed(&slot->lanes[lane], models[lane], chat->text.data + event->tail, event->tail_len, err));
    for (size_t l = 0; l < hand->lanes; l++)
        if (l != lane)
            MN_TRY(mn_lane_feed(&slot->lanes[l], models[l], chat->text.data + slot->turn_from, chat->text.len - slot->turn_from,
                                err));
    slot->turn_from = chat->text.len;
    return MN_OK;
}

/* What the log says of the turn that ended at token t; where it says nothing, a value that no reward has. */
static double scripted_reward(const mn_episode *script, size_t t)
{
    for (size_t i = 0; i < script->n_rewards; i++)
        if (script->rewards[i].t == t) return script->rewards[i].value;
    return -1;
}

static mn_status reward(play *p, mn_hand *hand, mn_slot *slot, size_t context, const mn_chat_event *event, mn_err *err)
{
    mn_episode *episode = &p->job->episodes[slot->index];
    const char *text = slot->chat.text.data;
    double value;
    mn_turn turn = {.text = text + event->line,
                    .len = event->len,
                    .context = text,
                    .context_len = context,
                    .role = hand->setup->rules.role[MN_OTHER],
                    .number = slot->chat.turns[MN_OTHER],
                    .episode = episode->number};
    if (hand->scorer)
        MN_TRY(mn_scorer_score(hand->scorer, &value, &turn, err));
    else
        value = scripted_reward(&p->job->script[slot->index], slot->chat.sampled - 1);
    return mn_episode_reward(episode, slot->chat.sampled - 1, value, turn.text, turn.len, err);
}

/* Whether some model could not take what the next token and a turn's end append. A line is never longer in symbols than in bytes. */
static bool out_of_room(const mn_hand *hand, const mn_slot *slot)
{
    size_t speaking = mn_setup_lane(hand->setup, slot->chat.speaker);
    for (size_t l = 0; l < hand->lanes; l++) {
        const mn_lane *lane = &slot->lanes[l];
        size_t untold = l == speaking ? 0 : slot->chat.text.len - slot->turn_from;
        if (mn_session_length(lane->session) + (lane->n - lane->at) + untold + hand->setup->room > hand->setup->positions)
            return true;
    }
    return false;
}

/* One token by whoever's turn it is. */
static mn_status act(play *p, mn_hand *hand, mn_slot *slot, mn_err *err)
{
    const mn_setup *setup = hand->setup;
    mn_episode *episode = &p->job->episodes[slot->index];
    int speaker = slot->chat.speaker;
    size_t lane = mn_setup_lane(setup, speaker), len, context = slot->chat.turn_at;
    const mn_model *model = lane ? setup->speaker : setup->base;
    mn_sampled token;
    mn_chat_event event;
    decision d = {0};
    if (script_ends(p, slot, mn_model_alphabet(model))) return end_episode(p, hand, slot, err);
    MN_TRY(mn_session_predict(slot->lanes[lane].session, hand->lp, err));
    MN_TRY(mn_cells_select(hand->ids, hand->lp_cells, hand->lp, mn_model_alphabet(model), setup->M[lane], setup->ends[lane],
                           setup->n_ends[lane], err));
    if (speaker == MN_AGENT && p->job->heads)
        MN_TRY(decide(p, hand, slot, &d, err));
    else
        memcpy(hand->lp_policy, hand->lp_cells, (setup->M[lane] + 1) * sizeof *hand->lp_policy);
    choose(p, hand, slot, lane, &token);
    if (speaker == MN_AGENT && p->job->decisions)
        MN_TRY(remember(&p->job->decisions[slot->index], hand, slot, &d, token.cell, err));
    charge(slot, d.nats);
    const char *piece = mn_model_piece(model, token.id, &len);
    MN_TRY(mn_episode_token(episode, speaker, token.id, piece, len, token.lp_policy, token.lp_base, d.nats, 0, err));
    if (mn_chat_token(&slot->chat, &event, &setup->rules, piece, len, mn_model_ends_generation(model, token.id)) != MN_OK)
        return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    if (event.ended && speaker == MN_OTHER) MN_TRY(reward(p, hand, slot, context, &event, err));
    if (!slot->chat.over) MN_TRY(tell(hand, slot, lane, token.id, &event, err));
    if (slot->chat.over || out_of_room(hand, slot)) return end_episode(p, hand, slot, err);
    return MN_OK;
}

/* ---- the loop of one thread -------------------------------------------------------------------------------- */

static mn_status refill(play *p, mn_hand *hand, size_t *busy, mn_err *err)
{
    *busy = 0;
    for (size_t i = 0; i < hand->n_slots; i++) {
        mn_slot *slot = &hand->slots[i];
        if (!slot->busy) {
            size_t index = atomic_fetch_add(&p->next, 1);
            if (index >= p->job->n) continue;
            MN_TRY(begin_episode(p, hand, slot, index, err));
        }
        ++*busy;
    }
    return MN_OK;
}

/* One symbol of every queue, then one decode for all. */
static mn_status advance(mn_hand *hand, size_t l, mn_err *err)
{
    size_t n = 0;
    for (size_t i = 0; i < hand->n_slots; i++) {
        mn_slot *slot = &hand->slots[i];
        mn_lane *lane = &slot->lanes[l];
        if (!slot->busy) continue;
        if (lane->at < lane->n) {
            const int32_t *id = &lane->queue[lane->at++];
            MN_TRY(hand->setup->learns ? mn_session_learn(lane->session, id, 1, err)
                                       : mn_session_append(lane->session, id, 1, err));
        }
        hand->batch[n++] = lane->session;
    }
    hand->decoded += n;
    return n ? mn_advance(hand->batch, n, err) : MN_OK;
}

/* One symbol more for every slot. *busy: how many are still playing. */
static mn_status play_round(play *p, mn_hand *hand, size_t *busy, mn_err *err)
{
    MN_TRY(refill(p, hand, busy, err));
    if (p->job->stop && p->job->stop(p->job->stop_arg)) return mn_fail(err, MN_ERR_INTERRUPTED, "interrupted");
    for (size_t l = 0; l < hand->lanes; l++) MN_TRY(advance(hand, l, err));
    for (size_t i = 0; i < hand->n_slots; i++) {
        mn_slot *slot = &hand->slots[i];
        if (!slot->busy) continue;
        const mn_lane *lane = &slot->lanes[mn_setup_lane(hand->setup, slot->chat.speaker)];
        if (lane->at == lane->n) MN_TRY(act(p, hand, slot, err));
    }
    return MN_OK;
}

static mn_status play_hand(void *arg, size_t task, size_t thread, mn_err *err)
{
    play *p = arg;
    size_t busy = 1;
    (void)thread;
    while (busy && !atomic_load(&p->failed)) {
        mn_status status = play_round(p, &p->crew->hands[task], &busy, err);
        if (status == MN_OK) continue;
        atomic_store(&p->failed, true);
        return status;
    }
    return MN_OK;
}

/* After a failure episodes are left half played: their sessions go. */
static void clear_slots(mn_crew *crew)
{
    for (size_t h = 0; h < crew->threads; h++)
        for (size_t i = 0; i < crew->hands[h].n_slots; i++) {
            mn_slot *slot = &crew->hands[h].slots[i];
            for (size_t l = 0; l < 2; l++) {
                mn_session_free(slot->lanes[l].session);
                slot->lanes[l].session = NULL;
            }
            slot->busy = false;
        }
}

mn_status mn_rollout_play(mn_crew *crew, const mn_rollout *job, mn_err *err)
{
    play p = {.job = job, .crew = crew};
    for (size_t i = 0; i < crew->threads; i++) crew->hands[i].decoded = 0;
    mn_status status = mn_parallel(crew->threads, crew->threads, play_hand, &p, err);
    if (status != MN_OK) clear_slots(crew);
    return status;
}
