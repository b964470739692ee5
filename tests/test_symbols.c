/* Symbols of files: the formats, how they are told, positions of errors, memory that ends. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "mightnt.h"
#include "failing_memory.h"

static char path[] = "/tmp/mightnt-symbols-XXXXXX";

static int make_file(void **state)
{
    (void)state;
    return close(mkstemp(path));
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_bytes(const char *data, size_t len)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

/* All symbols by name with a space after each, and '|' before each sequence; taken `cap` at a time. Released by free. */
static mn_status read_all(char **out, const mn_symbols_opts *opts, size_t cap, mn_err *err)
{
    mn_symbols *s;
    char *text = NULL;
    size_t size, n;
    int32_t *ids = malloc(cap * sizeof *ids);
    bool begins;
    mn_status status = mn_symbols_open(&s, opts, err);
    if (status != MN_OK) return free(ids), status;
    FILE *f = open_memstream(&text, &size);
    while ((status = mn_symbols_next(s, ids, cap, &n, &begins, err)) == MN_OK && n) {
        assert_true(n <= cap);
        if (begins) fputc('|', f);
        for (size_t i = 0; i < n; i++) {
            assert_in_range(ids[i], 0, mn_symbols_alphabet(s) - 1);
            fprintf(f, "%s ", mn_symbols_name(s, ids[i]));
        }
    }
    fclose(f);
    free(ids);
    mn_symbols_free(s);
    *out = text;
    if (status != MN_OK) free(text);
    return status;
}

static void expect(const char *expected, mn_symbols_opts opts)
{
    static const size_t caps[] = {1, 2, 3, 1000};
    opts.path = opts.path ? opts.path : path;
    for (size_t i = 0; i < sizeof caps / sizeof *caps; i++) {
        char *text = NULL;
        mn_err err = {0};
        mn_status status = read_all(&text, &opts, caps[i], &err);
        if (status != MN_OK) fail_msg("%s", err.message);
        assert_string_equal(text, expected);
        free(text);
    }
}

static void expect_failure(mn_status status, size_t line, size_t column, const char *message, mn_symbols_opts opts)
{
    char *text;
    mn_err err = {0};
    opts.path = path;
    assert_int_equal(read_all(&text, &opts, 7, &err), status);
    assert_string_equal(err.message, message);
    assert_int_equal(err.line, line);
    assert_int_equal(err.column, column);
}

#define WRITE(text) write_bytes(text, sizeof(text) - 1)
#define ANY           \
    (mn_symbols_opts) \
    {                 \
        0             \
    }

static void formats_are_told_by_the_beginning(void **state)
{
    (void)state;
    WRITE("0110");
    expect("|0 1 1 0 ", ANY);
    WRITE("\n\n 0110 \r\n\n");
    expect("|0 1 1 0 ", ANY);
    WRITE("0 1 1 0");
    expect("|0 1 1 0 ", ANY);
    WRITE("a,bc,a\n");
    expect("|a bc a ", ANY);
    WRITE("10\n11\n10\n");
    expect("|10 11 10 ", ANY);
    WRITE("0123456789012345678901234567890\n1\n"); /* 31 bytes: a token; 32: wrapped text */
    expect("|0123456789012345678901234567890 1 ", ANY);
    WRITE("01010101010101010101010101010101\n12\n");
    expect("|0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 1 2 ", ANY);
    WRITE("\n {\"symbols\": [\"x y\", \"z\"]}\n");
    expect("|x y z ", ANY);
    WRITE("{ab}");
    expect("|{ a b } ", (mn_symbols_opts){.format = MN_SYMBOLS_CHARACTERS});
    WRITE("\xEF\xBB\xBF"
          "0110"); /* a byte order mark */
    expect("|0 1 1 0 ", ANY);
    char ending[64];
    snprintf(ending, sizeof ending, "%s.jsonl", path);
    assert_int_equal(rename(path, ending), 0);
    char *text;
    mn_err err;
    assert_int_equal(read_all(&text, &(mn_symbols_opts){.path = ending}, 1, &err), MN_ERR_INPUT);
    assert_non_null(strstr(err.message, "not valid JSON"));
    assert_int_equal(rename(ending, path), 0);
}

