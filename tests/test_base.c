/* What every layer stands on: random streams, buffers, JSON, lines, files, threads, statistics. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "base/logspace.h"
#include "base/stats.h"
#include "base/threads.h"

/* ---- a folder of our own ---- */

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/mightnt-base-XXXXXX");
    return mkdtemp(folder) ? 0 : 1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static const char *inside(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *path, const char *data, size_t len)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

/* ---- random streams ---- */

/* Known answers of Philox4x32-10 from the Random123 distribution (Salmon et al. 2011, kat_vectors); a draw is the first two words. */
static void rng_matches_known_answers(void **state)
{
    (void)state;
    struct {
        mn_rng rng;
        uint64_t word;
    } known[] = {
        {{.seed = 0, .episode = 0, .purpose = 0, .draw = 0}, 0xe169c58d6627e8d5},
        {{.seed = UINT64_MAX, .episode = UINT64_MAX, .purpose = UINT32_MAX, .draw = UINT32_MAX}, 0x41c83b0e408f276d},
        {{.seed = 0x299f31d0a4093822, .episode = 0x0370734413198a2e, .purpose = 0x85a308d3, .draw = 0x243f6a88}, 0x94fdccebd16cfe09},
    };
    for (size_t i = 0; i < 3; i++) {
        mn_rng a = known[i].rng, b = known[i].rng;
        double u = mn_rng_uniform(&a);
        uint64_t low = mn_rng_below(&b, UINT64_C(1) << 63);
        assert_true(u == ldexp((double)(known[i].word >> 11), -53));
        assert_true(low == (known[i].word & INT64_MAX));
        assert_true(a.draw == known[i].rng.draw + 1);
    }
}

static void rng_streams_do_not_disturb_each_other(void **state)
{
    (void)state;
    mn_rng a = mn_rng_split(7, 3, MN_STREAM_TOKEN), b = mn_rng_split(7, 3, MN_STREAM_OPENING), again = a;
    double first = mn_rng_uniform(&a), second = mn_rng_uniform(&a);
    assert_true(first != mn_rng_uniform(&b));
    for (int i = 0; i < 100; i++) mn_rng_uniform(&b);
    assert_true(first == mn_rng_uniform(&again) && second == mn_rng_uniform(&again));
}

static void rng_uniform_is_uniform_and_normal_normal(void **state)
{
    (void)state;
    enum { N = 100000 };
    mn_rng rng = mn_rng_split(1, 0, MN_STREAM_USER);
    mn_stats uniform = {0}, normal = {0}, square = {0};
    for (size_t i = 0; i < N; i++) {
        double u = mn_rng_uniform(&rng), x = mn_rng_normal(&rng);
        assert_true(u >= 0 && u < 1);
        mn_stats_add(&uniform, u);
        mn_stats_add(&normal, x);
        mn_stats_add(&square, x * x);
    }
    assert_true(fabs(mn_z_score(uniform.mean, .5, sqrt(1.0 / 12 / N))) < 4);
    assert_true(fabs(mn_stats_variance(&uniform) - 1.0 / 12) < .001);
    assert_true(fabs(mn_z_score(normal.mean, 0, mn_stats_error(&normal))) < 4);
    assert_true(fabs(mn_z_score(square.mean, 1, mn_stats_error(&square))) < 4);
}

static void rng_below_rejects_what_would_bias(void **state)
{
    (void)state;
    /* Of 2^64 words only the 2^63 + 1 lowest may be used: about half the draws are thrown away, and the mean is n/2. */
    const uint64_t n = (UINT64_C(1) << 63) + 1;
    mn_rng rng = mn_rng_split(2, 0, MN_STREAM_USER);
    mn_stats mean = {0};
    for (size_t i = 0; i < 10000; i++) {
        uint64_t x = mn_rng_below(&rng, n);
        assert_true(x < n);
        mn_stats_add(&mean, (double)x / (double)n);
    }
    assert_in_range(rng.draw, 19000, 21000);
    assert_true(fabs(mn_z_score(mean.mean, .5, sqrt(1.0 / 12 / 10000))) < 4);
    size_t count[3] = {0};
    for (size_t i = 0; i < 30000; i++) count[mn_rng_below(&rng, 3)]++;
    for (size_t i = 0; i < 3; i++) assert_in_range(count[i], 9600, 10400);
    assert_int_equal(mn_rng_below(&rng, 1), 0);
}

