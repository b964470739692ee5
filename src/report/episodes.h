/* One line of episodes.jsonl: an episode as JSON and back.
 * Keys in this order: episode step seed opening budget_nats spent_nats return help, then the columns of equal length
 * speaker token text lp_policy lp_base nats help_mass, then rewards: [{"t", "text", "value"}]. Speakers are role names. */
#ifndef MN_EPISODES_H
#define MN_EPISODES_H

#include "learn/episode.h"

/* Appends the line and its newline; roles: [2] the agent's name and the world's, different. Doubles come back to the same bits
 * (a -0 as 0); bytes that are not UTF-8 become U+FFFD. MN_ERR_NUM on NaN, and on counts beyond 2^63 - 1; MN_ERR_MEMORY; the
 * buffer is then as it was. O(T). */
MN_CHECKED mn_status mn_episode_write(mn_buf *buf, const mn_episode *episode, const char *const roles[2]);
/* Reads a line [len] into an episode (its memory is used again). Strict: every key once and no others, columns of equal length,
 * only the two role names, rewards in the order of their tokens. MN_ERR_INPUT names file, line and what was expected; the
 * episode is then fit only for another read or free. */
MN_CHECKED mn_status mn_episode_read(mn_episode *episode, const char *line, size_t len, const char *const roles[2],
                                     const char *file, size_t number, mn_err *err);

#endif
