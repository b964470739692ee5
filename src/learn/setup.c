#include "learn/setup.h"

#include <math.h>
#include <string.h>

#include "base/file.h"

enum { PIECE_ROOM = 64 }; /* symbols that the rest of a piece before a newline may take */
#define DEFAULT_MODEL "models/SmolLM2-135M-Instruct.Q4_1.gguf"

static mn_status open_model(mn_model **out, int type, const char *path, const char *weights, double temperature, mn_err *err)
{
    char standard[4096];
    if (!*path) {
        MN_TRY(mn_cache_path(standard, sizeof standard, DEFAULT_MODEL, err));
        if (!mn_file_exists(standard))
            return mn_fail_at(err, MN_ERR_IO, standard, 0, 0,
                              "the default model is not there: ./run build fetches it, or set model.path");
        path = standard;
    }
    if (type == MN_MODEL_TABLE) return mn_table_open(out, path, err);
    mn_lm_opts opts = {.path = path, .weights = strcmp(weights, "auto") == 0 ? NULL : weights, .temperature = temperature};
    return mn_lm_open(out, &opts, err);
}

/* What the base policy is learnt from: the plan's settings and its demonstrations. */
static mn_status hash_plan(mn_setup *setup, mn_err *err)
{
    const mn_demonstrations *d = &setup->planned.demonstrations;
    mn_buf buf = {0};
    size_t n = d->n ? d->ends[d->n - 1] : 0;
    mn_status status = mn_config_json(&buf, &setup->plan, mn_plan_settings_keys, mn_plan_settings_n);
    if (status == MN_OK) status = mn_buf_put(&buf, (const char *)d->ids, n * sizeof *d->ids);
    if (status == MN_OK) status = mn_buf_put(&buf, (const char *)d->ends, d->n * sizeof *d->ends);
    if (status == MN_OK) mn_sha256(setup->plan_sha256, buf.data, buf.len);
    mn_buf_free(&buf);
    return status == MN_OK ? MN_OK : mn_fail(err, status, "out of memory");
}

/* The models of a plan, and its conversation: moves in place of text. */
static mn_status open_plan(mn_setup *setup, mn_err *err)
{
    const mn_settings *s = setup->settings;
    mn_plan_settings *plan = &setup->plan;
    MN_TRY(mn_plan_settings_load(plan, s->world.plan, NULL, 0, err));
    setup->plan_open = true;
    if (s->world.exchanges) plan->turns = s->world.exchanges;
    MN_TRY(mn_plan_models_open(&setup->planned, plan, err));
    if (setup->planned.pessimist)
        return mn_fail_at(err, MN_ERR_INPUT, s->world.plan, 0, 0,
                          "its base policy asks for help, which training cannot: expected a plan without alpha");
    setup->base = setup->planned.base;
    setup->speaker = setup->planned.world.table;
    setup->learns = plan->switching && plan->learn_from == MN_LEARN_ALL;
    MN_TRY(hash_plan(setup, err));
    const char *const *roles = (const char *const *)setup->planned.world.roles;
    return mn_chat_rules_moves(&setup->rules, roles[MN_AGENT], roles[MN_OTHER], (size_t)plan->turns, err);
}

static mn_status open_models(mn_setup *setup, mn_err *err)
{
    const mn_settings *s = setup->settings;
    MN_TRY(open_model(&setup->base, s->model.type, s->model.path, s->model.weights, s->model.temperature, err));
    setup->speaker = setup->base;
    if (*s->speaker.path)
        MN_TRY(open_model(&setup->speaker, s->speaker.type, s->speaker.path, s->speaker.weights, s->speaker.temperature, err));
    if (s->reward.type != MN_REWARD_JUDGE) return MN_OK;
    setup->judge = setup->base;
    return *s->reward.judge_path ? open_model(&setup->judge, MN_MODEL_LM, s->reward.judge_path, s->reward.judge_weights, 1, err)
                                 : MN_OK;
}

