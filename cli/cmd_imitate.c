/* mightnt imitate: context trees fitted to symbols. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "fit.h"
#include "options.h"

enum { MOST_TREES = 1000000, STREAM_SAMPLES = 1000 };

typedef struct request {
    mn_symbols_opts symbols;
    const char *format, *start, *out;
    int64_t depth, k, samples, seed;
    double beta;
    bool json;
} request;

static const mn_verb verb = {
    "imitate", "FILE --depth D [--k K] [--samples N] [-o DIR]",
    "fits Bayesian context trees to symbols: the likeliest trees and how likely",
    "printf 10100100111010 | mightnt imitate - --depth 2 --beta 0.5 --k 5\n"
    "mightnt imitate lessons.jsonl --role teacher --field move --depth 3 -o teacher",
    "FILE, or - for stdin: one symbol a character where it is one line without separators, else symbols between white\n"
    "space or commas; .jsonl: one sequence a line, {\"symbols\": [...]} or {\"turns\": [{\"role\": ..., \"text\": ...}]}.\n"
    "The first D symbols of a sequence only condition, unless --start is given. Trees are drawn with the most recent\n"
    "symbol at the root; beside each leaf: how many symbols followed, and which are likeliest next.\n"
    "-o DIR saves model.mn (for `mightnt score --model`) and tree.svg. --json: one object, contexts most recent symbol "
    "first.\n"};

/* ---- command line -------------------------------------------------------------------------------------------------- */

static int check(const request *r)
{
    if (r->depth < 0 || r->depth > 1024) return mn_cli_usage(&verb, "--depth: expected an integer from 0 to 1024");
    if (!isnan(r->beta) && !(r->beta > 0 && r->beta < 1))
        return mn_cli_usage(&verb, "--beta: expected 0 < beta < 1, got %g", r->beta);
    if (r->k < 1 || r->k > MOST_TREES) return mn_cli_usage(&verb, "--k: expected 1 to %d", MOST_TREES);
    if (r->samples < 0 || r->samples > MOST_TREES) return mn_cli_usage(&verb, "--samples: expected 0 to %d", MOST_TREES);
    return 0;
}

static int parse(request *r, int argc, char **argv)
{
    size_t n;
    const mn_option options[] = {
        {"depth", 'd', "D", "how many symbols back a context may go", MN_OPT_INT, &r->depth},
        {"beta", 'b', "BETA", "prior probability that a context is a leaf (default 1 - 2^-(A-1), A symbols)", MN_OPT_NUM,
         &r->beta},
        {"k", 'k', "K", "the K likeliest trees (default 1)", MN_OPT_INT, &r->k},
        {"samples", 'n', "N", "draws from the posterior on trees and their parameters", MN_OPT_INT, &r->samples},
        {"seed", 0, "N", "of the draws (default 0)", MN_OPT_INT, &r->seed},
        CLI_SYMBOL_OPTIONS(r),
        {"out", 'o', "DIR", "where to save the model and a picture of its tree", MN_OPT_STR, &r->out},
        {"json", 0, NULL, "one JSON object", MN_OPT_FLAG, &r->json},
    };
    int status = mn_options_parse(&verb, options, sizeof options / sizeof *options, argc, argv, &r->symbols.path, 1, &n);
    if (status) return status;
    if (!n) return mn_cli_usage(&verb, "expected a FILE, or - for stdin");
    if (r->depth == INT64_MIN) return mn_cli_usage(&verb, "expected --depth D");
    status = check(r);
    return status ? status : cli_take_format(&verb, &r->symbols.format, r->format);
}

/* ---- learning ------------------------------------------------------------------------------------------------------ */

static mn_status fit(mn_model **out, const request *r, mn_err *err)
{
    mn_symbols *symbols;
    mn_status status = mn_symbols_open(&symbols, &r->symbols, err);
    if (status != MN_OK) return status;
    status = cli_new_tree(out, symbols, (size_t)r->depth, r->beta, r->start, err);
    if (status == MN_OK) status = cli_learn(*out, symbols, err);
    mn_symbols_free(symbols);
    if (status == MN_OK && !mn_bct_predicted(*out))
        status = mn_fail_at(err, MN_ERR_INPUT, strcmp(r->symbols.path, "-") ? r->symbols.path : "stdin", 0, 0,
                            "expected a sequence of more than --depth %lld symbols: of %llu in all, none has so many before it",
                            (long long)r->depth, (unsigned long long)mn_bct_symbols(*out));
    return status;
}

/* ---- output for people --------------------------------------------------------------------------------------------- */

static size_t terminal_width(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 60 ? size.ws_col : 80;
}