static void alphabets_are_in_byte_order(void **state)
{
    (void)state;
    mn_symbols *s;
    WRITE("b \xC3\xA4 10 9 B aa a 9 b");
    const char *const sorted[] = {"10", "9", "B", "a", "aa", "b", "\xC3\xA4"};
    assert_int_equal(mn_symbols_open(&s, &(mn_symbols_opts){.path = path}, NULL), MN_OK);
    assert_int_equal(mn_symbols_kind(s), MN_SYMBOLS_TOKENS);
    assert_int_equal(mn_symbols_alphabet(s), 7);
    for (int32_t i = 0; i < 7; i++) assert_string_equal(mn_symbols_name(s, i), sorted[i]);
    mn_symbols_free(s);
    const struct {
        const char *alphabet, *names[4];
        size_t n;
    } declared[] = {{"TGCA", {"T", "G", "C", "A"}, 4},
                    {"no yes", {"no", "yes"}, 2},
                    {"  b,a\n", {"b", "a"}, 2},
                    {"\xC3\xA4"
                     "b",
                     {"\xC3\xA4", "b"},
                     2},
                    {",ab cd", {"ab", "cd"}, 2}};
    for (size_t i = 0; i < sizeof declared / sizeof *declared; i++) {
        assert_int_equal(mn_symbols_open(&s, &(mn_symbols_opts){.path = path, .alphabet = declared[i].alphabet}, NULL), MN_OK);
        assert_int_equal(mn_symbols_alphabet(s), declared[i].n);
        for (size_t k = 0; k < declared[i].n; k++) assert_string_equal(mn_symbols_name(s, (int32_t)k), declared[i].names[k]);
        mn_symbols_free(s);
    }
}

static void alphabets_come_from_models(void **state)
{
    (void)state;
    const char *const names[] = {"b", "x y", "a"};
    double lp[3] = {0};
    mn_model *model;
    mn_symbols *s;
    lp[1] = lp[2] = -1000;
    assert_int_equal(mn_table_new(&model, 3, 0, lp, names, NULL), MN_OK);
    WRITE("{\"symbols\": [\"a\", \"x y\"]}");
    mn_symbols_opts opts = {.path = path, .model = model};
    assert_int_equal(mn_symbols_open(&s, &opts, NULL), MN_OK);
    mn_model_free(model);
    assert_int_equal(mn_symbols_alphabet(s), 3);
    assert_string_equal(mn_symbols_name(s, 1), "x y");
    int32_t ids[4];
    size_t n;
    bool begins;
    assert_int_equal(mn_symbols_next(s, ids, 4, &n, &begins, NULL), MN_OK);
    assert_true(n == 2 && begins && ids[0] == 2 && ids[1] == 1);
    mn_symbols_free(s);
}

static void characters(void **state)
{
    (void)state;
    mn_symbols_opts opts = {.format = MN_SYMBOLS_CHARACTERS};
    WRITE("a,b \xE2\x82\xAC\n\xF0\x9F\x98\x80 a");
    expect("|a , b \xE2\x82\xAC \xF0\x9F\x98\x80 a ", opts);
    WRITE("ab\na\xC3(");
    expect_failure(MN_ERR_INPUT, 2, 2, "expected UTF-8, got the byte 0xC3 (the bytes format takes anything)", opts);
    WRITE("ab\xE2\x82");
    expect_failure(MN_ERR_INPUT, 1, 3, "expected UTF-8, got the byte 0xE2 (the bytes format takes anything)", opts);
    WRITE("ab\n\n \0c");
    expect_failure(MN_ERR_INPUT, 3, 2, "expected text, got a NUL byte (the bytes format takes anything)", opts);
    WRITE("abc\nabxc");
    opts.alphabet = "abc";
    expect_failure(MN_ERR_INPUT, 2, 3, "\"x\" is not in the alphabet of 3 symbols: a b c", opts);
}

