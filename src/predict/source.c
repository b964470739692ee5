#include "predict/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 1 << 18 };

static mn_status failed(const mn_source *s, const char *what, mn_err *err)
{
    return mn_fail_at(err, MN_ERR_IO, s->name, 0, 0, "cannot be %s: %s", what, strerror(errno));
}

mn_status mn_source_open(mn_source *s, const char *path, mn_err *err)
{
    bool standard = strcmp(path, "-") == 0;
    *s = (mn_source){.line = 1, .fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)};
    snprintf(s->name, sizeof s->name, "%s", standard ? "stdin" : path);
    if (s->fd < 0) return failed(s, "opened", err);
    s->start = lseek(s->fd, 0, SEEK_CUR);
    MN_ALLOC_OR_FAIL(s->block, BLOCK, err);
    s->at = s->end = s->begins = s->block;
    return MN_OK;
}

/* One read, as much as there is; *got 0 at the end of the file. */
static mn_status read_some(mn_source *s, void *to, size_t size, size_t *got, mn_err *err)
{
    ssize_t n;
    do n = read(s->fd, to, size);
    while (n < 0 && errno == EINTR);
    if (n < 0) return failed(s, "read", err);
    *got = (size_t)n;
    return MN_OK;
}

mn_status mn_source_need(mn_source *s, size_t least, mn_err *err)
{
    size_t ahead = (size_t)(s->end - s->at), got = 0;
    if (s->last || ahead >= least) return MN_OK;
    s->passed = mn_source_offset(s);
    memmove(s->block, s->at, ahead);
    while (!s->last && ahead < least) {
        MN_TRY(read_some(s, s->block + ahead, BLOCK - ahead, &got, err));
        ahead += got;
        s->last = got == 0;
    }
    s->at = s->begins = s->block;
    s->end = s->block + ahead;
    return MN_OK;
}

mn_status mn_source_hold(mn_source *s, mn_err *err)
{
    size_t got = (size_t)(s->end - s->at);
    if (s->start >= 0) return MN_OK;
    mn_status status = mn_buf_put(&s->held, (const char *)s->at, got);
    while (status == MN_OK && !s->last) {
        status = mn_buf_reserve(&s->held, BLOCK);
        if (status != MN_OK) break;
        MN_TRY(read_some(s, s->held.data + s->held.len, BLOCK, &got, err));
        s->held.len += got;
        s->last = got == 0;
    }
    if (status != MN_OK)
        return mn_fail_at(err, status, s->name, 0, 0,
                          "too large for the memory: declare the alphabet, and it need not be held");
    return mn_source_again(s, err);
}

mn_status mn_source_again(mn_source *s, mn_err *err)
{
    s->passed = s->line_begins = 0;
    s->line = 1;
    s->by_line = false;
    if (s->start < 0) {
        s->at = s->begins = (const unsigned char *)s->held.data;
        s->end = s->at + s->held.len;
        return MN_OK;
    }
    if (lseek(s->fd, s->start, SEEK_SET) < 0) return failed(s, "read again", err);
    s->at = s->end = s->begins = s->block;
    s->last = false;
    return MN_OK;
}

mn_status mn_source_skip_mark(mn_source *s, mn_err *err)
{
    MN_TRY(mn_source_need(s, 3, err));
    if (s->end - s->at < 3 || memcmp(s->at, "\xEF\xBB\xBF", 3) != 0) return MN_OK;
    s->at += 3;
    if (s->start >= 0) s->start += 3;
    return MN_OK;
}

mn_status mn_source_line(mn_source *s, mn_buf *line, bool *end, mn_err *err)
{
    const unsigned char *newline = NULL;
    mn_buf_clear(line);
    if (s->by_line) s->line++;
    s->by_line = true;
    while (!newline) {
        MN_TRY(mn_source_need(s, 1, err));
        size_t ahead = (size_t)(s->end - s->at);
        if (!ahead) break;
        newline = memchr(s->at, '\n', ahead);
        if (newline) ahead = (size_t)(newline - s->at);
        if (mn_buf_put(line, (const char *)s->at, ahead) != MN_OK)
            return mn_fail_at(err, MN_ERR_MEMORY, s->name, s->line, 0, "the line is too long for the memory");
        s->at += ahead;
    }
    *end = !newline && !line->len;
    if (newline) s->at++;
    if (line->len && line->data[line->len - 1] == '\r') line->data[--line->len] = '\0';
    return MN_OK;
}

mn_status mn_source_fail(const mn_source *s, mn_err *err, const char *format, ...)
{
    char message[sizeof err->message];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    for (char *c = message; *c; c++)
        if ((unsigned char)*c < ' ') *c = ' ';
    size_t column = s->by_line ? 0 : (size_t)(mn_source_offset(s) - s->line_begins) + 1;
    return mn_fail_at(err, MN_ERR_INPUT, s->name, s->line, column, "%s", message);
}

void mn_source_close(mn_source *s)
{
    if (s->fd > STDERR_FILENO) close(s->fd);
    free(s->block);
    mn_buf_free(&s->held);
    *s = (mn_source){.fd = -1};
}