static mn_status open_reward(mn_setup *setup, mn_err *err)
{
    const mn_settings *s = setup->settings;
    bool own_lexicon = *s->reward.lexicon;
    mn_reward_opts opts = {
        .kind = setup->plan_open ? MN_REWARD_MOVES : (mn_reward_kind)s->reward.type,
        .classroom = &setup->planned.world,
        .lexicon = own_lexicon ? s->reward.lexicon : NULL,
        .emoji = own_lexicon || *s->reward.emoji ? s->reward.emoji : NULL,
        .judge = setup->judge,
        .question = s->reward.judge_question,
        .yes = s->reward.judge_yes,
        .no = s->reward.judge_no,
        .scale = s->reward.judge_scale,
        .command = s->reward.command,
        .timeout_s = s->reward.timeout_s,
    };
    return mn_reward_open(&setup->reward, &opts, err);
}

/* Symbols whose text has a newline, or that end generation. */
static mn_status find_ends(mn_setup *setup, size_t lane, const mn_model *model, mn_err *err)
{
    size_t A = mn_model_alphabet(model), n = 0, len, M = (size_t)setup->settings->ppo.cells;
    MN_ALLOC_OR_FAIL(setup->ends[lane], A, err);
    for (size_t a = 0; a < A; a++) {
        const char *piece = mn_model_piece(model, (int32_t)a, &len);
        if (mn_model_ends_generation(model, (int32_t)a) || memchr(piece, '\n', len)) setup->ends[lane][n++] = (int32_t)a;
    }
    setup->n_ends[lane] = n;
    setup->M[lane] = M < A - n ? M + n : A;
    return MN_OK;
}

static mn_status open_embeddings(mn_setup *setup, mn_err *err)
{
    size_t A = mn_model_alphabet(setup->base), n = mn_model_embedding_width(setup->base),
           E = (size_t)setup->settings->ppo.embedding, size;
    float *raw;
    setup->E = A;
    if (!E)
        return A > 4096 ? mn_fail(err, MN_ERR_INPUT,
                                  "ppo.embedding is 0, a score a symbol: the base has %zu symbols, at most 4096 can do", A)
                        : MN_OK;
    if (!n)
        return A > 4096 ? mn_fail(err, MN_ERR_INPUT,
                                  "the base has no token embeddings, and too many symbols (%zu) for a score each", A)
                        : MN_OK;
    if (!mn_mul_size(&size, A, n)) return mn_fail(err, MN_ERR_LIMIT, "embeddings of %zu symbols", A);
    MN_ALLOC_OR_FAIL(raw, size, err);
    mn_status status = mn_model_embeddings(setup->base, raw, err);
    setup->E = E < n ? E : n;
    if (status == MN_OK)
        status = mn_embeddings_project(&setup->embeddings, raw, A, n, setup->E, (uint64_t)setup->settings->seed, err);
    free(raw);
    return status;
}

/* The longest opening in symbols of one model, prompt and first label included; and the longest label. */
static mn_status measure(const mn_setup *setup, const mn_model *model, size_t *opening, size_t *label, mn_err *err)
{
    size_t prompt, n;
    const char *text = setup->prompt;
    MN_TRY(mn_model_tokenize(model, NULL, 0, &prompt, text, strlen(text), true, err));
    *opening = *label = 0;
    for (int i = 0; i < 2; i++) {
        MN_TRY(mn_model_tokenize(model, NULL, 0, &n, setup->rules.label[i].data, setup->rules.label[i].len, false, err));
        if (n > *label) *label = n;
    }
    for (size_t i = 0; i < setup->openings.n; i++) {
        const mn_opening *o = &setup->openings.items[i];
        MN_TRY(mn_model_tokenize(model, NULL, 0, &n, o->text, o->len, false, err));
        if (n > *opening) *opening = n;
    }
    *opening += prompt + *label;
    return MN_OK;
}

