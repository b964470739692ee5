/* A conversation between two roles, as text. The world writes the labels ("\n\nTeacher:"); speakers only their lines. A turn
 * ends at the first newline in its text, or where its speaker ends generation. Knows nothing of models and token ids. */
#ifndef MN_CHAT_H
#define MN_CHAT_H

#include "base/buf.h"

enum { MN_AGENT = 0, MN_OTHER = 1 };

typedef struct mn_chat_rules {
    char *role[2];         /* names, MN_AGENT and MN_OTHER: "teacher", "student" */
    mn_buf label[2];       /* "\n\nTeacher:" */
    size_t tokens;         /* T: an episode ends after so many sampled tokens */
    size_t exchanges;      /* or after so many turns of each role; 0: no such end */
    bool moves;            /* every token is a turn, a move by its name; there are no labels */
} mn_chat_rules;

/* Copies the names; labels are the names with a capital. MN_ERR_INPUT on an empty name, a newline in it, or two equal ones. */
MN_CHECKED mn_status mn_chat_rules_new(mn_chat_rules *rules, const char *agent, const char *other, size_t tokens,
                                       size_t exchanges, mn_err *err);
/* The rules of a world of moves: `exchanges` of them, the agent's first. */
MN_CHECKED mn_status mn_chat_rules_moves(mn_chat_rules *rules, const char *agent, const char *other, size_t exchanges, mn_err *err);
void mn_chat_rules_free(mn_chat_rules *rules);

/* One conversation. Start from {0}. */
typedef struct mn_chat {
    mn_buf text;      /* all of it: prompt, labels, lines */
    size_t turn_at;   /* where the present turn's text begins in it */
    int speaker;      /* MN_AGENT or MN_OTHER: whose turn it is */
    size_t sampled;   /* tokens so far */
    size_t in_turn;   /* tokens of the present turn */
    size_t turns[2];  /* finished turns of each role */
    bool over;
} mn_chat;

/* What a token did. */
typedef struct mn_chat_event {
    bool ended;            /* it ended a turn: */
    int speaker;           /*   of this role, */
    size_t line, len;      /*   whose text, without spaces around it, is text.data[line .. line+len) */
    size_t tail, tail_len; /*   and text.data[tail .. tail+tail_len) follows in place of the token: what it held before the newline,
                            *   and the next label (nothing when the conversation is over) */
} mn_chat_event;

void mn_chat_free(mn_chat *chat);
/* A new conversation after `opening` (a prompt and finished turns, no label at its end), in which `speaker` begins. */
MN_CHECKED mn_status mn_chat_begin(mn_chat *chat, const mn_chat_rules *rules, const char *opening, size_t len, int speaker);
/* The speaker's next token, as the bytes of its piece. O(len) amortised. MN_ERR_MEMORY only. */
MN_CHECKED mn_status mn_chat_token(mn_chat *chat, mn_chat_event *event, const mn_chat_rules *rules, const char *piece, size_t len,
                                   bool ends_generation);

#endif