static void sample_takes_the_first_past_u(void **state)
{
    (void)state;
    const double lp[] = {-INFINITY, log(.25), log(.5), -INFINITY, log(.25), -INFINITY};
    assert_int_equal(mn_sample(lp, 6, 0), 1);
    assert_int_equal(mn_sample(lp, 6, .24), 1);
    assert_int_equal(mn_sample(lp, 6, .26), 2);
    assert_int_equal(mn_sample(lp, 6, .74), 2);
    assert_int_equal(mn_sample(lp, 6, .76), 4);
    assert_int_equal(mn_sample(lp, 6, nextafter(1, 0)), 4);
    /* Not normalised: the same proportions. */
    const double twice[] = {log(.5), log(1.5)};
    assert_int_equal(mn_sample(twice, 2, .24), 0);
    assert_int_equal(mn_sample(twice, 2, .26), 1);
}

/* ---- buffers ---- */

static void buf_grows_and_stays_terminated(void **state)
{
    (void)state;
    mn_buf buf = {0};
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(mn_buf_printf(&buf, "%d,", i), MN_OK);
        assert_int_equal(buf.data[buf.len], 0);
    }
    assert_int_equal(buf.len, 10 * 2 + 90 * 3 + 900 * 4);
    assert_memory_equal(buf.data + buf.len - 4, "999,", 5);
    mn_buf_clear(&buf);
    assert_string_equal(buf.data, "");
    assert_int_equal(mn_buf_put(&buf, NULL, 0), MN_OK);
    assert_int_equal(mn_buf_puts(&buf, "x"), MN_OK);
    assert_int_equal(mn_buf_reserve(&buf, SIZE_MAX), MN_ERR_MEMORY);
    assert_int_equal(mn_buf_reserve(&buf, SIZE_MAX - 1), MN_ERR_MEMORY);
    assert_string_equal(buf.data, "x");
    mn_buf_free(&buf);
    assert_null(buf.data);
    mn_buf_free(&buf);
}

/* ---- JSON ---- */

static void json_num_is_short_and_round_trips(void **state)
{
    (void)state;
    const struct {
        double x;
        const char *text;
    } known[] = {{0, "0"},
                 {-0.0, "-0"},
                 {.1, "0.1"},
                 {1e300, "1e+300"},
                 {5e-324, "4.94065645841247e-324"},
                 {2.0 / 3, "0.6666666666666666"},
                 {.1 + .2, "0.30000000000000004"},
                 {INFINITY, "\"inf\""},
                 {-INFINITY, "\"-inf\""},
                 {1e15, "1e+15"},
                 {123456789012345, "123456789012345"}};
    mn_buf buf = {0};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        mn_buf_clear(&buf);
        assert_int_equal(mn_json_num(&buf, known[i].x), MN_OK);
        assert_string_equal(buf.data, known[i].text);
    }
    mn_rng rng = mn_rng_split(3, 0, MN_STREAM_USER);
    for (int i = 0; i < 20000; i++) {
        union {
            uint64_t word;
            double x;
        } any = {.word = mn_rng_below(&rng, UINT64_MAX)};
        if (!isfinite(any.x)) continue;
        mn_buf_clear(&buf);
        assert_int_equal(mn_json_num(&buf, any.x), MN_OK);
        assert_true(strtod(buf.data, NULL) == any.x && buf.len <= 24);
    }
    mn_buf_clear(&buf);
    assert_int_equal(mn_json_num(&buf, NAN), MN_ERR_NUM);
    assert_int_equal(buf.len, 0);
    assert_int_equal(mn_json_nums(&buf, (double[]){1, INFINITY}, 2), MN_OK);
    assert_string_equal(buf.data, "[1, \"inf\"]");
    mn_buf_free(&buf);
}

