/* Configuration: what is taken, what is refused and where, and that everything comes back to the same bits. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/config.h"
#include "base/json.h"
#include "failing_memory.h"

typedef struct settings {
    bool shuffle;
    int64_t seed;
    double clip, limit;
    char *name, *weights, *file;
    int kind;
    mn_num_list budgets;
    int64_t deep;
} settings;

#define AT(member) offsetof(settings, member)

static const mn_key keys[] = {
    {"seed", MN_KEY_INT, AT(seed), "1", 0, 1e15, NULL, "where randomness begins"},
    {"shuffle", MN_KEY_BOOL, AT(shuffle), "false", 0, 0, NULL, "whether"},
    {"ppo.clip", MN_KEY_NUM, AT(clip), "0.2", -10, 10, NULL, "clip range"},
    {"ppo.limit", MN_KEY_NUM, AT(limit), "inf", 0, INFINITY, NULL, "a limit"},
    {"model.name", MN_KEY_STR, AT(name), "two\nlines", 0, 0, NULL, "a name"},
    {"model.weights", MN_KEY_STR, AT(weights), "auto", 0, 0, "auto|bf16|8", "numbers"},
    {"model.file", MN_KEY_PATH, AT(file), "", 0, 0, NULL, "a file"},
    {"model.judge.kind", MN_KEY_CHOICE, AT(kind), "penalty", 0, 0, "budget|penalty|none", "a kind"},
    {"model.judge.deep", MN_KEY_INT, AT(deep), "-5", -1e18, 1e18, NULL, "deep"},
    {"budgets", MN_KEY_NUMS, AT(budgets), "[5, 10]", 0, INFINITY, NULL, "nats"},
};

enum { KEYS = sizeof keys / sizeof *keys };

static char folder[64], path[96];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/mightnt-config-XXXXXX");
    if (!mkdtemp(folder)) return 1;
    snprintf(path, sizeof path, "%s/c.yaml", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void write_bytes(const char *text, size_t len)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static mn_status load(settings *s, const char *text, mn_err *err)
{
    write_bytes(text, strlen(text));
    memset(s, 0xAA, sizeof *s); /* what was there before does not matter */
    return mn_config_load(s, keys, KEYS, path, NULL, NULL, 0, err);
}

static void defaults_stand_where_nothing_is_said(void **state)
{
    (void)state;
    settings s;
    const char *nothing[] = {"", "# only a comment\n", "---\n", "{}\n", "---\n...\n"};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(load(&s, nothing[i], NULL), MN_OK);
        assert_true(s.seed == 1 && !s.shuffle && s.clip == .2 && s.limit == INFINITY && s.kind == 1 && s.deep == -5);
        assert_string_equal(s.name, "two\nlines");
        assert_string_equal(s.weights, "auto");
        assert_string_equal(s.file, "");
        assert_true(s.budgets.n == 2 && s.budgets.items[0] == 5 && s.budgets.items[1] == 10);
        mn_config_free(&s, keys, KEYS);
        assert_null(s.name);
        mn_config_free(&s, keys, KEYS);
    }
    assert_int_equal(mn_config_load(&s, keys, KEYS, NULL, NULL, NULL, 0, NULL), MN_OK);
    mn_config_free(&s, keys, KEYS);
}

static void a_file_says_what_it_wants(void **state)
{
    (void)state;
    settings s;
    assert_int_equal(load(&s,
                          "# comment\n"
                          "seed: 42\n"
                          "ppo.limit: .inf\n"
                          "ppo: {clip: -1e-3}\n"
                          "shuffle: true\n"
                          "budgets:\n  - 0\n  - .5\n  - inf\n  - \"inf\"\n"
                          "model:\n"
                          "  name: |\n    Teacher: hello\n    you\n"
                          "  weights: 8\n"
                          "  judge: {kind: none, \"deep\": -1000000000000}\n",
                          NULL),
                     MN_OK);
    assert_true(s.seed == 42 && s.shuffle && s.clip == -1e-3 && s.limit == INFINITY && s.kind == 2 && s.deep == -1000000000000);
    assert_string_equal(s.name, "Teacher: hello\nyou\n");
    assert_string_equal(s.weights, "8");
    const double budgets[] = {0, .5, INFINITY, INFINITY};
    assert_int_equal(s.budgets.n, 4);
    assert_memory_equal(s.budgets.items, budgets, sizeof budgets);
    mn_config_free(&s, keys, KEYS);
    assert_int_equal(load(&s,
                          "\xEF\xBB\xBF"
                          "seed: 3\r\nbudgets: []\r\nmodel: {name: '5'}\r\n",
                          NULL),
                     MN_OK);
    assert_true(s.seed == 3 && s.budgets.n == 0);
    assert_string_equal(s.name, "5");
    mn_config_free(&s, keys, KEYS);
}

