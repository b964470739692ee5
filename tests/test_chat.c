/* Conversations as text: where turns end, what follows them, how episodes open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "world/openings.h"

static mn_chat_rules rules;

static int open_rules(void **state)
{
    (void)state;
    return mn_chat_rules_new(&rules, "teacher", "student", 12, 2, NULL) == MN_OK ? 0 : 1;
}

static int close_rules(void **state)
{
    (void)state;
    mn_chat_rules_free(&rules);
    return 0;
}

static mn_chat_event say(mn_chat *chat, const char *piece, bool ends)
{
    mn_chat_event event;
    assert_int_equal(mn_chat_token(chat, &event, &rules, piece, strlen(piece), ends), MN_OK);
    return event;
}

static void assert_part(const mn_chat *chat, size_t at, size_t len, const char *expected)
{
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(chat->text.data + at, expected, len);
}

static void turns_end_in_text(void **state)
{
    (void)state;
    mn_chat chat = {0};
    assert_int_equal(mn_chat_begin(&chat, &rules, "Hi.", 3, MN_AGENT), MN_OK);
    assert_string_equal(chat.text.data, "Hi.\n\nTeacher:");
    assert_false(say(&chat, " What", false).ended);
    mn_chat_event e = say(&chat, " now?\nStudent: I", false); /* what follows the newline was never said */
    assert_true(e.ended && e.speaker == MN_AGENT && chat.speaker == MN_OTHER);
    assert_part(&chat, e.line, e.len, "What now?");
    assert_part(&chat, e.tail, e.tail_len, " now?\n\nStudent:");
    assert_string_equal(chat.text.data, "Hi.\n\nTeacher: What now?\n\nStudent:");
    e = say(&chat, "<eos>", true); /* an end of generation is a newline */
    assert_true(e.ended && e.speaker == MN_OTHER && e.len == 0);
    assert_string_equal(chat.text.data, "Hi.\n\nTeacher: What now?\n\nStudent:\n\nTeacher:");
    assert_false(chat.over);
    mn_chat_free(&chat);
}

static void episodes_end(void **state)
{
    (void)state;
    mn_chat chat = {0};
    assert_int_equal(mn_chat_begin(&chat, &rules, "", 0, MN_OTHER), MN_OK);
    for (int i = 0; i < 3; i++) assert_true(say(&chat, "x\n", false).ended && !chat.over);
    mn_chat_event e = say(&chat, "x\n", false); /* two turns of each: over, and no label follows */
    assert_true(e.ended && chat.over && e.tail_len == 0);
    assert_int_equal(mn_chat_begin(&chat, &rules, "", 0, MN_AGENT), MN_OK);
    for (int i = 0; i < 11; i++) assert_false(say(&chat, "x", false).ended || chat.over);
    assert_false(say(&chat, "x", false).ended); /* the twelfth token: over in mid-turn */
    assert_true(chat.over && chat.turns[MN_AGENT] == 0);
    mn_chat_free(&chat);
}

static void names_are_checked(void **state)
{
    (void)state;
    mn_chat_rules bad;
    const char *const names[][2] = {{"a", "a"}, {"", "b"}, {"a", "b\n"}, {"a:", "b"}};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(mn_chat_rules_new(&bad, names[i][0], names[i][1], 1, 0, NULL), MN_ERR_INPUT);
        mn_chat_rules_free(&bad);
    }
}

static mn_status load(mn_openings *out, const char *text, size_t turns, mn_err *err)
{
    char path[] = "/tmp/mightnt-openings-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    mn_status status = mn_openings_load(out, &rules, path, turns, MN_AGENT, err);
    unlink(path);
    return status;
}

static void transcripts_open_episodes(void **state)
{
    (void)state;
    mn_openings all;
    mn_err err;
    const char *text = "{\"turns\": [{\"role\": \"teacher\", \"text\": \"Two\\nlines\", \"move\": 1}, {\"role\": \"student\", \"text\": \"Hm\"}, "
                       "{\"role\": \"teacher\", \"text\": \"So\"}]}\n\n{\"turns\": []}\n";
    assert_int_equal(load(&all, text, 2, &err), MN_OK);
    assert_int_equal(all.n, 1);
    assert_string_equal(all.items[0].text, "\n\nTeacher: Two lines\n\nStudent: Hm");
    assert_true(all.items[0].line == 1 && all.items[0].speaker == MN_AGENT && all.items[0].len == strlen(all.items[0].text));
    mn_openings_free(&all);
    assert_int_equal(load(&all, text, 1, &err), MN_OK);
    assert_true(all.items[0].speaker == MN_OTHER);
    mn_openings_free(&all);
    assert_int_equal(load(&all, text, 3, &err), MN_ERR_INPUT); /* none is longer */
    assert_int_equal(mn_openings_load(&all, &rules, "", 2, MN_OTHER, &err), MN_OK);
    assert_true(all.n == 1 && all.items[0].len == 0 && all.items[0].speaker == MN_OTHER && all.items[0].line == 0);
    mn_openings_free(&all);
}

static void bad_transcripts_are_named(void **state)
{
    (void)state;
    mn_openings all;
    mn_err err;
    const char *const bad[] = {"{\"turns\": 3}", "{\"symbols\": [\"ask\"]}", "[1]", "{\"turns\": [1, 2]}", "{\"turns\"",
                               "{\"turns\": [{\"role\": \"cat\", \"text\": \"\"}, {}]}", "{\"turns\": [{\"role\": \"teacher\"}, {}]}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[256];
        snprintf(text, sizeof text, "{\"turns\": []}\n%s\n", bad[i]);
        assert_int_equal(load(&all, text, 1, &err), MN_ERR_INPUT);
        assert_int_equal(err.line, 2);
    }
    assert_int_equal(mn_openings_load(&all, &rules, "/no/such", 1, MN_AGENT, &err), MN_ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_end_in_text),         cmocka_unit_test(episodes_end),
        cmocka_unit_test(names_are_checked),         cmocka_unit_test(transcripts_open_episodes),
        cmocka_unit_test(bad_transcripts_are_named),
    };
    return cmocka_run_group_tests(tests, open_rules, close_rules);
}
