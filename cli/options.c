#include "options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- endings ---- */

int mn_cli_usage(const mn_verb *verb, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "mightnt%s%s: ", verb ? " " : "", verb ? verb->name : "");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "; see mightnt help%s%s\n", verb ? " " : "", verb ? verb->name : "");
    return mn_exit_status(MN_ERR_USAGE);
}

int mn_cli_fail(const mn_err *err)
{
    char text[sizeof err->file + sizeof err->message + 64];
    mn_err_format(err, text, sizeof text);
    fprintf(stderr, "mightnt: %s\n", text);
    return mn_exit_status(err->code);
}

int mn_cli_finish(int status)
{
    errno = 0;
    bool failed = fflush(stdout) != 0 || ferror(stdout);
    if (status || !failed) return status;
    mn_err err;
    mn_status code = mn_fail_at(&err, MN_ERR_IO, "stdout", 0, 0, "cannot be written: %s", strerror(errno ? errno : EIO));
    return mn_cli_fail(&err), mn_exit_status(code);
}

/* ---- help ---- */

enum { COLUMN = 26, WIDTH = 100 };

/* Prints text from the present column `at`, broken at spaces so that its lines run from COLUMN to WIDTH. */
static void wrapped(const char *text, int at)
{
    if (at > COLUMN - 2) printf("\n"), at = 0;
    printf("%*s", COLUMN - at, "");
    at = COLUMN;
    while (*text) {
        int length = (int)strcspn(text, " ");
        if (at > COLUMN && at + 1 + length > WIDTH) printf("\n%*s", COLUMN, ""), at = COLUMN;
        at += printf("%s%.*s", at > COLUMN ? " " : "", length, text);
        text += length;
        text += strspn(text, " ");
    }
    printf("\n");
}

static void option_help(const mn_option *option)
{
    char letter[8] = "    ";
    if (option->letter) snprintf(letter, sizeof letter, "-%c, ", option->letter);
    int at = printf("  %s--%s%s%s", letter, option->name, option->value_name ? " " : "",
                    option->value_name ? option->value_name : "");
    wrapped(option->help, at);
}

static void indented(const char *lines)
{
    while (*lines) {
        int length = (int)strcspn(lines, "\n");
        printf("  %.*s\n", length, lines);
        lines += length + (lines[length] == '\n');
    }
}

static void verb_help(const mn_verb *verb, const mn_option *options, size_t n)
{
    static const mn_option help = {"help", 'h', NULL, "this text", MN_OPT_FLAG, NULL};
    printf("mightnt %s: %s\n\nUsage: mightnt %s%s%s\n\n", verb->name, verb->summary, verb->name,
           verb->usage && *verb->usage ? " " : "", verb->usage ? verb->usage : "");
    for (size_t i = 0; i < n; i++) option_help(&options[i]);
    option_help(&help);
    if (verb->example) printf("\nExample:\n"), indented(verb->example);
    if (verb->notes) printf("\n%s\n", verb->notes);
}

/* ---- parsing ---- */

/* The option that word names ("--name", "--name=value" or "-x"), NULL if none; *value the text after '=', NULL without. */
static const mn_option *find(const char *word, const mn_option *options, size_t n, const char **value)
{
    size_t length = strcspn(word, "=");
    bool is_long = word[1] == '-';
    *value = is_long && word[length] == '=' ? word + length + 1 : NULL;
    for (size_t i = 0; i < n; i++) {
        const char *name = options[i].name;
        if (is_long && strlen(name) == length - 2 && strncmp(word + 2, name, length - 2) == 0) return &options[i];
        if (!is_long && word[1] == options[i].letter && !word[2]) return &options[i];
    }
    return NULL;
}

static int unknown(const mn_verb *verb, const mn_option *options, size_t n, const char *word)
{
    enum { MOST = 64 };
    const char *names[MOST] = {"help"};
    char text[64];
    size_t count = 1, length = strcspn(word, "=");
    for (size_t i = 0; i < n && count < MOST; i++) names[count++] = options[i].name;
    snprintf(text, sizeof text, "%.*s", (int)(length < sizeof text ? length : sizeof text - 1), word);
    const char *nearest = word[1] == '-' ? mn_text_nearest(text + 2, names, count) : NULL;
    if (nearest) return mn_cli_usage(verb, "unknown option %s (did you mean --%s?)", text, nearest);
    return mn_cli_usage(verb, "unknown option %s", text);
}

static int store(const mn_verb *verb, const mn_option *option, const char *value, int argc)
{
    mn_strings *strings = option->target;
    mn_status status = MN_OK;
    switch (option->type) {
    case MN_OPT_FLAG: *(bool *)option->target = true; return 0;
    case MN_OPT_STR: *(const char **)option->target = value; return 0;
    case MN_OPT_NUM: status = mn_text_num(option->target, value); break;
    case MN_OPT_INT: status = mn_text_int(option->target, value); break;
    case MN_OPT_STRS:
        if (!strings->items) strings->items = calloc((size_t)argc, sizeof *strings->items);
        if (!strings->items) return mn_cli_fail(&(mn_err){.code = MN_ERR_MEMORY, .message = "out of memory"});
        strings->items[strings->n++] = value;
        return 0;
    }
    const char *what = option->type == MN_OPT_INT ? "a whole number" : "a number";
    if (status == MN_ERR_NUM) return mn_cli_usage(verb, "--%s: '%s' is out of range", option->name, value);
    if (status) return mn_cli_usage(verb, "--%s: expected %s, got '%s'", option->name, what, value);
    return 0;
}

/* Handles the option at argv[*at] and moves *at past its value. */
static int take(const mn_verb *verb, const mn_option *options, size_t n, int argc, char **argv, int *at)
{
    const char *word = argv[*at], *value;
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        verb_help(verb, options, n);
        exit(mn_cli_finish(0));
    }
    const mn_option *option = find(word, options, n, &value);
    if (!option) return unknown(verb, options, n, word);
    if (option->type == MN_OPT_FLAG && value) return mn_cli_usage(verb, "--%s takes no value", option->name);
    if (option->type != MN_OPT_FLAG && !value) {
        if (*at + 1 >= argc) return mn_cli_usage(verb, "%s: expected %s after it", word, option->value_name);
        value = argv[++*at];
    }
    return store(verb, option, value, argc);
}

int mn_options_parse(const mn_verb *verb, const mn_option *options, size_t n, int argc, char **argv, const char **positional,
                     size_t max_positional, size_t *n_positional)
{
    size_t count = 0;
    bool only_positional = false;
    for (int at = 1; at < argc; at++) {
        const char *word = argv[at];
        if (!only_positional && strcmp(word, "--") == 0) {
            only_positional = true;
        } else if (!only_positional && word[0] == '-' && word[1]) {
            int status = take(verb, options, n, argc, argv, &at);
            if (status) return status;
        } else {
            if (count == max_positional) return mn_cli_usage(verb, "unexpected argument '%s'", word);
            positional[count++] = word;
        }
    }
    if (n_positional) *n_positional = count;
    return 0;
}
