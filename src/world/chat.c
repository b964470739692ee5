#include "world/chat.h"

#include <ctype.h>
#include <string.h>

static mn_status label_of(mn_buf *label, const char *name)
{
    MN_TRY(mn_buf_printf(label, "\n\n%s:", name));
    label->data[2] = (char)toupper((unsigned char)label->data[2]);
    return MN_OK;
}

mn_status mn_chat_rules_new(mn_chat_rules *rules, const char *agent, const char *other, size_t tokens, size_t exchanges,
                            mn_err *err)
{
    const char *names[2] = {agent, other};
    *rules = (mn_chat_rules){.tokens = tokens, .exchanges = exchanges};
    if (strcmp(agent, other) == 0)
        return mn_fail(err, MN_ERR_INPUT, "both roles are called \"%s\": a conversation has two", agent);
    for (int i = 0; i < 2; i++) {
        if (!*names[i] || strpbrk(names[i], "\r\n:"))
            return mn_fail(err, MN_ERR_INPUT, "a role's name is a word without line ends and colons, not \"%s\"", names[i]);
        if (!(rules->role[i] = strdup(names[i])) || label_of(&rules->label[i], names[i]) != MN_OK)
            return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    }
    return MN_OK;
}

mn_status mn_chat_rules_moves(mn_chat_rules *rules, const char *agent, const char *other, size_t exchanges, mn_err *err)
{
    MN_TRY(mn_chat_rules_new(rules, agent, other, 2 * exchanges, exchanges, err));
    for (int i = 0; i < 2; i++) mn_buf_clear(&rules->label[i]);
    rules->moves = true;
    return MN_OK;
}

void mn_chat_rules_free(mn_chat_rules *rules)
{
    for (int i = 0; i < 2; i++) {
        free(rules->role[i]);
        mn_buf_free(&rules->label[i]);
    }
    *rules = (mn_chat_rules){0};
}

void mn_chat_free(mn_chat *chat)
{
    mn_buf_free(&chat->text);
    *chat = (mn_chat){0};
}

static mn_status turn_begins(mn_chat *chat, const mn_chat_rules *rules, int speaker)
{
    chat->speaker = speaker;
    chat->in_turn = 0;
    MN_TRY(mn_buf_put(&chat->text, rules->label[speaker].data, rules->label[speaker].len));
    chat->turn_at = chat->text.len;
    return MN_OK;
}

mn_status mn_chat_begin(mn_chat *chat, const mn_chat_rules *rules, const char *opening, size_t len, int speaker)
{
    mn_buf kept = chat->text;
    *chat = (mn_chat){.text = kept};
    mn_buf_clear(&chat->text);
    MN_TRY(mn_buf_put(&chat->text, opening, len));
    return turn_begins(chat, rules, speaker);
}

/* The turn's text without spaces around it. */
static void trimmed(const mn_chat *chat, size_t end, mn_chat_event *event)
{
    const char *text = chat->text.data;
    size_t from = chat->turn_at, to = end;
    while (from < to && isspace((unsigned char)text[from])) from++;
    while (to > from && isspace((unsigned char)text[to - 1])) to--;
    event->line = from;
    event->len = to - from;
}

static bool is_over(const mn_chat *chat, const mn_chat_rules *rules)
{
    size_t done = chat->turns[0] < chat->turns[1] ? chat->turns[0] : chat->turns[1];
    return chat->sampled >= rules->tokens || (rules->exchanges && done >= rules->exchanges);
}

mn_status mn_chat_token(mn_chat *chat, mn_chat_event *event, const mn_chat_rules *rules, const char *piece, size_t len,
                        bool ends_generation)
{
    const char *newline = len ? memchr(piece, '\n', len) : NULL;
    size_t keep = newline ? (size_t)(newline - piece) : len, tail = chat->text.len;
    *event = (mn_chat_event){.ended = newline || ends_generation || rules->moves, .speaker = chat->speaker};
    MN_TRY(mn_buf_put(&chat->text, piece, ends_generation ? 0 : keep));
    if (rules->moves) MN_TRY(mn_buf_puts(&chat->text, "\n"));
    chat->sampled++;
    chat->in_turn++;
    if (event->ended) {
        trimmed(chat, chat->text.len, event);
        chat->turns[chat->speaker]++;
    }
    chat->over = is_over(chat, rules);
    if (!event->ended || chat->over) return MN_OK;
    MN_TRY(turn_begins(chat, rules, 1 - chat->speaker));
    event->tail = tail;
    event->tail_len = chat->text.len - tail;
    return MN_OK;
}