static void check_string(const char *text, size_t len, const char *expected)
{
    mn_buf buf = {0};
    assert_int_equal(mn_json_str(&buf, text, len), MN_OK);
    if (expected) assert_string_equal(buf.data, expected);
    json_t *value = json_loadb(buf.data, buf.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    assert_non_null(value);
    json_decref(value);
    mn_buf_free(&buf);
}

#define FFFD "\xEF\xBF\xBD"

static void json_str_is_always_valid(void **state)
{
    (void)state;
    check_string("", 0, "\"\"");
    check_string("a\"b\\c/\n\r\t\b\f", 11, "\"a\\\"b\\\\c/\\n\\r\\t\\b\\f\"");
    check_string("\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\\u007f\"");
    check_string("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 9, "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"");
    check_string("x\xC3", 2, "\"x" FFFD "\"");                          /* cut short */
    check_string("\xC0\xAF", 2, "\"" FFFD FFFD "\"");                   /* overlong */
    check_string("\xED\xA0\x80", 3, "\"" FFFD FFFD FFFD "\"");          /* a surrogate */
    check_string("\xF4\x90\x80\x80", 4, "\"" FFFD FFFD FFFD FFFD "\""); /* past U+10FFFF */
    check_string("\xE2\x82z\xFF", 4, "\"" FFFD FFFD "z" FFFD "\"");
    mn_rng rng = mn_rng_split(4, 0, MN_STREAM_USER);
    for (int i = 0; i < 2000; i++) {
        char bytes[12];
        for (size_t k = 0; k < sizeof bytes; k++) bytes[k] = (char)mn_rng_below(&rng, 256);
        check_string(bytes, sizeof bytes, NULL);
    }
}

static void json_parse_says_where(void **state)
{
    (void)state;
    json_t *value;
    mn_err err;
    double x = 7;
    const char *good = "{\"a\": [1, 2.5, \"inf\", \"-inf\", \"nan\", true]}";
    assert_int_equal(mn_json_parse(&value, good, strlen(good), "f", 1, &err), MN_OK);
    const json_t *list = json_object_get(value, "a");
    const double expected[] = {1, 2.5, INFINITY, -INFINITY};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(mn_json_number(&x, json_array_get(list, i)), MN_OK);
        assert_true(x == expected[i]);
    }
    assert_int_equal(mn_json_number(&x, json_array_get(list, 4)), MN_ERR_INPUT);
    assert_int_equal(mn_json_number(&x, json_array_get(list, 5)), MN_ERR_INPUT);
    assert_int_equal(mn_json_number(&x, NULL), MN_ERR_INPUT);
    assert_true(x == -INFINITY);
    json_decref(value);
    assert_int_equal(mn_json_parse(&value, "{\"a\": 1, \"a\": 2}", 16, "f", 9, &err), MN_ERR_INPUT);
    assert_int_equal(err.line, 9);
    assert_string_equal(err.file, "f");
    assert_int_equal(mn_json_parse(&value, "{\"\xC3\xA9\": 1,\n  x}", 14, "f", 0, &err), MN_ERR_INPUT);
    assert_int_equal(err.line, 2);
    assert_int_equal(err.column, 3);
    assert_int_equal(mn_json_parse(&value, "{} {}", 5, "f", 1, &err), MN_ERR_INPUT);
    assert_int_equal(mn_json_parse(&value, "", 0, "f", 1, &err), MN_ERR_INPUT);
    assert_int_equal(mn_json_parse(&value, "{\"a\": NaN}", 10, "f", 1, &err), MN_ERR_INPUT);
    assert_int_equal(mn_json_parse(&value, "{\"a\": \"\\u0000\"}", 15, "f", 1, NULL), MN_ERR_INPUT);
}

static void lines_are_read_whatever_their_length(void **state)
{
    (void)state;
    const char *path = inside("lines");
    mn_lines lines;
    mn_err err;
    char *line, *data = malloc(1 << 20);
    size_t len, long_line = (1 << 20) - 20;
    bool end;
    assert_non_null(data);
    memset(data, 'x', 1 << 20);
    memcpy(data, "one\r\n\n", 6);
    memcpy(data + 6 + long_line, "\nlast", 5);
    write_file(path, data, 6 + long_line + 5);
    assert_int_equal(mn_lines_open(&lines, path, &err), MN_OK);
    const size_t lengths[] = {3, 0, long_line, 4};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(mn_lines_next(&lines, &line, &len, &end, &err), MN_OK);
        assert_false(end);
        assert_int_equal(len, lengths[i]);
        assert_int_equal(line[len], 0);
        assert_int_equal(lines.number, i + 1);
    }
    assert_string_equal(line, "last");
    assert_int_equal(mn_lines_next(&lines, &line, &len, &end, &err), MN_OK);
    assert_true(end);
    mn_lines_close(&lines);
    unlink(path);
    free(data);
}

