/* Lines of episodes.jsonl: what is written comes back to the same bits, and what is wrong is named. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "report/episodes.h"

static const char *const roles[2] = {"teacher", "a \"student\""};

static void begin(mn_episode *e, uint64_t number)
{
    assert_int_equal(mn_episode_begin(e, number, 7, 1000000000000000, 3, 10, NULL), MN_OK);
}

static void add(mn_episode *e, int speaker, const char *piece, size_t len, double lp, double nats)
{
    assert_int_equal(mn_episode_token(e, speaker, (int32_t)e->T, piece, len, lp, lp - nats, nats, 0, NULL), MN_OK);
}

static void written(mn_buf *buf, const mn_episode *e)
{
    assert_int_equal(mn_episode_write(buf, e, roles), MN_OK);
}

static void same_columns(const mn_episode *a, const mn_episode *b)
{
    assert_int_equal(a->T, b->T);
    assert_memory_equal(a->speaker, b->speaker, a->T);
    assert_memory_equal(a->token, b->token, a->T * sizeof *a->token);
    assert_memory_equal(a->lp_policy, b->lp_policy, a->T * sizeof(double));
    assert_memory_equal(a->lp_base, b->lp_base, a->T * sizeof(double));
    assert_memory_equal(a->nats, b->nats, a->T * sizeof(double));
    assert_memory_equal(a->help_mass, b->help_mass, a->T * sizeof(double));
    assert_memory_equal(a->at, b->at, (a->T + 1) * sizeof *a->at);
    assert_memory_equal(a->text.data, b->text.data, a->text.len);
}

static void same(const mn_episode *a, const mn_episode *b)
{
    assert_true(a->number == b->number && a->step == b->step && a->seed == b->seed && a->opening == b->opening);
    assert_true(a->budget_nats == b->budget_nats && a->spent_nats == b->spent_nats);
    assert_true(a->value == b->value && a->help == b->help);
    same_columns(a, b);
    assert_int_equal(a->n_rewards, b->n_rewards);
    for (size_t i = 0; i < a->n_rewards; i++) {
        assert_true(a->rewards[i].t == b->rewards[i].t && a->rewards[i].value == b->rewards[i].value);
        assert_string_equal(a->rewards[i].text, b->rewards[i].text);
    }
}

static void the_line_is_as_documented(void **state)
{
    (void)state;
    mn_episode e = {0};
    mn_buf buf = {0};
    begin(&e, 5);
    e.budget_nats = INFINITY;
    e.spent_nats = .25;
    e.value = .5;
    assert_int_equal(mn_episode_token(&e, 0, 11, " Hi", 3, -.5, -.75, .25, 0, NULL), MN_OK);
    assert_int_equal(mn_episode_token(&e, 1, 12, "\"\n", 2, -INFINITY, -INFINITY, 0, .125, NULL), MN_OK);
    assert_int_equal(mn_episode_reward(&e, 1, .5, "\"", 1, NULL), MN_OK);
    written(&buf, &e);
    assert_string_equal(
        buf.data, "{\"episode\": 5, \"step\": 7, \"seed\": 1000000000000000, \"opening\": 3, \"budget_nats\": \"inf\", "
                  "\"spent_nats\": 0.25, \"return\": 0.5, \"help\": 0, \"speaker\": [\"teacher\", \"a \\\"student\\\"\"], "
                  "\"token\": [11, 12], \"text\": [\" Hi\", \"\\\"\\n\"], \"lp_policy\": [-0.5, \"-inf\"], "
                  "\"lp_base\": [-0.75, \"-inf\"], \"nats\": [0.25, 0], \"help_mass\": [0, 0.125], "
                  "\"rewards\": [{\"t\": 1, \"text\": \"\\\"\", \"value\": 0.5}]}\n");
    mn_buf_free(&buf);
    mn_episode_free(&e);
}

/* Every double comes back, whatever its digits; memory is used again for longer and shorter episodes. */
static void random_episodes_come_back(void **state)
{
    (void)state;
    static const char *const pieces[] = {"", " the", "\n", "\\", "\"</script>", "\xF0\x9F\x98\x80", "\t\x01\x7F", "\xC3\xA9"};
    mn_rng rng = mn_rng_split(1, 0, MN_STREAM_USER);
    mn_episode e = {0}, back = {0};
    mn_buf buf = {0};
    for (uint64_t i = 0; i < 200; i++) {
        size_t T = mn_rng_below(&rng, i % 10 ? 20 : 400);
        begin(&e, i);
        e.spent_nats = mn_rng_normal(&rng);
        e.value = mn_rng_uniform(&rng);
        e.help = ldexp(mn_rng_uniform(&rng), -1000);
        for (size_t t = 0; t < T; t++) {
            const char *piece = pieces[mn_rng_below(&rng, 8)];
            add(&e, (int)mn_rng_below(&rng, 2), piece, strlen(piece), -ldexp(mn_rng_uniform(&rng), (int)(t % 2000) - 1000),
                t % 5 ? mn_rng_uniform(&rng) : 5e-324);
            if (t % 7 == 6) assert_int_equal(mn_episode_reward(&e, t, mn_rng_uniform(&rng), piece, strlen(piece), NULL), MN_OK);
        }
        mn_buf_clear(&buf);
        written(&buf, &e);
        assert_int_equal(mn_episode_read(&back, buf.data, buf.len, roles, "x", 1, NULL), MN_OK);
        same(&e, &back);
    }
    mn_buf_free(&buf);
    mn_episode_free(&e);
    mn_episode_free(&back);
}

