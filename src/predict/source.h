/* Bytes of a file or a pipe, a block at a time. Private to src/predict. */
#ifndef MN_SOURCE_H
#define MN_SOURCE_H

#include <sys/types.h>

#include "base/buf.h"

/* Read from at up to end; fill brings more. Where a position counts, newlines must be told (mn_source_newline). */
typedef struct mn_source {
    char name[256]; /* for errors: the path, or "stdin" */
    const unsigned char *at, *end;
    bool last;    /* nothing is behind end */
    size_t line;  /* of at, from 1; of the line last given */
    bool by_line; /* mn_source_line gives it: positions are lines without columns */
    int fd;
    off_t start; /* where the file was when opened; negative: it cannot be read twice */
    unsigned char *block;
    uint64_t passed, line_begins; /* bytes before begins; before the present line */
    const unsigned char *begins;  /* of what is in memory */
    mn_buf held;
} mn_source;

/* Opens path, "-" for stdin. MN_ERR_IO, MN_ERR_MEMORY; close it also after a failure. */
MN_CHECKED mn_status mn_source_open(mn_source *source, const char *path, mn_err *err);
/* Reads on until at least `least` bytes (at most 2^16) are ahead of at, or all there are (then last is true).
 * Pointers into what was there are void. MN_ERR_IO. */
MN_CHECKED mn_status mn_source_need(mn_source *source, size_t least, mn_err *err);
/* Makes sure that it can be read twice: what has no places to go back to, a pipe, is read to its end and kept in memory.
 * Before anything was taken. MN_ERR_IO, MN_ERR_MEMORY. */
MN_CHECKED mn_status mn_source_hold(mn_source *source, mn_err *err);
/* Back to the beginning, after hold. MN_ERR_IO. */
MN_CHECKED mn_status mn_source_again(mn_source *source, mn_err *err);
/* Steps over the byte order mark that some programs begin UTF-8 with. Before anything was taken. MN_ERR_IO. */
MN_CHECKED mn_status mn_source_skip_mark(mn_source *source, mn_err *err);
/* The next line without its end (LF or CRLF) into line, in place of what it had; *end true: there is none. */
MN_CHECKED mn_status mn_source_line(mn_source *source, mn_buf *line, bool *end, mn_err *err);
/* Fails with MN_ERR_INPUT and the present position; control characters of the message become spaces. */
mn_status mn_source_fail(const mn_source *source, mn_err *err, const char *format, ...) MN_PRINTF(3, 4);
void mn_source_close(mn_source *source);

static inline uint64_t mn_source_offset(const mn_source *source)
{
    return source->passed + (uint64_t)(source->at - source->begins);
}

/* Steps over the newline at `at`. */
static inline void mn_source_newline(mn_source *source)
{
    source->at++;
    source->line++;
    source->line_begins = mn_source_offset(source);
}

#endif
