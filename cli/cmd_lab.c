/* mightnt lab: the statements of the paper as experiments that can fail. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "options.h"

static const mn_verb verb = {
    "lab", "[NAME...] | --list | explain PROGRAM [HISTORY]", "the paper's statements as experiments that can fail",
    "mightnt lab triangle\n"
    "mightnt lab -o page.html\n"
    "mightnt lab explain 'until time >= 8 do mix 7 1 then always 1'",
    "Without NAME all of them. Exit status 1: a statement did not hold. --set replaces a number of an experiment, for tests of "
    "the\n"
    "laboratory: `mightnt lab triangle --set triangle.zero=0.001` breaks an assumption, and fails.\n"
    "explain parses a program, prices it in bits and runs it: after HISTORY (symbols, the actor's and the world's by turns), "
    "or for\n"
    "eight turns against a world that draws its symbols at random.\n"
    "  policy: always x | mix k ... k | copy | rotate x | count n | if event then policy else policy |\n"
    "          until event do policy then policy\n"
    "  event:  last is x | seen x | seen x y | seen x n times | time >= n | not event | event and event\n"};

/* ---- experiments ----------------------------------------------------------------------------------------------- */

static int list(void)
{
    for (size_t i = 0; i < mn_lab_kinds(); i++) {
        const mn_lab_kind *kind = mn_lab_kind_at(i);
        printf("%-14s %s\n", kind->name, kind->title);
        for (size_t k = 0; k < MN_LAB_SETTINGS && kind->settings[k].key; k++)
            printf("               --set %s.%s=%g  %s\n", kind->name, kind->settings[k].key, kind->settings[k].value,
                   kind->settings[k].help);
    }
    return 0;
}

static void print_value(double x)
{
    if (isnan(x))
        printf(" %*s", 16, "-");
    else
        printf(" %16.8g", x);
}

static void print_lab(const mn_lab *lab)
{
    printf("%s: %s\n%s\n%s\n\n", lab->kind->name, lab->kind->title, lab->kind->claim, lab->kind->formula);
    size_t width = strlen(lab->heading);
    for (size_t r = 0; r < lab->rows; r++)
        if (strlen(lab->row[r].label) > width) width = strlen(lab->row[r].label);
    printf("%-*s", (int)width, lab->heading);
    for (size_t c = 0; c < lab->columns; c++) printf(" %16s", lab->headings[c]);
    printf("\n");
    for (size_t r = 0; r < lab->rows; r++) {
        printf("%-*s", (int)width, lab->row[r].label);
        for (size_t c = 0; c < lab->columns; c++) print_value(lab->row[r].values[c]);
        printf("\n");
    }
    printf("\n");
    for (size_t i = 0; i < lab->checks; i++) {
        const mn_lab_check *check = &lab->check[i];
        printf("%s  %s: %.10g %s %.10g\n", check->holds ? "holds" : "FAILS", check->what, check->value,
               check->relation == MN_LAB_AT_MOST ? "<=" : ">=", check->limit);
    }
    printf("\n%s\n%s: %s\n\n", lab->finding ? lab->finding : "", lab->kind->name,
           lab->holds ? "the statement holds" : "THE STATEMENT DOES NOT HOLD");
}

static void print_number(double x)
{
    char text[40];
    double back;
    if (isnan(x))
        printf("null");
    else if (isinf(x))
        printf(x > 0 ? "\"inf\"" : "\"-inf\"");
    else {
        for (int digits = 15; digits <= 17; digits++) {
            snprintf(text, sizeof text, "%.*g", digits, x);
            if (mn_text_num(&back, text) == MN_OK && back == x) break;
        }
        printf("%s", text);
    }
}

/* Names and labels are ours: no quotes or backslashes. */
static void print_json(const mn_lab *lab)
{
    printf("{\"name\": \"%s\", \"holds\": %s, \"columns\": [", lab->kind->name, lab->holds ? "true" : "false");
    for (size_t c = 0; c < lab->columns; c++) printf("%s\"%s\"", c ? ", " : "", lab->headings[c]);
    printf("], \"rows\": [");
    for (size_t r = 0; r < lab->rows; r++) {
        printf("%s{\"label\": \"%s\", \"values\": [", r ? ", " : "", lab->row[r].label);
        for (size_t c = 0; c < lab->columns; c++) {
            if (c) printf(", ");
            print_number(lab->row[r].values[c]);
        }
        printf("]}");
    }
    printf("], \"checks\": [");
    for (size_t i = 0; i < lab->checks; i++) {
        const mn_lab_check *check = &lab->check[i];
        printf("%s{\"what\": \"%s\", \"value\": ", i ? ", " : "", check->what);
        print_number(check->value);
        printf(", \"relation\": \"%s\", \"limit\": ", check->relation == MN_LAB_AT_MOST ? "<=" : ">=");
        print_number(check->limit);
        printf(", \"holds\": %s}", check->holds ? "true" : "false");
    }
    printf("]}\n");
}

/* Runs those named, all without a name. Returns the exit status. */
static int experiments(const char **names, size_t n, const mn_lab_opts *opts, bool json, const char *page)
{
    mn_err err;
    const char *all[32];
    int status = 0;
    if (!n)
        for (names = all; n < mn_lab_kinds(); n++) all[n] = mn_lab_kind_at(n)->name;
    mn_lab **labs = calloc(n, sizeof(mn_lab *));
    if (!labs) return mn_cli_fail(&(mn_err){.code = MN_ERR_MEMORY, .message = "out of memory"});
    for (size_t i = 0; i < n && status < 2; i++) {
        if (mn_lab_run(&labs[i], names[i], opts, &err) != MN_OK) status = mn_cli_fail(&err);
        if (!labs[i]) break;
        (json ? print_json : print_lab)(labs[i]);
        fflush(stdout);
        if (!labs[i]->holds) status = 1;
    }
    if (status < 2 && page && mn_lab_page(page, (const mn_lab *const *)labs, n, &err) != MN_OK) status = mn_cli_fail(&err);
    for (size_t i = 0; i < n; i++) mn_lab_free(labs[i]);
    free(labs);
    return status;
}