static void print_heading(const mn_model *bct)
{
    double nats = mn_bct_log_evidence(bct), n = (double)mn_bct_predicted(bct);
    printf("%llu symbols of %zu, depth %zu, beta %.6g\n", (unsigned long long)mn_bct_symbols(bct), mn_model_alphabet(bct),
           mn_bct_depth(bct), mn_bct_beta(bct));
    printf("evidence  ln P = %.6f nats, %.4f bits a symbol over %.0f predicted; %zu context%s\n", nats, -nats / n / log(2), n,
           mn_bct_contexts(bct), mn_bct_contexts(bct) == 1 ? "" : "s");
}

/* Which: "1" to "k" of the likeliest, or of the draws. */
static void print_table(const char *which, const mn_tree *trees, size_t n)
{
    printf("\n%-8s %12s %12s %8s %16s %12s %12s\n", which, "posterior", "prior", "leaves", "log-lik., nats", "BIC", "AIC");
    for (size_t i = 0; i < n; i++)
        printf("%-8zu %12.6g %12.6g %8zu %16.4f %12.2f %12.2f\n", i + 1, exp(trees[i].log_posterior), exp(trees[i].log_prior),
               trees[i].leaves, trees[i].log_likelihood_nats, trees[i].bic, trees[i].aic);
}

static mn_status print_text(const mn_model *bct, const mn_tree *trees, size_t n, const mn_tree *samples, size_t n_samples,
                            mn_err *err)
{
    char *drawing;
    mn_status status = mn_tree_text(&drawing, &trees[0], bct, terminal_width(), 40, err);
    if (status != MN_OK) return status;
    print_heading(bct);
    printf("\nThe likeliest tree, most recent symbol first; how many symbols followed, the likeliest next:\n%s", drawing);
    free(drawing);
    print_table("tree", trees, n);
    if (n_samples) print_table("draw", samples, n_samples);
    return MN_OK;
}

static mn_status print_json(const mn_model *bct, const mn_tree *trees, size_t n, const mn_tree *samples, size_t n_samples,
                            mn_err *err)
{
    char *line;
    mn_status status = mn_trees_json(&line, bct, trees, n, samples, n_samples, err);
    if (status != MN_OK) return status;
    puts(line);
    free(line);
    return MN_OK;
}

/* ---- trees --------------------------------------------------------------------------------------------------------- */

static mn_status save(const char *dir, const mn_tree *tree, const mn_model *bct, mn_err *err)
{
    size_t size = strlen(dir) + sizeof "/model.mn";
    if (mkdir(dir, 0777) != 0 && errno != EEXIST)
        return mn_fail_at(err, MN_ERR_IO, dir, 0, 0, "cannot be made: %s", strerror(errno));
    char *path = malloc(size);
    if (!path) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    snprintf(path, size, "%s/model.mn", dir);
    mn_status status = mn_bct_save(bct, path, err);
    snprintf(path, size, "%s/tree.svg", dir);
    if (status == MN_OK) status = mn_tree_svg(path, tree, bct, err);
    free(path);
    return status;
}

static void free_trees(mn_tree *trees, size_t n)
{
    for (size_t i = 0; trees && i < n; i++) mn_tree_free(&trees[i]);
    free(trees);
}

static mn_status draw(mn_tree *samples, const request *r, const mn_model *bct, mn_err *err)
{
    mn_status status = MN_OK;
    for (size_t i = 0; status == MN_OK && i < (size_t)r->samples; i++) {
        mn_rng rng = mn_rng_split((uint64_t)r->seed, i, STREAM_SAMPLES);
        status = mn_bct_draw(&samples[i], bct, &rng, err);
    }
    return status;
}

static mn_status show(const request *r, const mn_model *bct, mn_err *err)
{
    size_t n = 0, n_samples = (size_t)r->samples;
    mn_tree *trees = calloc((size_t)r->k, sizeof *trees), *samples = calloc(n_samples + 1, sizeof *samples);
    mn_status status = trees && samples ? mn_bct_best(trees, &n, bct, (size_t)r->k, err)
                                        : mn_fail(err, MN_ERR_MEMORY, "out of memory");
    if (status == MN_OK) status = draw(samples, r, bct, err);
    if (status == MN_OK && r->out) status = save(r->out, &trees[0], bct, err);
    if (status == MN_OK) status = (r->json ? print_json : print_text)(bct, trees, n, samples, n_samples, err);
    free_trees(trees, n);
    free_trees(samples, n_samples);
    return status;
}

int cmd_imitate(int argc, char **argv)
{
    request r = {.depth = INT64_MIN, .beta = NAN, .k = 1};
    int failed = parse(&r, argc, argv);
    if (failed) return failed;
    mn_model *bct = NULL;
    mn_err err;
    mn_status status = fit(&bct, &r, &err);
    if (status == MN_OK) status = show(&r, bct, &err);
    mn_model_free(bct);
    return status == MN_OK ? 0 : mn_cli_fail(&err);
}
