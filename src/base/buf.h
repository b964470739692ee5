/* A growing string of bytes. Start from {0}. */
#ifndef MN_BUF_H
#define MN_BUF_H

#include "base/base.h"

/* data: len bytes and then a NUL; NULL until the first put. */
typedef struct mn_buf {
    char *data;
    size_t len, cap;
} mn_buf;

/* Room for `more` bytes past len, and the NUL. MN_ERR_MEMORY leaves the buffer as it was. Amortised O(more). */
MN_CHECKED mn_status mn_buf_reserve(mn_buf *buf, size_t more);
/* Appends len bytes; data must not lie inside the buffer. MN_ERR_MEMORY leaves the buffer as it was. */
MN_CHECKED mn_status mn_buf_put(mn_buf *buf, const char *data, size_t len);
MN_CHECKED mn_status mn_buf_puts(mn_buf *buf, const char *text);
MN_CHECKED mn_status mn_buf_printf(mn_buf *buf, const char *format, ...) MN_PRINTF(2, 3);
/* Empties it and keeps the memory. */
void mn_buf_clear(mn_buf *buf);
/* Releases it; it may be used again. */
void mn_buf_free(mn_buf *buf);

#endif