static void lines_refuse_what_is_not_text(void **state)
{
    (void)state;
    const char *path = inside("lines");
    mn_lines lines;
    mn_err err;
    char *line;
    size_t len;
    bool end;
    write_file(path, "ok\nb\0d\n", 7);
    assert_int_equal(mn_lines_open(&lines, path, &err), MN_OK);
    assert_int_equal(mn_lines_next(&lines, &line, &len, &end, &err), MN_OK);
    assert_int_equal(mn_lines_next(&lines, &line, &len, &end, &err), MN_ERR_INPUT);
    assert_int_equal(err.line, 2);
    assert_int_equal(err.column, 2);
    mn_lines_close(&lines);
    unlink(path);
    assert_int_equal(mn_lines_open(&lines, path, &err), MN_ERR_IO);
    mn_lines_close(&lines);
    assert_int_equal(mn_lines_open(&lines, folder, &err), MN_OK);
    assert_int_equal(mn_lines_next(&lines, &line, &len, &end, &err), MN_ERR_IO);
    mn_lines_close(&lines);
}

/* ---- files ---- */

static void file_is_replaced_whole(void **state)
{
    (void)state;
    char path[128], temporary[160];
    mn_err err;
    mn_buf buf = {0};
    struct stat st;
    snprintf(path, sizeof path, "%s", inside("file"));
    snprintf(temporary, sizeof temporary, "%s.tmp", path);
    assert_false(mn_file_exists(path));
    assert_int_equal(mn_file_write_atomic(path, "old", 3, &err), MN_OK);
    assert_int_equal(mn_file_write_atomic(path, "n\0w!", 4, &err), MN_OK);
    assert_int_equal(mn_file_read(&buf, path, &err), MN_OK);
    assert_int_equal(buf.len, 4);
    assert_memory_equal(buf.data, "n\0w!", 5);
    assert_false(mn_file_exists(temporary));
    /* A full disk: the temporary goes, the file stays. */
    assert_int_equal(symlink("/dev/full", temporary), 0);
    assert_int_equal(mn_file_write_atomic(path, "lost", 4, &err), MN_ERR_IO);
    assert_non_null(strstr(err.message, "No space left"));
    assert_string_equal(err.file, path);
    assert_int_not_equal(lstat(temporary, &st), 0);
    mn_buf_clear(&buf);
    assert_int_equal(mn_file_read(&buf, path, &err), MN_OK);
    assert_memory_equal(buf.data, "n\0w!", 5);
    unlink(path);
    assert_int_equal(mn_file_read(&buf, path, &err), MN_ERR_IO);
    assert_int_equal(mn_file_read(&buf, folder, &err), MN_ERR_IO);
    assert_int_equal(mn_file_write_atomic(inside("no/such"), "x", 1, NULL), MN_ERR_IO);
    mn_buf_free(&buf);
}

static void file_hashes(void **state)
{
    (void)state;
    char hex[65];
    mn_err err;
    const char *path = inside("abc");
    write_file(path, "abc", 3); /* FIPS 180-2, B.1 */
    assert_int_equal(mn_file_sha256(hex, path, &err), MN_OK);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    write_file(path, "", 0);
    assert_int_equal(mn_file_sha256(hex, path, &err), MN_OK);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    unlink(path);
    assert_int_equal(mn_file_sha256(hex, path, &err), MN_ERR_IO);
    assert_int_equal(mn_file_sha256(hex, folder, &err), MN_ERR_IO);
}

static void cache_folder_follows_the_environment(void **state)
{
    (void)state;
    char out[64];
    mn_err err;
    setenv("HOME", "/h", 1);
    unsetenv("XDG_CACHE_HOME");
    unsetenv("MIGHTNT_CACHE");
    assert_int_equal(mn_cache_path(out, sizeof out, "a/b", &err), MN_OK);
    assert_string_equal(out, "/h/.cache/mightnt/a/b");
    setenv("XDG_CACHE_HOME", "/x", 1);
    assert_int_equal(mn_cache_path(out, sizeof out, "", &err), MN_OK);
    assert_string_equal(out, "/x/mightnt");
    setenv("MIGHTNT_CACHE", "/m", 1);
    assert_int_equal(mn_cache_path(out, sizeof out, "a", &err), MN_OK);
    assert_string_equal(out, "/m/a");
    assert_int_equal(mn_cache_path(out, 4, "a", &err), MN_ERR_IO);
    unsetenv("HOME");
    unsetenv("XDG_CACHE_HOME");
    unsetenv("MIGHTNT_CACHE");
    assert_int_equal(mn_cache_path(out, sizeof out, "a", &err), MN_ERR_IO);
}

/* ---- threads ---- */

typedef struct tally {
    atomic_uint seen[1000];
    atomic_bool strange;
    size_t threads, fail_from;
} tally;