static void tokens(void **state)
{
    (void)state;
    mn_symbols_opts opts = {.format = MN_SYMBOLS_TOKENS};
    static char text[4200];
    WRITE(",, yes,no\t maybe\r\n\n yes");
    expect("|yes no maybe yes ", opts);
    WRITE("a b\n a b\xFF"
          "c");
    expect_failure(MN_ERR_INPUT, 2, 4, "expected UTF-8, got the byte 0xFF (the bytes format takes anything)", opts);
    WRITE("a b\na b\0c");
    expect_failure(MN_ERR_INPUT, 2, 4, "expected text, got a NUL byte (the bytes format takes anything)", opts);
    memset(text, 'x', sizeof text);
    text[4096] = text[4098] = ' ';
    write_bytes(text, 4098);
    char *all;
    assert_int_equal(read_all(&all, &(mn_symbols_opts){.path = path}, 2, NULL), MN_OK);
    assert_int_equal(strlen(all), 1 + 4097 + 2);
    free(all);
    text[4096] = 'x';
    write_bytes(text, 4098);
    expect_failure(MN_ERR_INPUT, 1, 1, "a token of more than 4096 bytes (of a text without separators: the characters format)",
                   opts);
    WRITE("left\nright  up");
    opts.alphabet = "left right";
    expect_failure(MN_ERR_INPUT, 2, 8, "\"up\" is not in the alphabet of 2 symbols: left right", opts);
}

static void bytes(void **state)
{
    (void)state;
    mn_symbols_opts opts = {.format = MN_SYMBOLS_BYTES};
    WRITE("a\0\n~\xFF");
    expect("|a 0x00 0x0A ~ 0xFF ", opts);
    opts.alphabet = "ab";
    expect_failure(MN_ERR_USAGE, 0, 0, "bytes are an alphabet: none can be declared", opts);
}

static void transcripts(void **state)
{
    (void)state;
    WRITE("{\"symbols\": [\"a\", \"b\"]}\n"
          "\n"
          "{\"symbols\": []}\r\n"
          "{\"symbols\": [\"b\"], \"id\": 7}");
    expect("|a b |b ", ANY);
    WRITE("{\"turns\": [{\"role\": \"t\", \"text\": \"Hi.\", \"move\": \"greet\"}, {\"role\": \"s\", \"text\": \"Oh?\"}]}\n"
          "{\"turns\": [{\"role\": \"t\", \"text\": \"Go on.\", \"move\": \"ask\"}]}\n"
          "{\"turns\": [{\"role\": \"s\", \"text\": \"No.\"}]}\n");
    expect("|Hi. Oh? |Go on. |No. ", ANY);
    expect("|greet |ask ", (mn_symbols_opts){.role = "t", .field = "move"});
    expect("|Oh? |No. ", (mn_symbols_opts){.role = "s"});
    expect_failure(MN_ERR_INPUT, 1, 0, "turn 2 of the s: expected \"move\": a text that is not empty",
                   (mn_symbols_opts){.field = "move"});
    expect_failure(MN_ERR_INPUT, 0, 0, "no symbols: no turn has the role \"x\"", (mn_symbols_opts){.role = "x"});
    expect_failure(MN_ERR_INPUT, 2, 0, "\"Go on.\" is not in the alphabet of 3 symbols: Hi. Oh? No.",
                   (mn_symbols_opts){.alphabet = "Hi. Oh? No."});
    WRITE("a b");
    expect_failure(MN_ERR_USAGE, 0, 0, "a role or a field is chosen, but these are not transcripts",
                   (mn_symbols_opts){.role = "t"});
    expect_failure(MN_ERR_USAGE, 0, 0, "a role or a field is chosen, but these are not transcripts",
                   (mn_symbols_opts){.field = "t"});
}

