#include "world/openings.h"

#include <ctype.h>
#include <string.h>

#include "base/json.h"

static mn_status add(mn_openings *all, size_t *cap, mn_opening opening, mn_err *err)
{
    if (all->n == *cap) {
        size_t grown = *cap ? 2 * *cap : 64;
        mn_opening *items = reallocarray(all->items, grown, sizeof *items);
        if (!items) return free(opening.text), mn_fail(err, MN_ERR_MEMORY, "out of memory");
        all->items = items;
        *cap = grown;
    }
    all->items[all->n++] = opening;
    return MN_OK;
}

static int role_of(const mn_chat_rules *rules, const char *name)
{
    return !name                                      ? -1
           : strcmp(name, rules->role[MN_AGENT]) == 0 ? MN_AGENT
           : strcmp(name, rules->role[MN_OTHER]) == 0 ? MN_OTHER
                                                      : -1;
}

static mn_status put_line(mn_buf *buf, const char *label, const char *text)
{
    size_t at;
    MN_TRY(mn_buf_printf(buf, "%s ", label));
    at = buf->len;
    MN_TRY(mn_buf_puts(buf, text));
    for (; at < buf->len; at++)
        if (buf->data[at] == '\n' || buf->data[at] == '\r') buf->data[at] = ' ';
    return MN_OK;
}

/* The first n turns into buf. *speaker: who is next. */
static mn_status read_turns(mn_buf *buf, int *speaker, const json_t *turns, size_t n, const mn_chat_rules *rules,
                            const mn_lines *lines, mn_err *err)
{
    for (size_t i = 0; i < n; i++) {
        const json_t *turn = json_array_get(turns, i);
        const char *name = json_string_value(json_object_get(turn, "role")),
                   *text = json_string_value(json_object_get(turn, "text"));
        int role = role_of(rules, name);
        if (!text)
            return mn_fail_at(err, MN_ERR_INPUT, lines->name, lines->number, 0,
                              "turn %zu: expected {\"role\": ..., \"text\": ...}", i + 1);
        if (role < 0)
            return mn_fail_at(err, MN_ERR_INPUT, lines->name, lines->number, 0,
                              "turn %zu: expected the role \"%s\" or \"%s\", got \"%s\"", i + 1, rules->role[MN_AGENT],
                              rules->role[MN_OTHER], name ? name : "");
        if (put_line(buf, rules->label[role].data, text) != MN_OK) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
        *speaker = 1 - role;
    }
    return MN_OK;
}

static mn_status read_one(mn_openings *all, size_t *cap, const json_t *record, size_t turns, const mn_chat_rules *rules,
                          const mn_lines *lines, mn_err *err)
{
    const json_t *list = json_object_get(record, "turns");
    mn_buf buf = {0};
    int speaker = MN_AGENT;
    if (!json_is_array(list))
        return mn_fail_at(err, MN_ERR_INPUT, lines->name, lines->number, 0,
                          "expected {\"turns\": [...]} (a conversation opens a chat)");
    if (json_array_size(list) <= turns) return MN_OK;
    mn_status status = mn_buf_puts(&buf, "");
    if (status == MN_OK) status = read_turns(&buf, &speaker, list, turns, rules, lines, err);
    if (status == MN_OK)
        return add(all, cap, (mn_opening){.text = buf.data, .len = buf.len, .speaker = speaker, .line = lines->number}, err);
    mn_buf_free(&buf);
    return status;
}

static mn_status read_file(mn_openings *all, mn_lines *lines, size_t turns, const mn_chat_rules *rules, mn_err *err)
{
    size_t cap = 0, len;
    char *line;
    bool end;
    for (;;) {
        json_t *record;
        MN_TRY(mn_lines_next(lines, &line, &len, &end, err));
        if (end) break;
        if (strspn(line, " \t") == len) continue;
        MN_TRY(mn_json_parse(&record, line, len, lines->name, lines->number, err));
        mn_status status = read_one(all, &cap, record, turns, rules, lines, err);
        json_decref(record);
        MN_TRY(status);
    }
    if (!all->n)
        return mn_fail_at(err, MN_ERR_INPUT, lines->name, 0, 0, "expected conversations of more than %zu turns, found none",
                          turns);
    return MN_OK;
}

static mn_status prompt_alone(mn_openings *out, int first, mn_err *err)
{
    size_t cap = 0;
    char *empty = strdup("");
    if (!empty) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    return add(out, &cap, (mn_opening){.text = empty, .speaker = first}, err);
}

mn_status mn_openings_load(mn_openings *out, const mn_chat_rules *rules, const char *path, size_t turns, int first, mn_err *err)
{
    mn_lines lines;
    *out = (mn_openings){0};
    if (!*path) return prompt_alone(out, first, err);
    MN_TRY(mn_lines_open(&lines, path, err));
    mn_status status = read_file(out, &lines, turns, rules, err);
    mn_lines_close(&lines);
    if (status != MN_OK) mn_openings_free(out);
    return status;
}

void mn_openings_free(mn_openings *openings)
{
    for (size_t i = 0; i < openings->n; i++) free(openings->items[i].text);
    free(openings->items);
    *openings = (mn_openings){0};
}