static mn_status count_task(void *arg, size_t task, size_t thread, mn_err *err)
{
    tally *t = arg;
    if (thread >= t->threads) atomic_store(&t->strange, true);
    atomic_fetch_add(&t->seen[task], 1);
    if (task >= t->fail_from) return mn_fail(err, MN_ERR_NUM, "task %zu", task);
    return MN_OK;
}

static void parallel_does_each_task_once(void **state)
{
    (void)state;
    for (size_t threads = 0; threads <= 8; threads++) {
        tally t = {.threads = threads ? threads : 1, .fail_from = SIZE_MAX};
        assert_int_equal(mn_parallel(threads, 1000, count_task, &t, NULL), MN_OK);
        for (size_t i = 0; i < 1000; i++) assert_int_equal(t.seen[i], 1);
        assert_false(t.strange);
    }
    assert_int_equal(mn_parallel(4, 0, count_task, NULL, NULL), MN_OK);
}

static void parallel_reports_the_lowest_failure(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        tally t = {.threads = 4, .fail_from = 37};
        mn_err err = {0};
        assert_int_equal(mn_parallel(4, 1000, count_task, &t, &err), MN_ERR_NUM);
        assert_string_equal(err.message, "task 37");
        assert_int_equal(t.seen[999], 0);
    }
}

/* ---- statistics ---- */

static void stats_by_hand(void **state)
{
    (void)state;
    const double x[] = {2, 4, 4, 4, 5, 5, 7, 9}; /* mean 5, squared deviations 32 */
    mn_stats a = mn_stats_of(x, 8), none = mn_stats_of(x, 0), one = mn_stats_of(x, 1);
    assert_true(fabs(a.mean - 5) < 1e-14 && fabs(mn_stats_variance(&a) - 32.0 / 7) < 1e-14);
    assert_true(fabs(mn_stats_error(&a) - sqrt(32.0 / 7 / 8)) < 1e-15);
    assert_true(none.n == 0 && none.mean == 0 && mn_stats_error(&none) == 0 && mn_stats_error(&one) == 0 && one.mean == 2);
    const double offset[] = {1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16}; /* variance 30; sums of squares would cancel */
    mn_stats b = mn_stats_of(offset, 4);
    assert_true(fabs(mn_stats_variance(&b) - 30) < 1e-6);
    mn_stats low = {.n = 4, .mean = 1, .m2 = 12 * 9}, high = {.n = 4, .mean = 11, .m2 = 12 * 16}; /* errors 3 and 4 */
    assert_true(mn_stats_z(&high, &low) == 2);
    assert_true(mn_z_score(1, 1, 0) == 0 && mn_z_score(2, 1, 0) == INFINITY && mn_z_score(3, 1, .5) == 4);
}

/* ---- log space ---- */

static void log_sums_keep_their_accuracy(void **state)
{
    (void)state;
    const double none[] = {-INFINITY, -INFINITY}, far[] = {-1000, -1000, -INFINITY}, high[] = {700, 710}, strange[] = {INFINITY, NAN};
    assert_true(mn_log_sum_exp(NULL, 0) == -INFINITY && mn_log_sum_exp(none, 2) == -INFINITY);
    assert_true(fabs(mn_log_sum_exp(far, 3) - (-1000 + log(2))) < 1e-12);
    assert_true(fabs(mn_log_sum_exp(high, 2) - (710 + log1p(exp(-10)))) < 1e-12);
    assert_true(mn_log_sum_exp(strange, 1) == INFINITY && isnan(mn_log_sum_exp(strange, 2)) && isnan(mn_log_sum_exp(strange + 1, 1)));
    const double mixed[] = {NAN, 1, 2};
    assert_true(isnan(mn_log_sum_exp(mixed, 3)));
    assert_true(mn_log1mexp(0) == -INFINITY && mn_log1mexp(-INFINITY) == 0 && isnan(mn_log1mexp(1)));
    for (double x = 1e-300; x < 700; x *= 1.37) { /* other ways to it: log(2 sinh(x/2)) - x/2, and the power series */
        double other = 0;
        for (int k = 60; k >= 1; k--) other -= exp(-k * x) / k;
        if (x < 1) other = log(2 * sinh(x / 2)) - x / 2;
        assert_true(fabs(mn_log1mexp(-x) / other - 1) < 4e-15);
    }
}

/* ---- words and numbers ---- */