static void wrong_transcripts(void **state)
{
    (void)state;
    static const struct {
        const char *line, *message;
        size_t column;
    } wrong[] = {
        {"[\"a\"]", "expected an object with either \"symbols\" or \"turns\"", 0},
        {"{\"symbols\": [\"a\"], \"turns\": []}", "expected an object with either \"symbols\" or \"turns\"", 0},
        {"{\"symbols\": \"ab\"}", "\"symbols\": expected a list of texts", 0},
        {"{\"symbols\": [\"a\", 1]}", "symbol 2: expected a text that is not empty", 0},
        {"{\"symbols\": [\"\"]}", "symbol 1: expected a text that is not empty", 0},
        {"{\"turns\": {}}", "\"turns\": expected a list of turns", 0},
        {"{\"turns\": [3]}", "turn 1: expected \"text\": a text that is not empty", 0},
        {"{\"turns\": [{\"role\": 3, \"text\": \"\"}]}", "turn 1: expected \"text\": a text that is not empty", 0},
        {"{\"symbols\": [\"a\"", "not valid JSON: ']' expected near end of file", 16},
    };
    char text[200];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        size_t n = (size_t)snprintf(text, sizeof text, "{\"symbols\": [\"a\", \"b\"]}\n\n%s\n", wrong[i].line);
        write_bytes(text, n);
        expect_failure(MN_ERR_INPUT, 3, wrong[i].column, wrong[i].message, ANY);
    }
    WRITE("{\"turns\": [{\"text\": \"a\"}]}");
    expect_failure(MN_ERR_INPUT, 1, 0, "turn 1: expected \"role\": a text", (mn_symbols_opts){.role = "t"});
}

static void too_few_and_too_many(void **state)
{
    (void)state;
    static const mn_symbols_format formats[] = {MN_SYMBOLS_AUTO, MN_SYMBOLS_CHARACTERS, MN_SYMBOLS_TOKENS,
                                                MN_SYMBOLS_TRANSCRIPTS, MN_SYMBOLS_BYTES};
    WRITE("");
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        expect_failure(MN_ERR_INPUT, 0, 0, "no symbols: expected at least one", (mn_symbols_opts){.format = formats[i]});
        if (formats[i] != MN_SYMBOLS_BYTES)
            expect_failure(MN_ERR_INPUT, 0, 0, "no symbols: expected at least one",
                           (mn_symbols_opts){.format = formats[i], .alphabet = "ab"});
    }
    WRITE(" \n\r\n");
    expect_failure(MN_ERR_INPUT, 0, 0, "no symbols: expected at least one", ANY);
    WRITE("aaaa\n");
    expect_failure(MN_ERR_INPUT, 0, 0, "only one symbol, \"a\": expected at least two (or a declared alphabet)", ANY);
    expect("|a a a a ", (mn_symbols_opts){.alphabet = "ab"});
    expect_failure(MN_ERR_INPUT, 0, 0, "only one symbol, \"a\": expected at least two in the alphabet",
                   (mn_symbols_opts){.alphabet = "a"});
    expect_failure(MN_ERR_INPUT, 0, 0, "only one symbol: expected at least two in the alphabet",
                   (mn_symbols_opts){.alphabet = ""});
    expect_failure(MN_ERR_INPUT, 0, 0, "alphabet: the symbol \"a\" is there twice", (mn_symbols_opts){.alphabet = "aba"});
    expect_failure(MN_ERR_INPUT, 0, 0, "alphabet: expected UTF-8", (mn_symbols_opts){.alphabet = "ab\xC3"});
    FILE *f = fopen(path, "w");
    for (int i = 0; i < 65536; i++) fprintf(f, "%d\n", i);
    fclose(f);
    mn_symbols *s;
    assert_int_equal(mn_symbols_open(&s, &(mn_symbols_opts){.path = path}, NULL), MN_OK);
    assert_int_equal(mn_symbols_alphabet(s), 65536);
    assert_string_equal(mn_symbols_name(s, 65535), "9999");
    mn_symbols_free(s);
    f = fopen(path, "a");
    fprintf(f, "one more");
    fclose(f);
    expect_failure(MN_ERR_INPUT, 65537, 1, "more than 65536 different symbols; expected at most as many", ANY);
    mn_err err;
    assert_int_equal(mn_symbols_open(&s, &(mn_symbols_opts){.path = "/nowhere/x"}, &err), MN_ERR_IO);
    assert_string_equal(err.message, "cannot be opened: No such file or directory");
    assert_int_equal(mn_symbols_open(&s, &(mn_symbols_opts){.path = "/tmp"}, &err), MN_ERR_IO);
    assert_string_equal(err.message, "cannot be read: Is a directory");
}

