/* mightnt report: one page from one run or many. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "options.h"

int cmd_report(int argc, char **argv)
{
    static const mn_verb verb = {"report", "DIR... [-o FILE]", "writes a page of what runs came to",
                                 "mightnt report run\n"
                                 "mightnt report seed1 seed2 seed3 -o page.html",
                                 "The page stands alone: no network, nothing to install. Runs that differ only in their seed "
                                 "are taken together, with errors over\n"
                                 "the seeds; others are set beside each other. The charts, drawn by gnuplot, have their "
                                 "numbers as TSV in FILE's name-data/.\n"};
    const char *out = NULL, **dirs = calloc((size_t)argc, sizeof *dirs);
    char beside[PATH_MAX];
    size_t n;
    const mn_option options[] = {{"out", 'o', "FILE", "the page (default: report.html in the first DIR)", MN_OPT_STR, &out}};
    if (!dirs) return mn_cli_fail(&(mn_err){.code = MN_ERR_MEMORY, .message = "out of memory"});
    int status = mn_options_parse(&verb, options, 1, argc, argv, dirs, (size_t)argc, &n);
    if (!status && !n) status = mn_cli_usage(&verb, "expected a run directory");
    if (!status && !out) {
        if (snprintf(beside, sizeof beside, "%s/report.html", dirs[0]) >= (int)sizeof beside)
            status = mn_cli_usage(&verb, "the path of DIR is too long");
        out = beside;
    }
    mn_err err;
    if (!status && mn_report(out, dirs, n, &err) != MN_OK) status = mn_cli_fail(&err);
    if (!status) printf("%s\n", out);
    free(dirs);
    return status;
}
