/* For test_bct.py: each line of stdin is "A D beta start symbols...", symbols as numbers; a line of answers: ln evidence, then ln p of
 * every symbol, then ln p of what might come next, each symbol's. beta 0: the default. */
#include <stdio.h>
#include <stdlib.h>

#include "mightnt.h"

enum { MOST = 4096 };

static int answer(char *line)
{
    static int32_t ids[MOST];
    static double lp[MOST], next[65536];
    char *end;
    mn_bct_opts opts = {.A = strtoul(line, &end, 10)};
    mn_model *m;
    mn_err err;
    size_t n = 0;
    opts.D = strtoul(end, &end, 10);
    opts.beta = strtod(end, &end);
    opts.start = (int32_t)strtol(end, &end, 10);
    for (char *at = end; n < MOST; n++, at = end) {
        ids[n] = (int32_t)strtol(at, &end, 10);
        if (end == at) break;
    }
    mn_status status = mn_bct_new(&m, &opts, &err);
    if (status != MN_OK) return fprintf(stderr, "%s\n", err.message), mn_exit_status(status);
    status = mn_bct_predict_all(m, lp, NULL, next, ids, n, true, &err);
    printf("%.17g", mn_bct_log_evidence(m));
    for (size_t i = 0; i < n; i++) printf(" %.17g", lp[i]);
    for (size_t a = 0; a < opts.A; a++) printf(" %.17g", next[a]);
    printf("\n");
    mn_model_free(m);
    return mn_exit_status(status);
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;
    int result = 0;
    while (result == 0 && getline(&line, &cap, stdin) > 0) result = answer(line);
    free(line);
    return result;
}