/* ---- against reading that is done all at once ---- */

/* A long text: n symbols of 1 to 4 bytes with white space between, and what read_all makes of it. */
static void random_text(mn_rng *rng, bool token, size_t n, char **text, size_t *len, char **expected, size_t *expected_len)
{
    static const char *const symbols[] = {"a", "b", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "z"};
    static const char *const spaces[] = {" ", "\n", "\r\n", "\t", " ,\n,"};
    FILE *t = open_memstream(text, len), *e = open_memstream(expected, expected_len);
    fputc('|', e);
    for (size_t i = 0; i < n; i++) {
        size_t parts = token ? 1 + mn_rng_below(rng, 3) : 1;
        for (size_t k = 0; k < parts; k++) {
            const char *symbol = symbols[mn_rng_below(rng, 6)];
            fputs(symbol, t), fputs(symbol, e);
        }
        fputc(' ', e);
        if (token || mn_rng_below(rng, 20) == 0) fputs(spaces[mn_rng_below(rng, token ? 5 : 4)], t);
    }
    fclose(t), fclose(e);
}

static void blocks_make_no_difference(void **state)
{
    (void)state;
    mn_rng rng = mn_rng_split(4, 0, 1000);
    for (int token = 0; token < 2; token++) {
        char *text, *expected, *got;
        size_t len, expected_len;
        random_text(&rng, token, 400000, &text, &len, &expected, &expected_len);
        assert_true(len > 3 * (1 << 18)); /* several blocks */
        write_bytes(text, len);
        mn_symbols_opts opts = {.path = path, .format = token ? MN_SYMBOLS_TOKENS : MN_SYMBOLS_CHARACTERS};
        assert_int_equal(read_all(&got, &opts, 999, NULL), MN_OK);
        assert_int_equal(strlen(got), expected_len);
        assert_memory_equal(got, expected, expected_len);
        free(text), free(expected), free(got);
    }
}

typedef struct feed {
    int fd;
    const char *data;
    size_t len;
} feed;

/* Writes in pieces of all sizes, so that reads end anywhere. */
static void *feed_pipe(void *arg)
{
    feed *f = arg;
    for (size_t at = 0, piece = 1; at < f->len; at += piece, piece = piece % 997 + 1) {
        if (piece > f->len - at) piece = f->len - at;
        if (write(f->fd, f->data + at, piece) != (ssize_t)piece) break;
    }
    close(f->fd);
    return NULL;
}

static char *read_pipe(const char *data, const char *alphabet)
{
    int ends[2];
    char name[32], *got = NULL;
    pthread_t thread;
    assert_int_equal(pipe(ends), 0);
    feed f = {ends[1], data, strlen(data)};
    snprintf(name, sizeof name, "/dev/fd/%d", ends[0]);
    pthread_create(&thread, NULL, feed_pipe, &f);
    mn_symbols_opts opts = {.path = name, .alphabet = alphabet};
    mn_status status = read_all(&got, &opts, 1000, NULL);
    close(ends[0]);
    pthread_join(thread, NULL);
    assert_int_equal(status, MN_OK);
    return got;
}

