#include "fit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int cli_take_format(const mn_verb *verb, mn_symbols_format *out, const char *name)
{
    static const char *const names[] = {"auto", "characters", "tokens", "transcripts", "bytes"};
    enum { NAMES = sizeof names / sizeof *names };
    for (int i = 0; i < NAMES; i++)
        if (!name || strcmp(name, names[i]) == 0) return *out = (mn_symbols_format)i, 0;
    return mn_cli_usage(verb, "--format: expected auto, characters, tokens, transcripts or bytes, got '%s'", name);
}

mn_status cli_new_tree(mn_model **out, const mn_symbols *symbols, size_t depth, double beta, const char *start, mn_err *err)
{
    mn_bct_opts opts = {.A = mn_symbols_alphabet(symbols), .D = depth, .beta = isnan(beta) ? 0 : beta, .start = -1};
    const char **names = calloc(opts.A + 1, sizeof *names);
    if (!names) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    for (size_t a = 0; a < opts.A; a++) {
        names[a] = mn_symbols_name(symbols, (int32_t)a);
        if (start && strcmp(names[a], start) == 0) opts.start = (int32_t)a;
    }
    if (start && opts.start < 0) {
        names[opts.A] = start;
        opts.start = (int32_t)opts.A++;
    }
    opts.names = names;
    mn_status status = mn_bct_new(out, &opts, err);
    free(names);
    return status;
}

void cli_show_count(uint64_t symbols, bool done)
{
    static const uint64_t often = 1 << 22;
    if (symbols < often || !isatty(STDERR_FILENO)) return;
    if (done)
        fputs("\r\033[K", stderr);
    else if (symbols % often < CLI_CHUNK)
        fprintf(stderr, "\r\033[K%llu symbols", (unsigned long long)symbols);
}

mn_status cli_learn(mn_model *tree, mn_symbols *symbols, mn_err *err)
{
    int32_t *ids = malloc(CLI_CHUNK * sizeof *ids);
    mn_status status = ids ? MN_OK : mn_fail(err, MN_ERR_MEMORY, "out of memory");
    size_t n = 1;
    bool begins;
    while (status == MN_OK && n) {
        status = mn_symbols_next(symbols, ids, CLI_CHUNK, &n, &begins, err);
        if (status == MN_OK && n) status = mn_bct_learn(tree, ids, n, begins, err);
        cli_show_count(mn_bct_symbols(tree), false);
    }
    cli_show_count(mn_bct_symbols(tree), true);
    free(ids);
    return status;
}
