#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mightnt.h"

static void fill(mn_err *err, mn_status code, const char *file, size_t line, size_t column, const char *format, va_list args)
{
    if (!err) return;
    err->code = code;
    err->line = line;
    err->column = column;
    snprintf(err->file, sizeof err->file, "%s", file ? file : "");
    vsnprintf(err->message, sizeof err->message, format, args);
    for (char *c = err->message; *c; c++)
        if (*c == '\n' || *c == '\r') *c = ' '; /* one line, whatever a library's own message holds */
}

mn_status mn_fail(mn_err *err, mn_status code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(err, code, NULL, 0, 0, format, args);
    va_end(args);
    return code;
}

mn_status mn_fail_at(mn_err *err, mn_status code, const char *file, size_t line, size_t column, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(err, code, file, line, column, format, args);
    va_end(args);
    return code;
}

void mn_err_format(const mn_err *err, char *out, size_t size)
{
    const char *sep = err->file[0] ? ": " : "";
    if (err->line && err->column)
        snprintf(out, size, "%s:%zu:%zu: %s", err->file[0] ? err->file : "input", err->line, err->column, err->message);
    else if (err->line)
        snprintf(out, size, "%s:%zu: %s", err->file[0] ? err->file : "input", err->line, err->message);
    else
        snprintf(out, size, "%s%s%s", err->file, sep, err->message);
}

int mn_exit_status(mn_status code)
{
    switch (code) {
    case MN_OK: return 0;
    case MN_ERR_CHECK: return 1;
    case MN_ERR_USAGE: return 2;
    case MN_ERR_INPUT:
    case MN_ERR_NUM: return 3;
    case MN_ERR_INTERRUPTED: return 130;
    default: return 4;
    }
}
