/* JSON as this project writes and reads it: infinities are the strings "inf" and "-inf", NaN does not exist.
 * Files of many records are JSON lines: one value a line, named in errors by file and line. */
#ifndef MN_JSON_H
#define MN_JSON_H

#include <stdio.h>

#include <jansson.h>

#include "base/buf.h"

/* The shortest of %.15g, %.16g and %.17g that reads back as the same double, whatever the locale. MN_ERR_NUM on NaN. */
MN_CHECKED mn_status mn_json_num(mn_buf *buf, double x);
/* [x, ...], n numbers. */
MN_CHECKED mn_status mn_json_nums(mn_buf *buf, const double *x, size_t n);
/* A quoted string of len bytes. Bytes that are not UTF-8 become U+FFFD, one for each; control characters are escaped. */
MN_CHECKED mn_status mn_json_str(mn_buf *buf, const char *text, size_t len);

/* Bytes of the UTF-8 character that text (len >= 1 bytes) begins with, 0 if it is none: no overlong forms, no surrogates, up to
 * U+10FFFF. */
size_t mn_utf8_length(const unsigned char *text, size_t len);

/* Parses one value (object or array) from len bytes; duplicate keys, NUL characters and trailing text are refused. *out is
 * released by json_decref. file and line say where data comes from: line 0 where data is the whole file. MN_ERR_INPUT. */
MN_CHECKED mn_status mn_json_parse(json_t **out, const char *data, size_t len, const char *file, size_t line, mn_err *err);
/* A number, "inf" or "-inf"; else, and for NULL, MN_ERR_INPUT and *out untouched. */
MN_CHECKED mn_status mn_json_number(double *out, const json_t *value);

/* A reader of lines. One thread at a time. */
typedef struct mn_lines {
    size_t number;  /* of the line last given, from 1 */
    char name[256]; /* for errors: the path, or "stdin" */
    FILE *file;
    char *line;
    size_t cap;
} mn_lines;

/* Opens path, or stdin for "-". MN_ERR_IO. Close it also after a failed next. */
MN_CHECKED mn_status mn_lines_open(mn_lines *lines, const char *path, mn_err *err);
/* The next line without its end (LF or CRLF), NUL-terminated, valid until the next call; the last one need not have an end.
 * *end true: there is none. A pipe is served line by line. MN_ERR_INPUT on a NUL byte, MN_ERR_IO, MN_ERR_MEMORY. */
MN_CHECKED mn_status mn_lines_next(mn_lines *lines, char **line, size_t *len, bool *end, mn_err *err);
void mn_lines_close(mn_lines *lines);

#endif
