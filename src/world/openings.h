/* How episodes open: with a fixed prompt, or with that and the first turns of a conversation out of a transcripts file. */
#ifndef MN_OPENINGS_H
#define MN_OPENINGS_H

#include "world/chat.h"

typedef struct mn_opening {
    char *text; /* "\n\nTeacher: ...\n\nStudent: ...": what follows the prompt; empty for the prompt alone */
    size_t len;
    int speaker; /* who speaks next */
    size_t line; /* of the transcripts file, from 1; 0: the prompt alone */
} mn_opening;

typedef struct mn_openings {
    mn_opening *items; /* [n], n >= 1 */
    size_t n;
} mn_openings;

/* path "": one opening, the prompt alone, in which `first` speaks. Else the first `turns` turns (role, text) of each conversation
 * of a JSON lines file {"turns": [{"role": , "text": }, ...]}; roles are the rules' names, whoever spoke last does not speak next.
 * Line ends in a text become spaces. Conversations of at most `turns` turns are left out. Errors with file and line. */
MN_CHECKED mn_status mn_openings_load(mn_openings *out, const mn_chat_rules *rules, const char *path, size_t turns, int first,
                                      mn_err *err);
void mn_openings_free(mn_openings *openings);

#endif
