#include "learn/episode.h"

#include <assert.h>
#include <string.h>

/* Makes room in one column; the others stay as they are, so a failure between two columns loses nothing. */
static bool widen(void *column, size_t n, size_t size)
{
    void *data;
    memcpy(&data, column, sizeof data);
    data = reallocarray(data, n, size);
    if (data) memcpy(column, &data, sizeof data);
    return data != NULL;
}

static mn_status grow(mn_episode *e, mn_err *err)
{
    size_t cap;
    if (!mn_mul_size(&cap, e->cap ? e->cap : 32, 2)) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    bool ok = widen(&e->speaker, cap, sizeof *e->speaker) && widen(&e->token, cap, sizeof *e->token) &&
              widen(&e->lp_policy, cap, sizeof *e->lp_policy) && widen(&e->lp_base, cap, sizeof *e->lp_base) &&
              widen(&e->nats, cap, sizeof *e->nats) && widen(&e->help_mass, cap, sizeof *e->help_mass) &&
              widen(&e->at, cap + 1, sizeof *e->at);
    if (!ok) return mn_fail(err, MN_ERR_MEMORY, "out of memory (an episode of %zu tokens)", cap);
    e->cap = cap;
    return MN_OK;
}

static void drop_rewards(mn_episode *e)
{
    for (size_t i = 0; i < e->n_rewards; i++) free(e->rewards[i].text);
    e->n_rewards = 0;
}

/* JSON's readers stop at a NUL, or refuse it. FF is not UTF-8 either: both are written as U+FFFD. */
static void replace_nuls(char *text, size_t len)
{
    for (char *nul; (nul = memchr(text, '\0', len));) *nul = '\xFF';
}

mn_status mn_episode_begin(mn_episode *e, uint64_t number, size_t step, uint64_t seed, int64_t opening, double budget_nats,
                           mn_err *err)
{
    if (!e->cap) MN_TRY(grow(e, err));
    drop_rewards(e);
    mn_buf_clear(&e->text);
    e->number = number;
    e->step = step;
    e->seed = seed;
    e->opening = opening;
    e->budget_nats = budget_nats;
    e->spent_nats = e->value = e->help = 0;
    e->T = 0;
    e->at[0] = 0;
    return MN_OK;
}

mn_status mn_episode_token(mn_episode *e, int speaker, int32_t token, const char *piece, size_t len, double lp_policy,
                           double lp_base, double nats, double help_mass, mn_err *err)
{
    size_t t = e->T, from = e->text.len;
    assert(speaker == 0 || speaker == 1);
    if (t == e->cap) MN_TRY(grow(e, err));
    if (mn_buf_put(&e->text, piece, len) != MN_OK) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    replace_nuls(e->text.data + from, len);
    e->speaker[t] = (uint8_t)speaker;
    e->token[t] = token;
    e->lp_policy[t] = lp_policy;
    e->lp_base[t] = lp_base;
    e->nats[t] = nats;
    e->help_mass[t] = help_mass;
    e->T = t + 1;
    e->at[e->T] = e->text.len;
    return MN_OK;
}

mn_status mn_episode_reward(mn_episode *e, size_t t, double value, const char *text, size_t len, mn_err *err)
{
    if (e->n_rewards == e->rewards_cap) {
        size_t cap = e->rewards_cap ? 2 * e->rewards_cap : 8;
        if (!widen(&e->rewards, cap, sizeof *e->rewards)) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
        e->rewards_cap = cap;
    }
    char *copy = mn_alloc(len + 1, 1);
    if (!copy) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    if (len) memcpy(copy, text, len);
    replace_nuls(copy, len);
    e->rewards[e->n_rewards++] = (mn_reward_mark){t, value, copy, len};
    return MN_OK;
}

void mn_episode_free(mn_episode *e)
{
    drop_rewards(e);
    free(e->speaker);
    free(e->token);
    free(e->lp_policy);
    free(e->lp_base);
    free(e->nats);
    free(e->help_mass);
    free(e->at);
    free(e->rewards);
    mn_buf_free(&e->text);
    *e = (mn_episode){0};
}
