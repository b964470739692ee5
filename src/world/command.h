/* Reward by a program: it runs as long as the scorer, and answers one line of JSON with one line of JSON.
 *   to its stdin    {"text": "...", "context": "...", "role": "student", "turn": 1, "episode": 12}
 *   from its stdout {"reward": 0.75}
 * It must not buffer its answers. What it writes to stderr is kept for the error message. */
#ifndef MN_COMMAND_H
#define MN_COMMAND_H

#include "world/reward.h"

/* Longest answer in bytes. */
#define MN_COMMAND_LONGEST 65536

typedef struct mn_command mn_command;

/* Starts the program by /bin/sh -c, in a process group of its own. timeout_s: for each answer; the first includes its start.
 * MN_ERR_IO, MN_ERR_MEMORY. */
MN_CHECKED mn_status mn_command_new(mn_command **out, const char *command, double timeout_s, mn_err *err);
/* Kills what is left of the process group and reaps the program. */
void mn_command_free(mn_command *command);

/* Asks for the reward of a turn. Any failure also ends the program as free does; asking again then is MN_ERR_IO.
 *   MN_ERR_IO     it died, or closed its output: with exit status or signal and the last line of its stderr
 *   MN_ERR_LIMIT  no answer in time
 *   MN_ERR_INPUT  an answer that is not one line {"reward": x} with x in [0,1], or before it had its question
 * No signal reaches the caller: a write to a dead program is an error like others. */
MN_CHECKED mn_status mn_command_ask(mn_command *command, double *value, const mn_turn *turn, mn_err *err);

#endif
