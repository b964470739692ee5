#include "world/reward.h"

#include <string.h>

#include "base/file.h"
#include "world/command.h"
#include "world/judge.h"
#include "world/lexicon.h"

struct mn_reward {
    mn_reward_opts opts;
    mn_lexicon *lexicon;
    mn_judge judge;
};

struct mn_scorer {
    const mn_reward *reward;
    mn_lexicon_scratch scratch;
    mn_seat seat;
    mn_command *command;
};

/* ---- what is shared ---- */

static mn_status open_lexicon(mn_reward *reward, mn_err *err)
{
    char words[4096], emoji[4096];
    const char *own = reward->opts.lexicon, *own_emoji = reward->opts.emoji;
    if (!own) MN_TRY(mn_cache_path(words, sizeof words, "lexicon/vader_lexicon.txt", err));
    if (!own_emoji) MN_TRY(mn_cache_path(emoji, sizeof emoji, "lexicon/emoji_utf8_lexicon.txt", err));
    if (!own && !mn_file_exists(words))
        return mn_fail_at(err, MN_ERR_IO, words, 0, 0,
                          "VADER's lexicon is not there: ./run build fetches it, or set reward.lexicon");
    return mn_lexicon_open(&reward->lexicon, own ? own : words, own_emoji ? own_emoji : emoji, err);
}

static mn_status open_kind(mn_reward *reward, mn_err *err)
{
    const mn_reward_opts *o = &reward->opts;
    switch (o->kind) {
    case MN_REWARD_LEXICON: return open_lexicon(reward, err);
    case MN_REWARD_JUDGE:
        if (!(o->scale > 0)) return mn_fail(err, MN_ERR_INPUT, "the judge's scale is %g: expected a positive number", o->scale);
        return mn_judge_open(&reward->judge, o->judge, o->question, o->yes, o->no, o->scale, err);
    case MN_REWARD_MOVES: return MN_OK;
    case MN_REWARD_COMMAND:
        if (!o->command || !*o->command) return mn_fail(err, MN_ERR_INPUT, "reward by a command: expected a command");
        if (!(o->timeout_s > 0))
            return mn_fail(err, MN_ERR_INPUT, "the command's time limit is %g s: expected a positive number", o->timeout_s);
        return MN_OK;
    }
    return mn_fail(err, MN_ERR_USAGE, "no such kind of reward: %d", (int)o->kind);
}

mn_status mn_reward_open(mn_reward **out, const mn_reward_opts *opts, mn_err *err)
{
    mn_reward *reward;
    MN_ALLOC_OR_FAIL(reward, 1, err);
    reward->opts = *opts;
    mn_status status = open_kind(reward, err);
    if (status == MN_OK) return *out = reward, MN_OK;
    mn_reward_free(reward);
    return status;
}

void mn_reward_free(mn_reward *reward)
{
    if (!reward) return;
    mn_lexicon_free(reward->lexicon);
    mn_judge_close(&reward->judge);
    free(reward);
}

/* ---- one thread's place ---- */

mn_status mn_scorer_new(mn_scorer **out, const mn_reward *reward, mn_err *err)
{
    mn_scorer *scorer;
    mn_status status = MN_OK;
    MN_ALLOC_OR_FAIL(scorer, 1, err);
    scorer->reward = reward;
    if (reward->opts.kind == MN_REWARD_JUDGE) status = mn_seat_open(&scorer->seat, &reward->judge, err);
    if (reward->opts.kind == MN_REWARD_COMMAND)
        status = mn_command_new(&scorer->command, reward->opts.command, reward->opts.timeout_s, err);
    if (status == MN_OK) return *out = scorer, MN_OK;
    mn_scorer_free(scorer);
    return status;
}

void mn_scorer_free(mn_scorer *scorer)
{
    if (!scorer) return;
    mn_lexicon_scratch_free(&scorer->scratch);
    mn_seat_close(&scorer->seat);
    mn_command_free(scorer->command);
    free(scorer);
}

static mn_status by_lexicon(mn_scorer *scorer, double *value, const mn_turn *turn, mn_err *err)
{
    mn_sentiment sentiment;
    if (mn_lexicon_score(&sentiment, &scorer->scratch, scorer->reward->lexicon, turn->text, turn->len) != MN_OK)
        return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    return *value = (sentiment.compound + 1) / 2, MN_OK;
}

static mn_status by_move(double *value, const mn_classroom *world, const mn_turn *turn, mn_err *err)
{
    for (size_t i = 0; i < world->O; i++) {
        const char *name = mn_classroom_name(world, world->answers[i]);
        if (strlen(name) == turn->len && memcmp(name, turn->text, turn->len) == 0)
            return *value = world->reward[world->answers[i]], MN_OK;
    }
    return mn_fail(err, MN_ERR_INPUT, "\"%.*s\" is no answer of this world", (int)(turn->len < 60 ? turn->len : 60), turn->text);
}

mn_status mn_scorer_score(mn_scorer *scorer, double *value, const mn_turn *turn, mn_err *err)
{
    switch (scorer->reward->opts.kind) {
    case MN_REWARD_LEXICON: return by_lexicon(scorer, value, turn, err);
    case MN_REWARD_JUDGE: return mn_judge_turn(value, &scorer->seat, &scorer->reward->judge, turn, err);
    case MN_REWARD_COMMAND: return mn_command_ask(scorer->command, value, turn, err);
    case MN_REWARD_MOVES: return by_move(value, scorer->reward->opts.classroom, turn, err);
    }
    return mn_fail(err, MN_ERR_USAGE, "no such kind of reward: %d", (int)scorer->reward->opts.kind);
}