static void broken_text_becomes_replacement_characters(void **state)
{
    (void)state;
    mn_episode e = {0}, back = {0};
    mn_buf buf = {0};
    begin(&e, 0);
    add(&e, 0, "a\0b", 3, -1, 0);
    add(&e, 0, "\xF0\x9F", 2, -0.0, 0);
    assert_int_equal(mn_episode_reward(&e, 1, 1, "\0", 1, NULL), MN_OK);
    written(&buf, &e);
    assert_int_equal(mn_episode_read(&back, buf.data, buf.len, roles, "x", 1, NULL), MN_OK);
    assert_string_equal(back.text.data, "a\xEF\xBF\xBD"
                                        "b\xEF\xBF\xBD\xEF\xBF\xBD");
    assert_int_equal(back.at[1], 5);
    assert_string_equal(back.rewards[0].text, "\xEF\xBF\xBD");
    assert_true(back.lp_policy[1] == 0);
    mn_buf_free(&buf);
    mn_episode_free(&e);
    mn_episode_free(&back);
}

static void what_cannot_be_written_leaves_the_buffer(void **state)
{
    (void)state;
    mn_episode e = {0};
    mn_buf buf = {0};
    assert_int_equal(mn_buf_puts(&buf, "kept"), MN_OK);
    begin(&e, 0);
    add(&e, 0, "a", 1, NAN, 0);
    assert_int_equal(mn_episode_write(&buf, &e, roles), MN_ERR_NUM);
    assert_string_equal(buf.data, "kept");
    begin(&e, UINT64_MAX);
    assert_int_equal(mn_episode_write(&buf, &e, roles), MN_ERR_NUM);
    assert_string_equal(buf.data, "kept");
    mn_buf_free(&buf);
    mn_episode_free(&e);
}

#define LINE                                                                                                                   \
    "{\"episode\": 1, \"step\": 0, \"seed\": 1, \"opening\": 0, \"budget_nats\": 1, \"spent_nats\": 0, \"return\": 1, "        \
    "\"help\": 0, "
#define COLUMNS                                                                                                                \
    "\"speaker\": [\"teacher\", \"teacher\"], \"token\": [1, 2], \"text\": [\"a\", \"b\"], \"lp_policy\": [0, 0], "            \
    "\"lp_base\": [0, 0], \"nats\": [0, 0], \"help_mass\": [0, 0], "

/* LINE COLUMNS and no rewards, with the first `from` replaced. */
static void replaced(char *out, size_t size, const char *from, const char *to)
{
    static const char whole[] = LINE COLUMNS "\"rewards\": []}";
    const char *at = strstr(whole, from);
    assert_non_null(at);
    snprintf(out, size, "%.*s%s%s", (int)(at - whole), whole, to, at + strlen(from));
}

