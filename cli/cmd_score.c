/* mightnt score: how well predictors do along symbols. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "fit.h"
#include "score.h"

#define LN2 0.69314718055994530942
enum { BYTE_DEPTH = 8, BYTE_REACH = 2 }; /* default depth of bytes; they look at most so much further back than it */

typedef struct request {
    mn_symbols_opts symbols;
    const char *format, *start, *model, *train_file, *against, *each;
    int64_t depth, train;
    double beta;
    bool learn, bytes, switching, json;
} request;

static const mn_verb verb = {
    "score", "FILE --depth D | --model M.mn | --bytes", "predicts symbols one after another: log-loss, errors, what comes next",
    "printf 10100100111010 | mightnt score - --depth 2 --beta 0.5 --train 8\n"
    "mightnt score new.jsonl --role teacher --field move --train-file old.jsonl --depth 3 --start BEGIN\n"
    "mightnt score FILE --model teacher/model.mn --against other/model.mn --each losses.tsv",
    "With --depth the tree has seen nothing, and learns each symbol after it has predicted it. A tree that was trained,\n"
    "by --model or --train-file, stays as it is unless --learn is given. Counted are the symbols after the N-th (--train)\n"
    "whose sequence has D symbols before them, or all with --start. Errors: the likeliest symbol was another; of equals\n"
    "the one with the lowest id counts as the likeliest. --against compares on the same symbols; the standard error is of\n"
    "the mean difference, over sequences where there are several, else over symbols. FILE - is stdin; its formats are as\n"
    "for `mightnt imitate`.\n"};

/* ---- command line -------------------------------------------------------------------------------------------- */

static int check(const request *r)
{
    if ((r->depth != INT64_MIN || r->bytes) + (r->model != NULL) != 1)
        return mn_cli_usage(&verb, "expected one of --depth D, --model M.mn and --bytes");
    if (r->depth != INT64_MIN && (r->depth < 0 || r->depth > 1024)) return mn_cli_usage(&verb, "--depth: expected 0 to 1024");
    if (!isnan(r->beta) && !(r->beta > 0 && r->beta < 1))
        return mn_cli_usage(&verb, "--beta: expected 0 < beta < 1, got %g", r->beta);
    if (r->train < 0) return mn_cli_usage(&verb, "--train: expected at least 0");
    if (r->model && (!isnan(r->beta) || r->start || r->train_file || r->symbols.alphabet))
        return mn_cli_usage(&verb, "--model has its own beta, start, alphabet and training");
    if (r->learn && !r->model && !r->train_file && !r->against)
        return mn_cli_usage(&verb, "--learn is for trained trees: --depth by itself learns always");
    if (r->bytes && (!isnan(r->beta) || r->start || r->train_file || r->against || r->symbols.alphabet || r->format))
        return mn_cli_usage(&verb, "--bytes goes with --depth, --switching, --train and --each only");
    if (r->switching && !r->bytes) return mn_cli_usage(&verb, "--switching is of --bytes");
    return 0;
}

static int parse(request *r, int argc, char **argv)
{
    size_t n;
    const mn_option options[] = {
        {"depth", 'd', "D", "a new tree of this depth (of --bytes: default 8)", MN_OPT_INT, &r->depth},
        {"beta", 'b', "BETA", "prior probability that a context is a leaf (default 1 - 2^-(A-1), A symbols)", MN_OPT_NUM,
         &r->beta},
        {"train", 'n', "N", "the first N symbols do not count (default 0)", MN_OPT_INT, &r->train},
        {"train-file", 0, "FILE2", "the new tree learns all of FILE2 first", MN_OPT_STR, &r->train_file},
        {"model", 'm', "M.mn", "a saved tree", MN_OPT_STR, &r->model},
        {"learn", 0, NULL, "trained trees learn from FILE too as they go", MN_OPT_FLAG, &r->learn},
        {"against", 0, "OTHER.mn", "a saved tree to compare with", MN_OPT_STR, &r->against},
        {"bytes", 0, NULL, "the byte model: FILE is any file", MN_OPT_FLAG, &r->bytes},
        {"switching", 0, NULL, "of --bytes: context-tree switching in place of weighting", MN_OPT_FLAG, &r->switching},
        {"each", 0, "TSV", "writes the loss of each symbol to this file", MN_OPT_STR, &r->each},
        CLI_SYMBOL_OPTIONS(r),
        {"json", 0, NULL, "one JSON object", MN_OPT_FLAG, &r->json},
    };
    int status = mn_options_parse(&verb, options, sizeof options / sizeof *options, argc, argv, &r->symbols.path, 1, &n);
    if (status) return status;
    if (!n) return mn_cli_usage(&verb, "expected a FILE, or - for stdin");
    status = check(r);
    return status ? status : cli_take_format(&verb, &r->symbols.format, r->format);
}

