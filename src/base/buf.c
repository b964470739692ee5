#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

mn_status mn_buf_reserve(mn_buf *buf, size_t more)
{
    size_t need, cap = buf->cap ? buf->cap : 64;
    if (__builtin_add_overflow(buf->len, more, &need) || __builtin_add_overflow(need, 1, &need)) return MN_ERR_MEMORY;
    if (need <= buf->cap) return MN_OK;
    while (cap < need)
        if (!mn_mul_size(&cap, cap, 2)) cap = need;
    char *data = realloc(buf->data, cap);
    if (!data) return MN_ERR_MEMORY;
    buf->data = data;
    buf->cap = cap;
    data[buf->len] = '\0';
    return MN_OK;
}

mn_status mn_buf_put(mn_buf *buf, const char *data, size_t len)
{
    MN_TRY(mn_buf_reserve(buf, len));
    if (len) memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
    return MN_OK;
}

mn_status mn_buf_puts(mn_buf *buf, const char *text)
{
    return mn_buf_put(buf, text, strlen(text));
}

mn_status mn_buf_printf(mn_buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    mn_status status = n < 0 ? MN_ERR_MEMORY : mn_buf_reserve(buf, (size_t)n);
    if (status == MN_OK) {
        vsnprintf(buf->data + buf->len, (size_t)n + 1, format, again);
        buf->len += (size_t)n;
    }
    va_end(again);
    va_end(args);
    return status;
}

void mn_buf_clear(mn_buf *buf)
{
    buf->len = 0;
    if (buf->data) buf->data[0] = '\0';
}

void mn_buf_free(mn_buf *buf)
{
    free(buf->data);
    *buf = (mn_buf){0};
}