static void what_is_wrong_is_refused_with_its_place(void **state)
{
    (void)state;
    const struct {
        const char *text, *message; /* what follows the file's name */
    } bad[] = {
        {"sed: 1\n", ":1:1: unknown key 'sed' (did you mean seed?)"},
        {"ppo:\n  clp: 1\n", ":2:3: unknown key 'ppo.clp' (did you mean ppo.clip?)"},
        {"clip: 1\n", ":1:1: unknown key 'clip' (did you mean ppo.clip?)"},
        {"pp: {clip: 1}\n", ":1:1: unknown key 'pp' (did you mean ppo?)"},
        {"xyzzy: {clip: 1}\n", ":1:1: unknown key 'xyzzy'"},
        {"seed: 1\nseed: 2\n", ":2:1: seed is given twice"},
        {"ppo: {clip: 1}\nseed: 1\nppo: {limit: 1}\n", ":3:1: ppo is given twice"},
        {"ppo.clip: 1\nppo: {clip: 1}\n", ":2:7: ppo.clip is given twice"},
        {"seed: 1.5\n", ":1:7: seed: expected a whole number from 0 to 1e+15, got '1.5'"},
        {"seed: \"1\"\n", ":1:7: seed: expected a whole number from 0 to 1e+15, got '1'"},
        {"seed: -1\n", ":1:7: seed: expected a whole number from 0 to 1e+15, got '-1'"},
        {"seed: 99999999999999999999\n", ":1:7: seed: expected a whole number from 0 to 1e+15, got '99999999999999999999'"},
        {"seed:\n", ":1:6: seed: expected a whole number from 0 to 1e+15, got ''"},
        {"seed: [1]\n", ":1:7: seed: expected a whole number from 0 to 1e+15, got a list"},
        {"ppo: {clip: .nan}\n", ":1:13: ppo.clip: expected a number from -10 to 10, got '.nan'"},
        {"ppo: {clip: .inf}\n", ":1:13: ppo.clip: expected a number from -10 to 10, got '.inf'"},
        {"ppo: {clip: 11}\n", ":1:13: ppo.clip: expected a number from -10 to 10, got '11'"},
        {"ppo: {clip: 1e999}\n", ":1:13: ppo.clip: expected a number from -10 to 10, got '1e999'"},
        {"ppo: {clip: '1'}\n", ":1:13: ppo.clip: expected a number from -10 to 10, got '1'"},
        {"ppo: {limit: -.inf}\n", ":1:14: ppo.limit: expected a number from 0 to inf, got '-.inf'"},
        {"ppo: 1\n", ":1:6: ppo: expected a mapping of keys"},
        {"ppo: [1]\n", ":1:6: ppo: expected a mapping of keys"},
        {"shuffle: yes\n", ":1:10: shuffle: expected true or false, got 'yes'"},
        {"model: {name: {a: 1}}\n", ":1:15: model.name: expected text, got a mapping"},
        {"model: {name: 5}\n", ":1:15: model.name: expected text, got 5; text like this goes in quotes"},
        {"model:\n  name:\n  file: x\n", ":2:8: model.name: expected text, got nothing; text like this goes in quotes"},
        {"model: {name: \"a\\0b\"}\n", ":1:15: model.name: expected text, got text with a NUL"},
        {"model: {weights: f3}\n", ":1:18: model.weights: expected one of auto, bf16, 8, got 'f3'"},
        {"model: {judge: {kind: budge}}\n", ":1:23: model.judge.kind: expected one of budget, penalty, none, got 'budge'"},
        {"budgets: 5\n", ":1:10: budgets: expected a list of numbers from 0 to inf, got '5'"},
        {"budgets: [1, [2]]\n",
         ":1:14: budgets: expected a list of numbers from 0 to inf, got a list or mapping inside the list"},
        {"budgets: [1, -2]\n", ":1:14: budgets: expected a list of numbers from 0 to inf, got '-2'"},
        {"model: {name: \"\xC3\xA9\xC3\xA9\", weights: 9}\n", ":1:32: model.weights: expected one of auto, bf16, 8, got '9'"},
        {"[1]\n", ":1:1: expected a mapping of keys"},
        {"seed: 1\n---\nseed: 2\n", ":2:1: expected one document, got another"},
        {"? [a]\n: 1\n", ":1:3: expected a key, got a list or a mapping"},
        {"\"seed\\0\": 1\n", ":1:1: expected a key, got one with a NUL in it"},
        {"seed: &a 1\n", ":1:7: anchors and aliases are not supported"},
        {"seed: *a\n", ":1:7: anchors and aliases are not supported"},
        {"seed: !!int 1\n", ":1:7: tags are not supported"},
        {"ppo: {<<: {clip: 1}}\n", ":1:7: unknown key 'ppo.<<'"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        settings s;
        mn_err err = {0};
        char got[1200];
        assert_int_equal(load(&s, bad[i].text, &err), MN_ERR_INPUT);
        assert_null(s.name);
        mn_err_format(&err, got, sizeof got);
        assert_memory_equal(got, path, strlen(path));
        assert_string_equal(got + strlen(path), bad[i].message);
        assert_int_equal(load(&s, bad[i].text, NULL), MN_ERR_INPUT);
    }
}

static void what_is_not_yaml_is_refused_with_its_place(void **state)
{
    (void)state;
    const struct {
        const char *text;
        size_t line, column;
    } bad[] = {
        {"ppo: {clip: 1\n", 2, 1},
        {"seed: \"1\n", 2, 1},
        {"seed: 1\n\tppo: 1\n", 2, 1},
        {"seed: 1\nmodel: {name: \xC3\xA9\xFF}\n", 2, 17},
        {"seed: 1\nmodel: {name: \x01}\n", 2, 15},
        {"seed: @\n", 1, 7},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        settings s;
        mn_err err = {0};
        assert_int_equal(load(&s, bad[i].text, &err), MN_ERR_INPUT);
        assert_memory_equal(err.message, "not valid YAML: ", 16);
        assert_int_equal(err.line, bad[i].line);
        assert_int_equal(err.column, bad[i].column);
    }
    settings s;
    mn_err err;
    assert_int_equal(mn_config_load(&s, keys, KEYS, folder, NULL, NULL, 0, &err), MN_ERR_IO);
    assert_int_equal(mn_config_load(&s, keys, KEYS, "/no/such", NULL, NULL, 0, &err), MN_ERR_IO);
    assert_string_equal(err.file, "/no/such");
}

/* Files that are hostile rather than wrong: none may crash, and none may take time quadratic in its length. */
static void deep_and_long_files_end_soon(void **state)
{
    (void)state;
    enum { N = 1 << 20 };
    const char *units[] = {"[", "{a: ", "- ", "a: 1\n", "#\n", "\"\xC3\xA9\", "};
    char *text = malloc(N + 16);
    assert_non_null(text);
    for (size_t i = 0; i < 6; i++) {
        size_t width = strlen(units[i]), len = 0, most = i < 3 ? 20000 : N; /* libyaml alone is quadratic in the depth */
        settings s;
        if (i == 5) len = (size_t)sprintf(text, "budgets: [");
        while (len + width <= most) memcpy(text + len, units[i], width), len += width;
        write_bytes(text, len);
        assert_int_equal(mn_config_load(&s, keys, KEYS, path, NULL, NULL, 0, NULL), i == 4 ? MN_OK : MN_ERR_INPUT);
        if (i == 4) mn_config_free(&s, keys, KEYS);
    }
    free(text);
}

static void sets_come_last(void **state)
{
    (void)state;
    settings s;
    mn_err err;
    char here[4096], expected[4200];
    const char *sets[] = {"seed=7",
                          "seed=8",
                          "ppo.limit=inf",
                          "budgets=[1, 2.5, .inf]",
                          "model.name=Teacher: it's [5] # \"nice\"",
                          "shuffle=true",
                          "model.judge.kind=none",
                          "model.file=a/b",
                          "model.weights=bf16"};
    write_bytes("seed: 1\nmodel: {file: ../x, name: y}\n", 37);
    assert_int_equal(mn_config_load(&s, keys, KEYS, path, NULL, sets, 9, &err), MN_OK);
    assert_true(s.seed == 8 && s.limit == INFINITY && s.shuffle && s.kind == 2);
    assert_true(s.budgets.n == 3 && s.budgets.items[1] == 2.5 && s.budgets.items[2] == INFINITY);
    assert_string_equal(s.name, "Teacher: it's [5] # \"nice\"");
    assert_non_null(getcwd(here, sizeof here));
    snprintf(expected, sizeof expected, "%s/a/b", here);
    assert_string_equal(s.file, expected);
    mn_config_free(&s, keys, KEYS);
    assert_int_equal(mn_config_load(&s, keys, KEYS, path, NULL, sets, 1, &err), MN_OK);
    snprintf(expected, sizeof expected, "%s/../x", folder);
    assert_string_equal(s.file, expected);
    mn_config_free(&s, keys, KEYS);
    const char *texts[] = {"model.name=", "model.file=", "model.name=\"a\\nb\"", "model.name=5"};
    const char *values[] = {"", "", "a\nb", "5"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(mn_config_load(&s, keys, KEYS, NULL, NULL, &texts[i], 1, &err), MN_OK);
        assert_string_equal(i == 1 ? s.file : s.name, values[i]);
        mn_config_free(&s, keys, KEYS);
    }
}

static void wrong_sets_are_refused(void **state)
{
    (void)state;
    const char *bad[][2] = {
        {"seed", "--set seed: expected KEY=VALUE"},
        {"sed=1", "--set sed=1: unknown key 'sed' (did you mean seed?)"},
        {"ppo=1", "--set ppo=1: ppo is a section, expected one of its keys"},
        {"seed=x", "--set seed=x: seed: expected a whole number from 0 to 1e+15, got 'x'"},
        {"seed=", "--set seed=: seed: expected a whole number from 0 to 1e+15, got ''"},
        {"budgets=1", "--set budgets=1: budgets: expected a list of numbers from 0 to inf, got '1'"},
        {"budgets=", "--set budgets=: expected a value, got nothing"},
        {"budgets=[1", "--set budgets=[1: not valid YAML: while parsing a flow sequence, did not find expected ',' or ']'"},
        {"budgets=[1]\n---\n[2]", "--set budgets=[1] --- [2]: expected one document, got another"},
        {"model.name=\"x",
         "--set model.name=\"x: not valid YAML: while scanning a quoted scalar, found unexpected end of stream"},
        {"model.name=\xFF", "--set model.name=\xFF: model.name: expected text, got bytes that are not UTF-8"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        settings s;
        mn_err err = {0};
        char got[1200];
        assert_int_equal(mn_config_load(&s, keys, KEYS, NULL, NULL, &bad[i][0], 1, &err), MN_ERR_INPUT);
        mn_err_format(&err, got, sizeof got);
        for (char *c = got; *c; c++)
            if (*c == '\n') *c = ' ';
        assert_string_equal(got, bad[i][1]);
    }
}

static void a_key_without_default_must_be_given(void **state)
{
    (void)state;
    const mn_key need[] = {{"a.x", MN_KEY_INT, 0, NULL, 0, 9, NULL, "a digit"}};
    int64_t x;
    mn_err err;
    char text[256], expected[256];
    write_bytes("a: {}\n", 6);
    assert_int_equal(mn_config_load(&x, need, 1, path, NULL, NULL, 0, &err), MN_ERR_INPUT);
    mn_err_format(&err, text, sizeof text);
    snprintf(expected, sizeof expected, "%s: a.x must be given: a digit", path);
    assert_string_equal(text, expected);
    assert_int_equal(mn_config_load(&x, need, 1, NULL, NULL, (const char *[]){"a.x=3"}, 1, &err), MN_OK);
    assert_int_equal(x, 3);
}

/* A character that is allowed in text: any code point but NUL and the surrogates, as UTF-8. */
static size_t put_character(char *out, mn_rng *rng)
{
    static const uint32_t strange[] = {0x7F,   0x80,   0x85,     0x9F, 0xA0, 0x2028, 0x2029, 0xFEFF, 0xFFFE,
                                       0xFFFF, 0xFFFD, 0x10FFFF, '"',  '\\', '\n',   '\r',   '\t',   ' ',
                                       '#',    '\'',   ':',      '{',  '/',  1,      0x1B};
    uint32_t c = mn_rng_below(rng, 2) ? strange[mn_rng_below(rng, sizeof strange / sizeof *strange)]
                                      : (uint32_t)mn_rng_below(rng, 0x110000);
    if (c == 0 || (c >= 0xD800 && c < 0xE000)) c = 'x';
    int n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (int i = n - 1; i > 0; i--, c >>= 6) out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)(lead[n] | c);
    return (size_t)n;
}

static double any_number(mn_rng *rng)
{
    union {
        uint64_t word;
        double x;
    } any = {.word = mn_rng_below(rng, UINT64_MAX)};
    return isnan(any.x) ? -INFINITY : any.x;
}

/* Numbers of all sizes and texts of all characters, through JSON in a larger object and back. */
static void resolved_copy_comes_back_to_the_same_bits(void **state)
{
    (void)state;
    static const mn_key wide[] = {
        {"a.x", MN_KEY_NUM, AT(clip), "0", -INFINITY, INFINITY, NULL, ""},
        {"a.b.name", MN_KEY_STR, AT(name), "", 0, 0, NULL, ""},
        {"a.b.file", MN_KEY_PATH, AT(file), "", 0, 0, NULL, ""},
        {"a.kind", MN_KEY_CHOICE, AT(kind), "u", 0, 0, "u|v w|x", ""},
        {"c.d.e.list", MN_KEY_NUMS, AT(budgets), "[]", -INFINITY, INFINITY, NULL, ""},
        {"seed", MN_KEY_INT, AT(seed), "0", -INFINITY, INFINITY, NULL, ""},
        {"on", MN_KEY_BOOL, AT(shuffle), "false", 0, 0, NULL, ""},
    };
    mn_rng rng = mn_rng_split(5, 0, MN_STREAM_USER);
    for (int round = 0; round < 500; round++) {
        double list[8];
        char text[64] = "", file[64] = "/";
        size_t len = 0, places = 1;
        for (size_t i = 0; i < 8; i++) list[i] = any_number(&rng);
        for (size_t i = 0; i < 12; i++) len += put_character(text + len, &rng), places += put_character(file + places, &rng);
        text[len] = file[places] = 0;
        settings s = {.clip = any_number(&rng),
                      .name = text,
                      .file = file,
                      .kind = round % 3,
                      .budgets = {list, (size_t)round % 9},
                      .seed = (int64_t)mn_rng_below(&rng, UINT64_MAX),
                      .shuffle = round % 2};
        mn_buf first = {0}, second = {0};
        assert_int_equal(mn_buf_puts(&first, "{\"version\": [{\"config\": 1}], \"config\": "), MN_OK);
        assert_int_equal(mn_config_json(&first, &s, wide, 7), MN_OK);
        assert_int_equal(mn_buf_puts(&first, ", \"more\": null}\n"), MN_OK);
        write_bytes(first.data, first.len);
        json_t *json;
        assert_int_equal(mn_json_parse(&json, first.data, first.len, "f", 0, NULL), MN_OK);
        assert_string_equal(json_string_value(json_object_get(
                                json_object_get(json_object_get(json_object_get(json, "config"), "a"), "b"), "name")),
                            text);
        json_decref(json);
        settings back;
        assert_int_equal(mn_config_load(&back, wide, 7, path, "config", NULL, 0, NULL), MN_OK);
        assert_memory_equal(&back.clip, &s.clip, sizeof s.clip);
        assert_string_equal(back.name, text);
        assert_string_equal(back.file, file);
        assert_true(back.seed == s.seed && back.kind == s.kind && back.shuffle == s.shuffle && back.budgets.n == s.budgets.n);
        assert_memory_equal(back.budgets.items ? back.budgets.items : list, list, back.budgets.n * sizeof *list);
        assert_int_equal(mn_config_json(&second, &back, wide, 7), MN_OK);
        assert_non_null(strstr(first.data, second.data));
        mn_config_free(&back, wide, 7);
        mn_buf_free(&first);
        mn_buf_free(&second);
    }
}

static void sections_are_found_or_missed(void **state)
{
    (void)state;
    settings s;
    mn_err err;
    const char *bad[] = {"{}", "{\"other\": {}}", "{\"config\": 1}", "{\"config\": {}, \"config\": {}}", "[]", ""};
    for (size_t i = 0; i < 6; i++) {
        write_bytes(bad[i], strlen(bad[i]));
        assert_int_equal(mn_config_load(&s, keys, KEYS, path, "config", NULL, 0, &err), MN_ERR_INPUT);
    }
    write_bytes("{\"config\": {\"sed\": 1}}", 22);
    assert_int_equal(mn_config_load(&s, keys, KEYS, path, "config", NULL, 0, &err), MN_ERR_INPUT);
    assert_int_equal(err.column, 13);
}

static void json_and_reference_read_as_expected(void **state)
{
    (void)state;
    settings s;
    mn_buf out = {0};
    assert_int_equal(load(&s, "", NULL), MN_OK);
    assert_int_equal(mn_config_json(&out, &s, keys, KEYS), MN_OK);
    assert_string_equal(
        out.data, "{\"seed\": 1, \"shuffle\": false, \"ppo\": {\"clip\": 0.2, \"limit\": \"inf\"}, \"model\": {\"name\": "
                  "\"two\\nlines\", \"weights\": \"auto\", \"file\": \"\", \"judge\": {\"kind\": \"penalty\", \"deep\": -5}}, "
                  "\"budgets\": [5, 10]}");
    mn_buf_clear(&out);
    assert_int_equal(mn_config_doc(&out, keys, 6), MN_OK);
    assert_string_equal(out.data, "- `seed`: a whole number from 0 to 1e+15; default 1. where randomness begins.\n"
                                  "- `shuffle`: true or false; default false. whether.\n"
                                  "- `ppo.clip`: a number from -10 to 10; default 0.2. clip range.\n"
                                  "- `ppo.limit`: a number from 0 to inf; default inf. a limit.\n"
                                  "- `model.name`: text; default \"two\\nlines\". a name.\n"
                                  "- `model.weights`: one of auto, bf16, 8; default \"auto\". numbers.\n");
    mn_config_free(&s, keys, KEYS);
    mn_buf_free(&out);
}

/* ---- allocation failure: the build routes the allocations of this program through these ---- */

static void memory_may_end_anywhere(void **state)
{
    (void)state;
    const char *sets[] = {"budgets=[1,2,3,4,5,6,7,8,9]", "model.file=x"};
    const char *text = "model: {name: a, weights: bf16, file: b}\nbudgets: [3]\n";
    write_bytes(text, strlen(text));
    mn_status status = MN_ERR_MEMORY;
    size_t failures = 0;
    for (; status; failures++) {
        settings s;
        mn_err err = {0};
        mn_buf json = {0};
        until_failure = failures;
        status = mn_config_load(&s, keys, KEYS, path, NULL, sets, 2, &err);
        if (status == MN_OK) status = mn_config_json(&json, &s, keys, KEYS);
        if (status == MN_OK) status = mn_config_doc(&json, keys, KEYS);
        until_failure = SIZE_MAX;
        if (status) assert_int_equal(status, MN_ERR_MEMORY);
        if (s.name) mn_config_free(&s, keys, KEYS);
        mn_buf_free(&json);
    }
    assert_true(failures > 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_stand_where_nothing_is_said),
        cmocka_unit_test(a_file_says_what_it_wants),
        cmocka_unit_test(what_is_wrong_is_refused_with_its_place),
        cmocka_unit_test(what_is_not_yaml_is_refused_with_its_place),
        cmocka_unit_test(deep_and_long_files_end_soon),
        cmocka_unit_test(sets_come_last),
        cmocka_unit_test(wrong_sets_are_refused),
        cmocka_unit_test(a_key_without_default_must_be_given),
        cmocka_unit_test(resolved_copy_comes_back_to_the_same_bits),
        cmocka_unit_test(sections_are_found_or_missed),
        cmocka_unit_test(json_and_reference_read_as_expected),
        cmocka_unit_test(memory_may_end_anywhere),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
