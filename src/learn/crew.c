#include "learn/crew.h"

#include <string.h>

mn_status mn_lane_push(mn_lane *lane, int32_t id, mn_err *err)
{
    if (lane->at == lane->n) lane->at = lane->n = 0;
    if (lane->n == lane->cap) {
        size_t cap = lane->cap ? 2 * lane->cap : 64;
        int32_t *queue = reallocarray(lane->queue, cap, sizeof *queue);
        if (!queue) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
        lane->queue = queue;
        lane->cap = cap;
    }
    lane->queue[lane->n++] = id;
    return MN_OK;
}

static mn_status feed(mn_lane *lane, const mn_model *model, const char *text, size_t len, bool opening, mn_err *err)
{
    int32_t few[256], *ids = few;
    size_t n;
    mn_status status = mn_model_tokenize(model, ids, 256, &n, text, len, opening, err);
    if (status == MN_OK && n > 256) {
        MN_ALLOC_OR_FAIL(ids, n, err);
        status = mn_model_tokenize(model, ids, n, &n, text, len, opening, err);
    }
    for (size_t i = 0; status == MN_OK && i < n; i++) status = mn_lane_push(lane, ids[i], err);
    if (ids != few) free(ids);
    return status;
}

mn_status mn_lane_feed(mn_lane *lane, const mn_model *model, const char *text, size_t len, mn_err *err)
{
    return feed(lane, model, text, len, false, err);
}

mn_status mn_lane_open(mn_lane *lane, const mn_setup *setup, const mn_model *model, const mn_opening *opening, mn_err *err)
{
    const mn_buf *label = &setup->rules.label[opening->speaker];
    MN_TRY(mn_lane_feed(lane, model, opening->text, opening->len, err));
    return mn_lane_feed(lane, model, label->data, label->len, err);
}

/* The prompt, computed once; every episode is a fork of it. Where all episodes open alike the root holds the whole opening but
 * its last symbol, whose result each episode needs for itself. */
static mn_status open_root(mn_root *root, const mn_setup *setup, mn_worker *worker, const mn_model *model, mn_err *err)
{
    const char *prompt = setup->prompt;
    mn_lane all = {0};
    MN_TRY(mn_session_begin(&root->session, worker, err));
    mn_status status = feed(&all, model, prompt, strlen(prompt), true, err);
    root->whole = setup->openings.n == 1;
    if (status == MN_OK && root->whole) status = mn_lane_open(&all, setup, model, &setup->openings.items[0], err);
    root->whole = root->whole && all.n;
    if (status == MN_OK && root->whole) root->last = all.queue[--all.n];
    if (status == MN_OK) status = mn_session_append(root->session, all.queue, all.n, err);
    if (status == MN_OK) status = mn_advance(&root->session, 1, err);
    free(all.queue);
    return status;
}

static mn_status open_buffers(mn_hand *hand, mn_err *err)
{
    const mn_setup *setup = hand->setup;
    size_t A = mn_model_alphabet(setup->base), other = mn_model_alphabet(setup->speaker);
    size_t M = setup->M[0] > setup->M[1] ? setup->M[0] : setup->M[1];
    if (other > A) A = other;
    MN_ALLOC_OR_FAIL(hand->slots, hand->n_slots, err);
    MN_ALLOC_OR_FAIL(hand->batch, hand->n_slots, err);
    MN_ALLOC_OR_FAIL(hand->lp, A, err);
    MN_ALLOC_OR_FAIL(hand->raw, mn_model_features(setup->base), err);
    MN_ALLOC_OR_FAIL(hand->x, mn_features_width(&setup->features), err);
    MN_ALLOC_OR_FAIL(hand->actor, setup->E + 2, err);
    MN_ALLOC_OR_FAIL(hand->ids, M, err);
    MN_ALLOC_OR_FAIL(hand->lp_cells, M + 1, err);
    MN_ALLOC_OR_FAIL(hand->scores, M + 1, err);
    MN_ALLOC_OR_FAIL(hand->lp_policy, M + 1, err);
    return MN_OK;
}

static mn_status open_hand(mn_hand *hand, const mn_setup *setup, size_t slots, bool scores, mn_err *err)
{
    mn_model *models[2] = {setup->base, setup->speaker};
    *hand = (mn_hand){.setup = setup, .lanes = setup->speaker == setup->base ? 1 : 2, .n_slots = slots};
    MN_TRY(open_buffers(hand, err));
    for (size_t i = 0; i < hand->lanes; i++) {
        MN_TRY(mn_worker_new(&hand->workers[i], models[i], slots + 1, setup->positions, err));
        MN_TRY(open_root(&hand->roots[i], setup, hand->workers[i], models[i], err));
    }
    return scores ? mn_scorer_new(&hand->scorer, setup->reward, err) : MN_OK;
}

static void close_hand(mn_hand *hand)
{
    for (size_t i = 0; hand->slots && i < hand->n_slots; i++) {
        mn_chat_free(&hand->slots[i].chat);
        for (size_t l = 0; l < 2; l++) {
            mn_session_free(hand->slots[i].lanes[l].session);
            free(hand->slots[i].lanes[l].queue);
        }
    }
    for (size_t i = 0; i < 2; i++) {
        mn_session_free(hand->roots[i].session);
        mn_worker_free(hand->workers[i]);
    }
    mn_scorer_free(hand->scorer);
    free(hand->slots);
    free(hand->batch);
    free(hand->lp);
    free(hand->raw);
    free(hand->x);
    free(hand->actor);
    free(hand->ids);
    free(hand->lp_cells);
    free(hand->scores);
    free(hand->lp_policy);
}

mn_status mn_crew_new(mn_crew **out, const mn_setup *setup, size_t threads, size_t episodes, bool scores, mn_err *err)
{
    mn_crew *crew;
    if (threads > episodes) threads = episodes;
    if (threads < 1) threads = 1;
    size_t slots = (episodes + threads - 1) / threads;
    if (slots > MN_MAX_SLOTS) slots = MN_MAX_SLOTS;
    MN_ALLOC_OR_FAIL(crew, 1, err);
    crew->setup = setup;
    crew->hands = mn_alloc(threads, sizeof *crew->hands);
    mn_status status = crew->hands ? MN_OK : mn_fail(err, MN_ERR_MEMORY, "out of memory");
    while (status == MN_OK && crew->threads < threads)
        status = open_hand(&crew->hands[crew->threads++], setup, slots, scores, err);
    if (status != MN_OK) return mn_crew_free(crew), status;
    *out = crew;
    return MN_OK;
}

void mn_crew_free(mn_crew *crew)
{
    if (!crew) return;
    for (size_t i = 0; i < crew->threads; i++) close_hand(&crew->hands[i]);
    free(crew->hands);
    free(crew);
}

size_t mn_crew_decoded(const mn_crew *crew)
{
    size_t sum = 0;
    for (size_t i = 0; i < crew->threads; i++) sum += crew->hands[i].decoded;
    return sum;
}