/* ---- one program ----------------------------------------------------------------------------------------------- */

/* A turn as a line, its prediction in lp: [A]. */
static mn_status show_turn(double *lp, mn_session *s, size_t A, mn_err *err)
{
    mn_status status = mn_session_predict(s, lp, err);
    if (status != MN_OK) return status;
    printf("%6zu", mn_session_length(s) / 2 + 1);
    for (size_t a = 0; a < A; a++) printf(" %10.6g", exp(lp[a]));
    return MN_OK;
}

/* h: [n] of both, then as far as it goes by chance. */
static mn_status run(mn_session *s, size_t A, const int32_t *h, size_t n, uint64_t seed, mn_err *err)
{
    mn_rng rng = mn_rng_split(seed, 0, 1000);
    size_t turns = n ? n / 2 + 1 : 8;
    printf("%6s", "turn");
    for (size_t a = 0; a < A; a++) printf("       p(%zu)", a);
    printf("  actor world\n");
    for (size_t t = 0; t < turns; t++) {
        double lp[4];
        int32_t both[2];
        mn_status status = show_turn(lp, s, A, err);
        if (status != MN_OK) return status;
        if (n && 2 * t == n) {
            printf("\n");
            break;
        }
        both[0] = n ? h[2 * t] : (int32_t)mn_sample(lp, A, mn_rng_uniform(&rng));
        both[1] = n ? h[2 * t + 1] : (int32_t)mn_rng_below(&rng, A);
        printf(" %6d %5d\n", both[0], both[1]);
        if ((status = mn_session_append(s, both, 2, err)) != MN_OK) return status;
    }
    return MN_OK;
}

static mn_status run_on(mn_model *model, const char *history, uint64_t seed, mn_err *err)
{
    size_t len = strlen(history), n = 0, A = mn_model_alphabet(model);
    mn_worker *worker = NULL;
    mn_session *s;
    int32_t *h = calloc(len + 1, sizeof *h);
    mn_status status = h ? mn_model_tokenize(model, h, len, &n, history, len, true, err)
                         : mn_fail(err, MN_ERR_MEMORY, "out of memory");
    if (status == MN_OK && n % 2)
        status = mn_fail(err, MN_ERR_INPUT, "the history ends at the world's turn: expected an even number of symbols");
    if (status == MN_OK) status = mn_worker_new(&worker, model, 1, n + 16, err);
    if (status == MN_OK) status = mn_session_begin(&s, worker, err);
    if (status == MN_OK) status = run(s, A, h, n, seed, err);
    mn_worker_free(worker);
    free(h);
    return status;
}

static int explain(const char **words, size_t n, int64_t A, int64_t seed)
{
    mn_err err;
    mn_model *model;
    char *text, *code;
    if (n < 1 || n > 2) return mn_cli_usage(&verb, "explain: expected a program, in quotes, and perhaps a history");
    if (A < 2 || A > 4) return mn_cli_usage(&verb, "--alphabet: expected 2 to 4");
    if (mn_program_read(&model, words[0], (size_t)A, &err) != MN_OK) return mn_cli_fail(&err);
    mn_status status = mn_program_text(&text, &code, model, &err);
    if (status == MN_OK) {
        printf("%s\n%s\n%zu bits, prior weight 2^-%zu\n\n", text, code, strlen(code), strlen(code));
        free(text);
        free(code);
        status = run_on(model, n > 1 ? words[1] : "", (uint64_t)seed, &err);
    }
    mn_model_free(model);
    return status == MN_OK ? 0 : mn_cli_fail(&err);
}

int cmd_lab(int argc, char **argv)
{
    bool lists = false, json = false;
    int64_t threads = 0, A = 2, seed = 1;
    const char *page = NULL, **words = calloc((size_t)argc, sizeof *words);
    mn_strings sets = {0};
    size_t n;
    const mn_option options[] = {
        {"list", 0, NULL, "names them, and their settings", MN_OPT_FLAG, &lists},
        {"set", 0, "NAME.KEY=NUMBER", "for tests of the laboratory: another number", MN_OPT_STRS, &sets},
        {"json", 0, NULL, "one JSON object an experiment", MN_OPT_FLAG, &json},
        {"out", 'o', "FILE", "a page of all that was run", MN_OPT_STR, &page},
        {"threads", 0, "N", "0: one a core; never changes what comes out", MN_OPT_INT, &threads},
        {"alphabet", 0, "N", "explain: symbols (default 2)", MN_OPT_INT, &A},
        {"seed", 0, "N", "explain: of the symbols drawn (default 1)", MN_OPT_INT, &seed},
    };
    if (!words) return mn_cli_fail(&(mn_err){.code = MN_ERR_MEMORY, .message = "out of memory"});
    int status = mn_options_parse(&verb, options, sizeof options / sizeof *options, argc, argv, words, (size_t)argc, &n);
    if (!status) status = cli_check_threads(&verb, threads);
    if (!status && lists)
        status = list();
    else if (!status && n && strcmp(words[0], "explain") == 0)
        status = explain(words + 1, n - 1, A, seed);
    else if (!status)
        status = experiments(words, n, &(mn_lab_opts){sets.items, sets.n, (size_t)threads}, json, page);
    free(words);
    free(sets.items);
    return status;
}
