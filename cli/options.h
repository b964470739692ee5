/* One table of options makes both the parser and the help of a verb. Private to the program. */
#ifndef MN_OPTIONS_H
#define MN_OPTIONS_H

#include "mightnt.h"

/* What `mightnt help NAME` says. usage: what follows "mightnt NAME"; example: command lines as typed, one a line;
 * notes: NULL, or text of its own lines at the end. */
typedef struct mn_verb {
    const char *name, *usage, *summary, *example, *notes;
} mn_verb;

typedef enum mn_option_type {
    MN_OPT_FLAG, /* bool */
    MN_OPT_STR,  /* const char *, of argv */
    MN_OPT_NUM,  /* double */
    MN_OPT_INT,  /* int64_t */
    MN_OPT_STRS  /* mn_strings: may be repeated */
} mn_option_type;

/* Start from {0}; release by free(items). */
typedef struct mn_strings {
    const char **items;
    size_t n;
} mn_strings;

/* name without the dashes; letter 0: none; value_name as the help shows it, NULL for a flag. */
typedef struct mn_option {
    const char *name;
    char letter;
    const char *value_name;
    const char *help;
    mn_option_type type;
    void *target;
} mn_option;

/* Reads argv[1..] into the targets and the positional arguments, which may stand in any order: `--name value`,
 * `--name=value`, `-o value`, `--` ends the options, "-" is positional. Of a repeated option the last counts. --help prints
 * the help and ends the program. Returns 0, or the exit status after one line on stderr. */
int mn_options_parse(const mn_verb *verb, const mn_option *options, size_t n, int argc, char **argv, const char **positional,
                     size_t max_positional, size_t *n_positional);

/* Wrong use: one line on stderr; returns 2. verb NULL: of the program itself. */
int mn_cli_usage(const mn_verb *verb, const char *format, ...) MN_PRINTF(2, 3);
/* Says what failed in one line on stderr; returns the exit status for it. */
int mn_cli_fail(const mn_err *err);
/* The last thing the program does: flushes stdout. Returns status, but 4 where all went well and the output did not. */
int mn_cli_finish(int status);

#endif
