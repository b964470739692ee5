/* Time of the lexicon reward, one thread: CPU time, median of rounds, on made-up replies of 4 to 23 words, a third of them in
 * the lexicon. `bench_lexicon lines` writes the replies; bench/peers/lexicon_vader.py times the Python package on them. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/json.h"
#include "world/lexicon.h"

enum { LINES = 4000, ROUNDS = 15 };

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static mn_status read_words(mn_buf *words, size_t **at, size_t *n, const char *path, mn_err *err)
{
    mn_lines lines;
    mn_status status = mn_lines_open(&lines, path, err);
    MN_ALLOC_OR_FAIL(*at, 100000, err);
    while (status == MN_OK && *n < 100000) {
        char *line;
        size_t len;
        bool end;
        if ((status = mn_lines_next(&lines, &line, &len, &end, err)) != MN_OK || end) break;
        (*at)[(*n)++] = words->len;
        status = mn_buf_put(words, line, strcspn(line, "\t"));
        if (status == MN_OK) status = mn_buf_put(words, "", 1);
    }
    mn_lines_close(&lines);
    return status;
}

/* LINES replies, each with a NUL at its end. */
static mn_status make_lines(mn_buf *out, const char *path, mn_err *err)
{
    static const char *const others[] = {"the",   "a",      "I",      "you",    "is",        "it",    "to",
                                         "of",    "and",    "that",   "we",     "not",       "very",  "so",
                                         "but",   "REALLY", "number", "apples", "equation",  "times", "because",
                                         "think", "isn't",  "divide", "answer", "\U0001F601"};
    static const char *const ends[] = {"", "", "", "", "", ",", ".", "!", "?", "..."};
    mn_buf words = {0};
    size_t *at = NULL, n = 0;
    mn_rng rng = mn_rng_split(1, 0, MN_STREAM_USER);
    mn_status status = read_words(&words, &at, &n, path, err);
    for (size_t i = 0; i < LINES && status == MN_OK; i++) {
        size_t length = 4 + mn_rng_below(&rng, 20);
        for (size_t k = 0; k < length && status == MN_OK; k++) {
            bool known = mn_rng_below(&rng, 3) == 0;
            const char *word =
                known ? words.data + at[mn_rng_below(&rng, n)] : others[mn_rng_below(&rng, sizeof others / sizeof *others)];
            status = mn_buf_printf(out, "%s%s%s", k ? " " : "", word, ends[mn_rng_below(&rng, sizeof ends / sizeof *ends)]);
        }
        if (status == MN_OK) status = mn_buf_put(out, "", 1);
    }
    free(at);
    mn_buf_free(&words);
    return status;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static mn_status measure(const mn_lexicon *lexicon, const mn_buf *lines, mn_err *err)
{
    double seconds[ROUNDS], sum = 0;
    mn_lexicon_scratch scratch = {0};
    for (size_t round = 0; round < ROUNDS; round++) {
        double begin = cpu_seconds();
        sum = 0;
        for (const char *line = lines->data; line < lines->data + lines->len; line += strlen(line) + 1) {
            mn_sentiment s;
            if (mn_lexicon_score(&s, &scratch, lexicon, line, strlen(line)) != MN_OK)
                return mn_fail(err, MN_ERR_MEMORY, "out of memory");
            sum += s.compound;
        }
        seconds[round] = cpu_seconds() - begin;
    }
    mn_lexicon_scratch_free(&scratch);
    qsort(seconds, ROUNDS, sizeof *seconds, ascending);
    double median = seconds[ROUNDS / 2];
    printf("lexicon: %d replies, %.1f bytes each: %.3f us a reply, %.0f MB/s, sum of compounds %.4f\n", LINES,
           (double)lines->len / LINES, 1e6 * median / LINES, 1e-6 * (double)lines->len / median, sum);
    return MN_OK;
}

int main(int argc, char **argv)
{
    char words[4096], emoji[4096], message[1200];
    mn_lexicon *lexicon = NULL;
    mn_buf lines = {0};
    mn_err err = {0};
    mn_status status = mn_cache_path(words, sizeof words, "lexicon/vader_lexicon.txt", &err);
    if (status == MN_OK) status = mn_cache_path(emoji, sizeof emoji, "lexicon/emoji_utf8_lexicon.txt", &err);
    if (status == MN_OK) status = make_lines(&lines, words, &err);
    if (status == MN_OK && argc > 1 && strcmp(argv[1], "lines") == 0)
        return fwrite(lines.data, 1, lines.len, stdout) != lines.len;
    if (status == MN_OK) status = mn_lexicon_open(&lexicon, words, emoji, &err);
    if (status == MN_OK) status = measure(lexicon, &lines, &err);
    mn_err_format(&err, message, sizeof message);
    if (status != MN_OK) fprintf(stderr, "%s\n", message);
    mn_lexicon_free(lexicon);
    mn_buf_free(&lines);
    return mn_exit_status(status);
}