static void pipes(void **state)
{
    (void)state;
    mn_rng rng = mn_rng_split(5, 0, 1000);
    char *text, *expected;
    size_t len, expected_len;
    random_text(&rng, true, 100000, &text, &len, &expected, &expected_len);
    char *got = read_pipe(text, NULL);
    assert_string_equal(got, expected);
    free(got), free(text), free(expected);
    got = read_pipe("0110100", "01");
    assert_string_equal(got, "|0 1 1 0 1 0 0 ");
    free(got);
    got = read_pipe("{\"symbols\": [\"b\"]}\n{\"symbols\": [\"a\", \"b\"]}", NULL);
    assert_string_equal(got, "|b |a b ");
    free(got);
}

/* ---- memory that ends ---- */

/* Opens and reads with each allocation failing in turn; how many failed. */
static size_t failures(const mn_symbols_opts *opts)
{
    int32_t ids[64];
    size_t n, failed = 0;
    bool begins;
    for (mn_status status = MN_ERR_MEMORY; status != MN_OK; failed++) {
        mn_symbols *s = NULL;
        until_failure = failed;
        status = mn_symbols_open(&s, opts, NULL);
        while (status == MN_OK && (status = mn_symbols_next(s, ids, 64, &n, &begins, NULL)) == MN_OK && n) continue;
        until_failure = SIZE_MAX;
        mn_symbols_free(s);
        assert_true(status == MN_OK || status == MN_ERR_MEMORY);
    }
    return failed - 1;
}

static void memory_may_end_anywhere(void **state)
{
    (void)state;
    WRITE("0110");
    assert_in_range(failures(&(mn_symbols_opts){.path = path}), 8, 40);
    FILE *f = fopen(path, "w");
    for (int i = 0; i < 300; i++) fprintf(f, "token%d\n", i);
    fclose(f);
    assert_in_range(failures(&(mn_symbols_opts){.path = path}), 12, 60);
    f = fopen(path, "w");
    fputs("{\"symbols\": [", f);
    for (int i = 0; i < 600; i++) fprintf(f, "%s\"token%d\"", i ? ", " : "", i);
    fputs("]}\n{\"symbols\": [\"token1\"]}", f);
    fclose(f);
    assert_in_range(failures(&(mn_symbols_opts){.path = path}), 12, 200);
}

static void memory_may_end_on_a_pipe(void **state)
{
    (void)state;
    mn_status status = MN_ERR_MEMORY;
    size_t failed = 0;
    for (; status != MN_OK; failed++) {
        int ends[2];
        char name[32];
        mn_symbols *s = NULL;
        assert_int_equal(pipe(ends), 0);
        assert_int_equal(write(ends[1], "0110 ", 5), 5);
        close(ends[1]);
        snprintf(name, sizeof name, "/dev/fd/%d", ends[0]);
        mn_symbols_opts opts = {.path = name};
        until_failure = failed;
        status = mn_symbols_open(&s, &opts, NULL);
        until_failure = SIZE_MAX;
        mn_symbols_free(s);
        close(ends[0]);
        assert_true(status == MN_OK || status == MN_ERR_MEMORY);
    }
    assert_in_range(failed, 8, 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_are_told_by_the_beginning),
        cmocka_unit_test(alphabets_are_in_byte_order),
        cmocka_unit_test(alphabets_come_from_models),
        cmocka_unit_test(characters),
        cmocka_unit_test(tokens),
        cmocka_unit_test(bytes),
        cmocka_unit_test(transcripts),
        cmocka_unit_test(wrong_transcripts),
        cmocka_unit_test(too_few_and_too_many),
        cmocka_unit_test(blocks_make_no_difference),
        cmocka_unit_test(pipes),
        cmocka_unit_test(memory_may_end_anywhere),
        cmocka_unit_test(memory_may_end_on_a_pipe),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