static mn_status choose_positions(mn_setup *setup, mn_err *err)
{
    const mn_settings *s = setup->settings;
    mn_model *models[2] = {setup->base, setup->speaker};
    for (size_t i = 0; i < 2; i++) {
        size_t opening, label, T = setup->rules.tokens, limit = mn_model_longest(models[i]);
        MN_TRY(measure(setup, models[i], &opening, &label, err));
        size_t room = label + PIECE_ROOM, want = s->world.positions ? (size_t)s->world.positions : opening + T * 5 / 2 + room;
        if (want > limit) want = limit;
        if (want < opening + room + 1)
            return mn_fail(err, MN_ERR_LIMIT, "the longest opening takes %zu symbols, and a turn's end %zu, but %s holds %zu",
                           opening, room, s->world.positions && want < limit ? "world.positions" : "the model", want);
        if (i == 0 || want < setup->positions) setup->positions = want;
        if (room > setup->room) setup->room = room;
    }
    return MN_OK;
}

/* In a world of moves there is one: nothing. */
static mn_status open_openings(mn_setup *setup, mn_err *err)
{
    const mn_settings *s = setup->settings;
    if (setup->plan_open) return mn_openings_load(&setup->openings, &setup->rules, "", 1, MN_AGENT, err);
    return mn_openings_load(&setup->openings, &setup->rules, s->world.transcripts, (size_t)s->world.opening_turns, s->world.first,
                            err);
}

static mn_status open_conversation(mn_setup *setup, mn_err *err)
{
    const mn_settings *s = setup->settings;
    MN_TRY(mn_chat_rules_new(&setup->rules, s->world.agent, s->world.other, (size_t)s->world.tokens, (size_t)s->world.exchanges,
                             err));
    return open_models(setup, err);
}

mn_status mn_setup_open(mn_setup *setup, const mn_settings *s, mn_err *err)
{
    *setup = (mn_setup){.settings = s, .prompt = *s->world.plan ? "" : s->world.prompt};
    MN_TRY(mn_settings_check(s, err));
    MN_TRY(*s->world.plan ? open_plan(setup, err) : open_conversation(setup, err));
    MN_TRY(open_openings(setup, err));
    MN_TRY(open_reward(setup, err));
    MN_TRY(find_ends(setup, 0, setup->base, err));
    MN_TRY(find_ends(setup, 1, setup->speaker, err));
    MN_TRY(choose_positions(setup, err));
    if (!mn_model_features(setup->base))
        return mn_fail(err, MN_ERR_INPUT, "a %s gives no features to learn from", mn_model_name(setup->base));
    MN_TRY(mn_features_new(&setup->features, mn_model_features(setup->base), (size_t)s->ppo.features, (uint64_t)s->seed, err));
    return open_embeddings(setup, err);
}

void mn_setup_free(mn_setup *setup)
{
    mn_reward_free(setup->reward);
    if (setup->judge != setup->base) mn_model_free(setup->judge);
    if (!setup->plan_open && setup->speaker != setup->base) mn_model_free(setup->speaker);
    if (!setup->plan_open) mn_model_free(setup->base);
    if (setup->plan_open) {
        mn_plan_models_free(&setup->planned);
        mn_config_free(&setup->plan, mn_plan_settings_keys, mn_plan_settings_n);
    }
    mn_chat_rules_free(&setup->rules);
    mn_openings_free(&setup->openings);
    mn_features_free(&setup->features);
    free(setup->embeddings);
    free(setup->ends[0]);
    free(setup->ends[1]);
    *setup = (mn_setup){0};
}

size_t mn_setup_lane(const mn_setup *setup, int role)
{
    return role == MN_AGENT || setup->speaker == setup->base ? 0 : 1;
}

const mn_opening *mn_setup_opening(const mn_setup *setup, uint64_t episode)
{
    mn_rng rng = mn_rng_split((uint64_t)setup->settings->seed, episode, MN_STREAM_OPENING);
    return &setup->openings.items[mn_rng_below(&rng, setup->openings.n)];
}