/* ---- opening ------------------------------------------------------------------------------------------------- */

typedef struct scoring {
    const request *r;
    mn_symbols *symbols;
    predictor own, other; /* other.model NULL: nothing to compare with */
    FILE *each;
    uint64_t seen, position; /* symbols read; of them in the present sequence */
    size_t sequences, skip;
    total loss[2];
    uint64_t scored, errors[2];
    ratio by_symbol, by_sequence;                /* own loss less the other's */
    double sequence_difference, sequence_scored; /* of the present sequence */
} scoring;

static mn_status new_bytes(scoring *s, mn_err *err)
{
    mn_bytes_opts opts = {.depth = s->r->depth == INT64_MIN ? BYTE_DEPTH : (size_t)s->r->depth, .switching = s->r->switching};
    s->own = (predictor){.name = s->r->switching ? "bytes, switching" : "bytes",
                         .bytes = true,
                         .learns = true,
                         .depth = opts.depth + BYTE_REACH};
    return mn_bytes_new(&s->own.model, &opts, err);
}

/* A new tree that has learnt the training file, in the alphabet that is given or, without one, that file's. */
static mn_status train(scoring *s, mn_symbols_opts opts, mn_err *err)
{
    mn_symbols *symbols;
    opts.path = s->r->train_file;
    mn_status status = mn_symbols_open(&symbols, &opts, err);
    if (status != MN_OK) return status;
    status = cli_new_tree(&s->own.model, symbols, (size_t)s->r->depth, s->r->beta, s->r->start, err);
    if (status == MN_OK) status = cli_learn(s->own.model, symbols, err);
    mn_symbols_free(symbols);
    return status;
}

/* The alphabet is that of a tree there is, else declared, else the training file's, else FILE's own. */
static mn_status open_own(scoring *s, mn_err *err)
{
    const request *r = s->r;
    mn_symbols_opts opts = r->symbols;
    mn_status status = MN_OK;
    s->own = (predictor){.name = r->model ? r->model : "the tree", .learns = r->learn || (!r->model && !r->train_file)};
    if (!r->symbols.alphabet) opts.model = s->other.model;
    if (r->model)
        status = mn_bct_open(&s->own.model, r->model, err);
    else if (r->bytes)
        status = new_bytes(s, err), opts.format = MN_SYMBOLS_BYTES;
    else if (r->train_file)
        status = train(s, opts, err);
    if (status == MN_OK && s->own.model && !r->bytes) opts.model = s->own.model, opts.alphabet = NULL;
    if (status == MN_OK) status = mn_symbols_open(&s->symbols, &opts, err);
    if (status == MN_OK && !s->own.model)
        status = cli_new_tree(&s->own.model, s->symbols, (size_t)r->depth, r->beta, r->start, err);
    return status == MN_OK ? predictor_prepare(&s->own, err) : status;
}

/* Ids mean the same to both; what only one of them has more comes last, as a start symbol does. */
static mn_status check_alphabets(const scoring *s, mn_err *err)
{
    size_t A = mn_symbols_alphabet(s->symbols), B = mn_model_alphabet(s->other.model);
    for (size_t a = 0; a < A || a < B; a++) {
        const char *mine = a < A ? mn_symbols_name(s->symbols, (int32_t)a) : NULL;
        const char *its = a < B ? mn_model_piece(s->other.model, (int32_t)a, NULL) : NULL;
        bool start = !mine ? mn_bct_start(s->other.model) == (int32_t)a : !its && mn_bct_start(s->own.model) == (int32_t)a;
        if (!start && (!mine || !its || strcmp(mine, its) != 0))
            return mn_fail_at(err, MN_ERR_INPUT, s->r->against, 0, 0,
                              "another alphabet: its symbol %zu is %s%.60s, here it is %s%.60s", a + 1, its ? "" : "not there",
                              its ? its : "", mine ? "" : "not there", mine ? mine : "");
    }
    return MN_OK;
}

static mn_status open_all(scoring *s, mn_err *err)
{
    const request *r = s->r;
    mn_status status = MN_OK;
    s->other = (predictor){.name = r->against, .learns = r->learn};
    if (r->against) status = mn_bct_open(&s->other.model, r->against, err);
    if (status == MN_OK) status = open_own(s, err);
    if (status == MN_OK && r->against) status = check_alphabets(s, err);
    if (status == MN_OK && r->against) status = predictor_prepare(&s->other, err);
    if (status == MN_OK && r->each && !(s->each = fopen(r->each, "w")))
        status = mn_fail_at(err, MN_ERR_IO, r->each, 0, 0, "cannot be opened: %s", strerror(errno));
    s->skip = s->own.skip > s->other.skip ? s->own.skip : s->other.skip;
    return status;
}