static void errors_say_what_was_expected(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *message;
    } wrong[] = {
        {"\"episode\": 1", "\"episode\": -1", "\"episode\": expected a whole number, 0 or more"},
        {"\"step\": 0", "\"stop\": 0", "\"step\": expected a whole number, 0 or more"},
        {"\"seed\": 1", "\"seed\": 1.5", "\"seed\": expected a whole number, 0 or more"},
        {"\"budget_nats\": 1", "\"budget_nats\": \"1\"", "\"budget_nats\": expected a number, \"inf\" or \"-inf\""},
        {"\"return\": 1", "\"return\": null", "\"return\": expected a number, \"inf\" or \"-inf\""},
        {"[1, 2]", "[1]", "\"token\": expected 2 entries, as \"speaker\" has, got 1"},
        {"[1, 2]", "[1, -2]", "\"token\", entry 1: expected a token's id"},
        {"[1, 2]", "[2147483648, 2]", "\"token\", entry 0: expected a token's id"},
        {"[\"a\", \"b\"]", "[\"a\", 5]", "\"text\", entry 1: expected a string"},
        {"\"teacher\"]", "\"pupil\"]", "\"speaker\", entry 1: expected \"teacher\" or \"a \"student\"\""},
        {"\"nats\": [0, 0]", "\"nats\": [0, [0]]", "\"nats\", entry 1: expected a number, \"inf\" or \"-inf\""},
        {"\"lp_base\": [0, 0]", "\"lp_base\": 0", "\"lp_base\": expected a list"},
        {"\"rewards\": []", "\"rewards\": {}", "\"rewards\": expected a list"},
        {"\"rewards\": []", "\"rewards\": [{\"t\": 1}]", "\"rewards\", entry 0: expected {\"t\", \"text\", \"value\"}"},
        {"\"rewards\": []", "\"rewards\": [{\"t\": 2, \"text\": \"\", \"value\": 1}]",
         "\"rewards\", entry 0: expected \"t\", a token of the episode after the last reward's"},
        {"\"rewards\": []", "\"rewards\": [{\"t\": 1, \"text\": \"\", \"value\": 1}, {\"t\": 1, \"text\": \"\", \"value\": 1}]",
         "\"rewards\", entry 1: expected \"t\", a token of the episode after the last reward's"},
        {"\"rewards\": []", "\"rewards\": [{\"t\": 1, \"text\": 3, \"value\": 1}]",
         "\"rewards\", entry 0: expected \"text\", a string"},
        {"\"rewards\": []", "\"rewards\": [{\"t\": 1, \"text\": \"\", \"value\": \"nan\"}]",
         "\"rewards\", entry 0: expected \"value\", a number"},
        {"\"rewards\": []", "\"rewards\": [], \"more\": 1", "expected the 16 keys of an episode, got 17"},
    };
    char line[1024];
    mn_err err;
    mn_episode e = {0};
    replaced(line, sizeof line, "teacher", "teacher");
    assert_int_equal(mn_episode_read(&e, line, strlen(line), roles, "x", 1, &err), MN_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        replaced(line, sizeof line, wrong[i].from, wrong[i].to);
        assert_int_equal(mn_episode_read(&e, line, strlen(line), roles, "run/episodes.jsonl", 40 + i, &err), MN_ERR_INPUT);
        assert_string_equal(err.message, wrong[i].message);
        assert_string_equal(err.file, "run/episodes.jsonl");
        assert_int_equal(err.line, 40 + i);
    }
    assert_int_equal(mn_episode_read(&e, "[]", 2, roles, "x", 1, &err), MN_ERR_INPUT);
    assert_string_equal(err.message, "expected an object, an episode");
    mn_episode_free(&e);
}

/* A line cut anywhere, as a kill leaves it, is refused and leaks nothing. */
static void every_cut_line_is_refused(void **state)
{
    (void)state;
    char line[1024];
    mn_episode e = {0};
    replaced(line, sizeof line, "\"rewards\": []", "\"rewards\": [{\"t\": 1, \"text\": \"b\", \"value\": 1}]");
    for (size_t len = 0; len < strlen(line); len++)
        assert_int_equal(mn_episode_read(&e, line, len, roles, "x", 1, NULL), MN_ERR_INPUT);
    mn_episode_free(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_line_is_as_documented),
        cmocka_unit_test(random_episodes_come_back),
        cmocka_unit_test(broken_text_becomes_replacement_characters),
        cmocka_unit_test(what_cannot_be_written_leaves_the_buffer),
        cmocka_unit_test(errors_say_what_was_expected),
        cmocka_unit_test(every_cut_line_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
