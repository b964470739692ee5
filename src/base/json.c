#include "base/json.h"

#include <errno.h>
#include <math.h>
#include <string.h>

mn_status mn_json_num(mn_buf *buf, double x)
{
    char text[40];
    if (isnan(x)) return MN_ERR_NUM;
    if (isinf(x)) return mn_buf_puts(buf, x > 0 ? "\"inf\"" : "\"-inf\"");
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x) break;
    }
    for (char *c = text; *c; c++)
        if (*c == ',') *c = '.'; /* a host program may have set a locale with a decimal comma */
    return mn_buf_puts(buf, text);
}

mn_status mn_json_nums(mn_buf *buf, const double *x, size_t n)
{
    MN_TRY(mn_buf_put(buf, "[", 1));
    for (size_t i = 0; i < n; i++) {
        if (i) MN_TRY(mn_buf_put(buf, ", ", 2));
        MN_TRY(mn_json_num(buf, x[i]));
    }
    return mn_buf_put(buf, "]", 1);
}

size_t mn_utf8_length(const unsigned char *text, size_t len)
{
    unsigned char c = text[0], low = 0x80, high = 0xBF;
    size_t n = c < 0x80 ? 1 : c < 0xC2 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF5 ? 4 : 0;
    if (n < 2) return n;
    if (c == 0xE0) low = 0xA0;
    if (c == 0xED) high = 0x9F;
    if (c == 0xF0) low = 0x90;
    if (c == 0xF4) high = 0x8F;
    if (len < n || text[1] < low || text[1] > high) return 0;
    for (size_t i = 2; i < n; i++)
        if ((text[i] & 0xC0) != 0x80) return 0;
    return n;
}

static mn_status escape(mn_buf *buf, unsigned char c)
{
    static const char plain[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
    const char *at = c ? strchr(plain, c) : NULL;
    return at ? mn_buf_printf(buf, "\\%c", letter[at - plain]) : mn_buf_printf(buf, "\\u%04x", c);
}

mn_status mn_json_str(mn_buf *buf, const char *text, size_t len)
{
    const unsigned char *c = (const unsigned char *)text;
    MN_TRY(mn_buf_put(buf, "\"", 1));
    for (size_t i = 0, run = 0; i < len; run = i) {
        size_t n = 0;
        while (i < len && c[i] != '"' && c[i] != '\\' && c[i] >= 0x20 && c[i] != 0x7F && (n = mn_utf8_length(c + i, len - i))) i += n;
        if (i > run) MN_TRY(mn_buf_put(buf, text + run, i - run));
        if (i == len) break;
        MN_TRY(c[i] < 0x80 ? escape(buf, c[i]) : mn_buf_puts(buf, "\xEF\xBF\xBD"));
        i++;
    }
    return mn_buf_put(buf, "\"", 1);
}

mn_status mn_json_parse(json_t **out, const char *data, size_t len, const char *file, size_t line, mn_err *err)
{
    json_error_t where;
    json_t *value = json_loadb(data, len, JSON_REJECT_DUPLICATES, &where);
    if (value) return *out = value, MN_OK;
    if (json_error_code(&where) == json_error_out_of_memory) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    size_t column = 0, row = 1;
    for (size_t i = 0; where.position > 0 && i < (size_t)where.position && i < len; i++) { /* jansson counts characters, we bytes */
        column++;
        if (data[i] == '\n' && i + 1 < (size_t)where.position) row++, column = 0;
    }
    return mn_fail_at(err, MN_ERR_INPUT, file, line ? line : row, column ? column : 1, "not valid JSON: %s", where.text);
}

mn_status mn_json_number(double *out, const json_t *value)
{
    const char *text = json_string_value(value);
    if (json_is_number(value)) return *out = json_number_value(value), MN_OK;
    if (text && strcmp(text, "inf") == 0) return *out = INFINITY, MN_OK;
    if (text && strcmp(text, "-inf") == 0) return *out = -INFINITY, MN_OK;
    return MN_ERR_INPUT;
}

mn_status mn_lines_open(mn_lines *lines, const char *path, mn_err *err)
{
    bool standard = strcmp(path, "-") == 0;
    *lines = (mn_lines){.file = standard ? stdin : fopen(path, "rb")};
    snprintf(lines->name, sizeof lines->name, "%s", standard ? "stdin" : path);
    if (!lines->file) return mn_fail_at(err, MN_ERR_IO, path, 0, 0, "cannot be opened: %s", strerror(errno));
    return MN_OK;
}

mn_status mn_lines_next(mn_lines *lines, char **line, size_t *len, bool *end, mn_err *err)
{
    *end = false;
    errno = 0;
    ssize_t got = getline(&lines->line, &lines->cap, lines->file);
    if (got < 0 && feof(lines->file) && !ferror(lines->file)) return *end = true, MN_OK;
    lines->number++;
    if (got < 0)
        return mn_fail_at(err, errno == ENOMEM ? MN_ERR_MEMORY : MN_ERR_IO, lines->name, lines->number, 0, "cannot be read: %s",
                          strerror(errno));
    char *text = lines->line, *nul = memchr(text, '\0', (size_t)got);
    if (nul)
        return mn_fail_at(err, MN_ERR_INPUT, lines->name, lines->number, (size_t)(nul - text) + 1,
                          "expected text, got a NUL byte (a compressed or binary file?)");
    if (got && text[got - 1] == '\n') text[--got] = '\0';
    if (got && text[got - 1] == '\r') text[--got] = '\0';
    *line = text;
    *len = (size_t)got;
    return MN_OK;
}

void mn_lines_close(mn_lines *lines)
{
    if (lines->file && lines->file != stdin) fclose(lines->file);
    free(lines->line);
    *lines = (mn_lines){0};
}
