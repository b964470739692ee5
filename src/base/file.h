/* Whole files: read, replaced at once, hashed; the cache folder. */
#ifndef MN_FILE_H
#define MN_FILE_H

#include <limits.h>

#include "base/buf.h"

/* Appends the file's bytes to buf; pipes too. MN_ERR_IO, MN_ERR_MEMORY. */
MN_CHECKED mn_status mn_file_read(mn_buf *buf, const char *path, mn_err *err);
/* A file that is made in pieces. Whoever looks, also after a crash, finds the old file or the new one whole: PATH.tmp is
 * written, fsynced, renamed, the folder fsynced. One writer a path at a time; what a kill leaves in PATH.tmp is overwritten
 * by the next. */
typedef struct mn_file_out {
    int fd;
    const char *path; /* borrowed */
    char temporary[PATH_MAX];
} mn_file_out;

/* MN_ERR_IO: nothing is open, path as it was. */
MN_CHECKED mn_status mn_file_begin(mn_file_out *out, const char *path, mn_err *err);
/* Behind what was put before. MN_ERR_IO: end it by giving it up. */
MN_CHECKED mn_status mn_file_put(mn_file_out *out, const void *data, size_t len, mn_err *err);
/* At the file's beginning, in place of what was put there; what is put afterwards goes behind it. MN_ERR_IO. */
MN_CHECKED mn_status mn_file_put_first(mn_file_out *out, const void *data, size_t len, mn_err *err);
/* Puts it in path's place. MN_ERR_IO: given up. */
MN_CHECKED mn_status mn_file_end(mn_file_out *out, mn_err *err);
/* Removes PATH.tmp; path is as it was. */
void mn_file_give_up(mn_file_out *out);

/* Replaces path by len bytes in the same way. On failure path is as it was. MN_ERR_IO. */
MN_CHECKED mn_status mn_file_write_atomic(const char *path, const void *data, size_t len, mn_err *err);
/* Something of that name exists and can be seen. */
bool mn_file_exists(const char *path);
/* SHA-256 of len bytes in 64 hex digits. */
void mn_sha256(char hex[65], const void *data, size_t len);
/* SHA-256 of the file's bytes in 64 hex digits. MN_ERR_IO. */
MN_CHECKED mn_status mn_file_sha256(char hex[65], const char *path, mn_err *err);
/* Writes to out the path of a file in the cache folder: $MIGHTNT_CACHE, else $XDG_CACHE_HOME/mightnt, else ~/.cache/mightnt;
 * relative "" gives the folder. Nothing is created. MN_ERR_IO where there is no such folder or the path exceeds size. */
MN_CHECKED mn_status mn_cache_path(char *out, size_t size, const char *relative, mn_err *err);

#endif