/* ---- scoring ------------------------------------------------------------------------------------------------- */

/* A name as a field of a TSV file. */
static void print_field(FILE *f, const char *name)
{
    for (; *name; name++) fputc((unsigned char)*name < ' ' ? ' ' : *name, f);
}

static void print_each(const scoring *s, int32_t id, const double lp[2], const bool lost[2])
{
    fprintf(s->each, "%zu\t%llu\t", s->sequences, (unsigned long long)s->position + 1);
    print_field(s->each, mn_symbols_name(s->symbols, id));
    fprintf(s->each, "\t%.17g", -lp[0]);
    if (!s->own.bytes) fprintf(s->each, "\t%d", lost[0]);
    if (s->other.model) fprintf(s->each, "\t%.17g\t%d", -lp[1], lost[1]);
    fputc('\n', s->each);
}

static void count_symbol(scoring *s, int32_t id, const double lp[2], const bool lost[2])
{
    bool compared = s->other.model != NULL;
    for (int k = 0; k < 1 + compared; k++) {
        total_add(&s->loss[k], -lp[k]);
        s->errors[k] += lost[k];
    }
    s->scored++;
    if (compared) {
        ratio_add(&s->by_symbol, lp[1] - lp[0], 1);
        s->sequence_difference += lp[1] - lp[0];
        s->sequence_scored++;
    }
    if (s->each) print_each(s, id, lp, lost);
}

static void end_sequence(scoring *s)
{
    if (s->sequence_scored > 0) ratio_add(&s->by_sequence, s->sequence_difference, s->sequence_scored);
    s->sequence_difference = s->sequence_scored = 0;
}

/* Room for what two predictors say of a chunk. */
typedef struct chunk {
    int32_t ids[CLI_CHUNK];
    double lp[2][CLI_CHUNK];
    bool lost[2][CLI_CHUNK];
} chunk;

static mn_status score_chunk(scoring *s, chunk *c, size_t n, bool begins, mn_err *err)
{
    mn_status status = predictor_run(&s->own, c->lp[0], c->lost[0], c->ids, n, begins, err);
    if (status == MN_OK && s->other.model) status = predictor_run(&s->other, c->lp[1], c->lost[1], c->ids, n, begins, err);
    if (status != MN_OK) return status;
    if (begins) {
        end_sequence(s);
        s->sequences++;
        s->position = 0;
    }
    for (size_t i = 0; i < n; i++, s->seen++, s->position++)
        if (s->seen >= (uint64_t)s->r->train && s->position >= s->skip)
            count_symbol(s, c->ids[i], (double[]){c->lp[0][i], c->lp[1][i]}, (bool[]){c->lost[0][i], c->lost[1][i]});
    return MN_OK;
}

static mn_status score_all(scoring *s, mn_err *err)
{
    chunk *c = calloc(1, sizeof *c);
    mn_status status = c ? MN_OK : mn_fail(err, MN_ERR_MEMORY, "out of memory");
    size_t n = 1;
    bool begins;
    if (s->each)
        fprintf(s->each, "sequence\tposition\tsymbol\tloss_nats%s%s\n", s->own.bytes ? "" : "\terror",
                s->other.model ? "\tagainst_loss_nats\tagainst_error" : "");
    while (status == MN_OK && n) {
        status = mn_symbols_next(s->symbols, c->ids, CLI_CHUNK, &n, &begins, err);
        if (status == MN_OK && n) status = score_chunk(s, c, n, begins, err);
        cli_show_count(s->seen, false);
    }
    cli_show_count(s->seen, true);
    end_sequence(s);
    free(c);
    if (status == MN_OK && !s->scored)
        return mn_fail_at(err, MN_ERR_INPUT, strcmp(s->r->symbols.path, "-") ? s->r->symbols.path : "stdin", 0, 0,
                          "no symbol counts: of %llu, none is after --train %lld with %zu before it in its sequence",
                          (unsigned long long)s->seen, (long long)s->r->train, s->skip);
    return status;
}

/* ---- output -------------------------------------------------------------------------------------------------- */

static const ratio *difference(const scoring *s)
{
    return s->by_sequence.units > 1 ? &s->by_sequence : &s->by_symbol;
}