static void numbers_are_read_strictly(void **state)
{
    (void)state;
    const struct {
        const char *text;
        mn_status status;
        double x;
    } known[] = {{"1", MN_OK, 1},          {"-1.5e3", MN_OK, -1500},    {"+.5", MN_OK, .5},      {"5.", MN_OK, 5},
                 {"-0", MN_OK, 0},         {"4.9e-324", MN_OK, 5e-324}, {"inf", MN_OK, INFINITY}, {"-.inf", MN_OK, -INFINITY},
                 {"1e309", MN_ERR_NUM, 0}, {"1e-400", MN_ERR_NUM, 0},   {"", MN_ERR_INPUT, 0},   {"nan", MN_ERR_INPUT, 0},
                 {" 1", MN_ERR_INPUT, 0},  {"1 ", MN_ERR_INPUT, 0},     {"0x1", MN_ERR_INPUT, 0}, {"1,5", MN_ERR_INPUT, 0},
                 {"-", MN_ERR_INPUT, 0},   {".", MN_ERR_INPUT, 0},      {"1e", MN_ERR_INPUT, 0}, {"infinity", MN_ERR_INPUT, 0},
                 {"--inf", MN_ERR_INPUT, 0}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        double x = 7;
        assert_int_equal(mn_text_num(&x, known[i].text), known[i].status);
        assert_true(x == (known[i].status ? 7 : known[i].x));
    }
    int64_t n = 7;
    assert_int_equal(mn_text_int(&n, "-9223372036854775808"), MN_OK);
    assert_true(n == INT64_MIN);
    assert_int_equal(mn_text_int(&n, "9223372036854775808"), MN_ERR_NUM);
    const char *bad[] = {"", "-", "1.0", " 1", "1 ", "1e3", "0x1"};
    for (size_t i = 0; i < 7; i++) assert_int_equal(mn_text_int(&n, bad[i]), MN_ERR_INPUT);
    assert_true(n == INT64_MIN);
}

static void nearest_is_near(void **state)
{
    (void)state;
    const char *names[] = {"train", "audit", "report"};
    assert_string_equal(mn_text_nearest("trian", names, 3), "train");
    assert_string_equal(mn_text_nearest("reports", names, 3), "report");
    assert_string_equal(mn_text_nearest("audit", names, 3), "audit");
    assert_null(mn_text_nearest("budget", names, 3));
    assert_null(mn_text_nearest("", names, 3));
    assert_null(mn_text_nearest("train", names, 0));
    char longest[5000];
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = 0;
    assert_null(mn_text_nearest(longest, names, 3));
}

/* ---- errors ---- */

static void errors_are_one_line(void **state)
{
    (void)state;
    mn_err err;
    char text[64];
    assert_int_equal(mn_fail_at(&err, MN_ERR_INPUT, "f.yaml", 3, 5, "bad\n%s", "value"), MN_ERR_INPUT);
    mn_err_format(&err, text, sizeof text);
    assert_string_equal(text, "f.yaml:3:5: bad value");
    assert_int_equal(mn_fail(NULL, MN_ERR_IO, "x"), MN_ERR_IO);
    assert_int_equal(mn_exit_status(MN_ERR_IO), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rng_matches_known_answers),
        cmocka_unit_test(rng_streams_do_not_disturb_each_other),
        cmocka_unit_test(rng_uniform_is_uniform_and_normal_normal),
        cmocka_unit_test(rng_below_rejects_what_would_bias),
        cmocka_unit_test(sample_takes_the_first_past_u),
        cmocka_unit_test(buf_grows_and_stays_terminated),
        cmocka_unit_test(json_num_is_short_and_round_trips),
        cmocka_unit_test(json_str_is_always_valid),
        cmocka_unit_test(json_parse_says_where),
        cmocka_unit_test(lines_are_read_whatever_their_length),
        cmocka_unit_test(lines_refuse_what_is_not_text),
        cmocka_unit_test(file_is_replaced_whole),
        cmocka_unit_test(file_hashes),
        cmocka_unit_test(cache_folder_follows_the_environment),
        cmocka_unit_test(parallel_does_each_task_once),
        cmocka_unit_test(parallel_reports_the_lowest_failure),
        cmocka_unit_test(stats_by_hand),
        cmocka_unit_test(log_sums_keep_their_accuracy),
        cmocka_unit_test(numbers_are_read_strictly),
        cmocka_unit_test(nearest_is_near),
        cmocka_unit_test(errors_are_one_line),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