static void print_figures(const scoring *s, int k)
{
    double mean = total_of(&s->loss[k]) / (double)s->scored;
    printf("\"log_loss_nats\": ");
    cli_print_number(mean);
    printf(", \"bits_per_symbol\": ");
    cli_print_number(mean / LN2);
    if (s->own.bytes) return;
    printf(", \"zero_one_loss\": ");
    cli_print_number((double)s->errors[k] / (double)s->scored);
}

static void print_json(const scoring *s, const double *next)
{
    size_t A = mn_symbols_alphabet(s->symbols);
    printf("{");
    print_figures(s, 0);
    printf(", \"next\": [");
    for (size_t a = 0; a < A; a++) {
        if (a) printf(", ");
        cli_print_number(exp(next[a]));
    }
    printf("], \"scored\": %llu, \"symbols\": %llu, \"sequences\": %zu", (unsigned long long)s->scored,
           (unsigned long long)s->seen, s->sequences);
    if (s->other.model) {
        printf(", \"against\": {");
        print_figures(s, 1);
        printf("}, \"difference_nats\": ");
        cli_print_number(ratio_mean(difference(s)));
        printf(", \"standard_error_nats\": ");
        cli_print_number(ratio_error(difference(s)));
        printf(", \"units\": %.0f", difference(s)->units);
    }
    printf("}\n");
}

static void print_row(const scoring *s, int k, const char *name)
{
    double mean = total_of(&s->loss[k]) / (double)s->scored;
    printf("%-28s %14.6f %14.6f", name, mean, mean / LN2);
    if (!s->own.bytes) printf(" %10.4f", (double)s->errors[k] / (double)s->scored);
    printf("\n");
}

/* The likeliest next symbols, some of them. */
static void print_next(const scoring *s, double *next)
{
    enum { SHOWN = 8 };
    size_t A = mn_symbols_alphabet(s->symbols);
    printf("next:");
    for (size_t i = 0; i < A && i < SHOWN; i++) {
        size_t best = 0;
        for (size_t a = 1; a < A; a++)
            if (next[a] > next[best]) best = a;
        printf("  %s %.4f", mn_symbols_name(s->symbols, (int32_t)best), exp(next[best]));
        next[best] = -INFINITY;
    }
    printf("%s\n", A > SHOWN ? "  ..." : "");
}

static void print_text(const scoring *s, double *next)
{
    const ratio *d = difference(s);
    printf("%llu of %llu symbols count, in %zu sequence%s\n\n%-28s %14s %14s%s\n", (unsigned long long)s->scored,
           (unsigned long long)s->seen, s->sequences, s->sequences == 1 ? "" : "s", "", "nats/symbol", "bits/symbol",
           s->own.bytes ? "" : "     errors");
    print_row(s, 0, s->own.name);
    if (s->other.model) {
        print_row(s, 1, s->other.name);
        printf("%-28s %14.6f nats/symbol, standard error %.6f over %.0f %s\n", "difference", ratio_mean(d), ratio_error(d),
               d->units, d == &s->by_sequence ? "sequences" : "symbols");
    }
    printf("\n");
    print_next(s, next);
}

static mn_status show(scoring *s, mn_err *err)
{
    double *next = malloc(mn_model_alphabet(s->own.model) * sizeof *next);
    if (!next) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    mn_status status = predictor_next(&s->own, next, err);
    if (status == MN_OK && s->r->json) print_json(s, next);
    if (status == MN_OK && !s->r->json) print_text(s, next);
    free(next);
    return status;
}

static mn_status close_each(scoring *s, mn_status status, mn_err *err)
{
    if (!s->each) return status;
    errno = 0;
    bool failed = ferror(s->each) != 0;
    failed = fclose(s->each) != 0 || failed;
    if (status != MN_OK || !failed) return status;
    return mn_fail_at(err, MN_ERR_IO, s->r->each, 0, 0, "cannot be written: %s", strerror(errno ? errno : EIO));
}

int cmd_score(int argc, char **argv)
{
    request r = {.depth = INT64_MIN, .beta = NAN};
    int failed = parse(&r, argc, argv);
    if (failed) return failed;
    scoring s = {.r = &r};
    mn_err err;
    mn_status status = open_all(&s, &err);
    if (status == MN_OK) status = score_all(&s, &err);
    status = close_each(&s, status, &err);
    if (status == MN_OK) status = show(&s, &err);
    mn_symbols_free(s.symbols);
    predictor_free(&s.own);
    predictor_free(&s.other);
    return status == MN_OK ? 0 : mn_cli_fail(&err);
}
