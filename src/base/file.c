#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium/crypto_hash_sha256.h>

static mn_status failed(mn_err *err, const char *path, const char *what)
{
    return mn_fail_at(err, MN_ERR_IO, path, 0, 0, "cannot be %s: %s", what, strerror(errno));
}

/* Reads up to size bytes, less only at the end of the file; -1 on error. */
static ssize_t read_fully(int fd, char *data, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t got = read(fd, data + done, size - done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

static mn_status read_all(mn_buf *buf, int fd, const char *path, mn_err *err)
{
    for (size_t chunk = 1 << 16;; chunk *= chunk < (1 << 26) ? 2 : 1) {
        if (mn_buf_reserve(buf, chunk) != MN_OK) return mn_fail_at(err, MN_ERR_MEMORY, path, 0, 0, "too large for the memory");
        ssize_t got = read_fully(fd, buf->data + buf->len, chunk);
        if (got < 0) return failed(err, path, "read");
        buf->len += (size_t)got;
        buf->data[buf->len] = '\0';
        if ((size_t)got < chunk) return MN_OK;
    }
}

mn_status mn_file_read(mn_buf *buf, const char *path, mn_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return failed(err, path, "opened");
    mn_status status = read_all(buf, fd, path, err);
    close(fd);
    return status;
}

static bool write_fully(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t put = write(fd, data, len);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return false;
        data += put;
        len -= (size_t)put;
    }
    return true;
}

/* A rename lasts only once its folder is on the disk. Some file systems refuse to sync folders: nothing more can be done there. */
static void sync_folder(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) + 1 : 0;
    if (len >= sizeof folder) return;
    memcpy(folder, path, len);
    folder[len] = '\0';
    int fd = open(len ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

mn_status mn_file_begin(mn_file_out *out, const char *path, mn_err *err)
{
    struct stat about;
    if (stat(path, &about) == 0 && !S_ISREG(about.st_mode)) /* a device would be replaced by a file */
        return mn_fail_at(err, MN_ERR_IO, path, 0, 0, "cannot be written: something else than a file is there");
    out->path = path;
    int n = snprintf(out->temporary, sizeof out->temporary, "%s.tmp", path);
    if (n < 0 || (size_t)n >= sizeof out->temporary) return errno = ENAMETOOLONG, failed(err, path, "written");
    out->fd = open(out->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return out->fd < 0 ? failed(err, path, "written") : MN_OK;
}

mn_status mn_file_put(mn_file_out *out, const void *data, size_t len, mn_err *err)
{
    return write_fully(out->fd, data, len) ? MN_OK : failed(err, out->path, "written");
}

mn_status mn_file_put_first(mn_file_out *out, const void *data, size_t len, mn_err *err)
{
    if (lseek(out->fd, 0, SEEK_SET) < 0) return failed(err, out->path, "written");
    return mn_file_put(out, data, len, err);
}

mn_status mn_file_end(mn_file_out *out, mn_err *err)
{
    bool ok = fsync(out->fd) == 0;
    int kept = errno;
    if (close(out->fd) != 0 && ok) ok = false, kept = errno;
    out->fd = -1;
    errno = kept;
    if (!ok || rename(out->temporary, out->path) != 0) {
        mn_status status = failed(err, out->path, "written");
        return mn_file_give_up(out), status;
    }
    sync_folder(out->path);
    return MN_OK;
}

void mn_file_give_up(mn_file_out *out)
{
    if (out->fd >= 0) close(out->fd);
    unlink(out->temporary);
}

mn_status mn_file_write_atomic(const char *path, const void *data, size_t len, mn_err *err)
{
    mn_file_out out;
    MN_TRY(mn_file_begin(&out, path, err));
    mn_status status = mn_file_put(&out, data, len, err);
    if (status != MN_OK) return mn_file_give_up(&out), status;
    return mn_file_end(&out, err);
}

bool mn_file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static void write_hex(char hex[65], const unsigned char sum[crypto_hash_sha256_BYTES])
{
    for (size_t i = 0; i < crypto_hash_sha256_BYTES; i++) snprintf(hex + 2 * i, 3, "%02x", sum[i]);
}

void mn_sha256(char hex[65], const void *data, size_t len)
{
    unsigned char sum[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(sum, data, len);
    write_hex(hex, sum);
}

static mn_status hash(char hex[65], int fd, char *chunk, size_t size, const char *path, mn_err *err)
{
    crypto_hash_sha256_state state;
    unsigned char sum[crypto_hash_sha256_BYTES];
    ssize_t got;
    crypto_hash_sha256_init(&state);
    while ((got = read_fully(fd, chunk, size)) > 0) crypto_hash_sha256_update(&state, (unsigned char *)chunk, (size_t)got);
    if (got < 0) return failed(err, path, "read");
    crypto_hash_sha256_final(&state, sum);
    write_hex(hex, sum);
    return MN_OK;
}

mn_status mn_file_sha256(char hex[65], const char *path, mn_err *err)
{
    enum { CHUNK = 1 << 20 };
    char *chunk;
    MN_ALLOC_OR_FAIL(chunk, CHUNK, err);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    mn_status status = fd < 0 ? failed(err, path, "opened") : hash(hex, fd, chunk, CHUNK, path, err);
    if (fd >= 0) close(fd);
    free(chunk);
    return status;
}

mn_status mn_cache_path(char *out, size_t size, const char *relative, mn_err *err)
{
    const char *own = getenv("MIGHTNT_CACHE"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    const char *slash = *relative ? "/" : "";
    int n;
    if (own && *own)
        n = snprintf(out, size, "%s%s%s", own, slash, relative);
    else if (xdg && *xdg)
        n = snprintf(out, size, "%s/mightnt%s%s", xdg, slash, relative);
    else if (home && *home)
        n = snprintf(out, size, "%s/.cache/mightnt%s%s", home, slash, relative);
    else
        return mn_fail(err, MN_ERR_IO, "no cache folder: set MIGHTNT_CACHE or HOME");
    if (n < 0 || (size_t)n >= size) return mn_fail(err, MN_ERR_IO, "path of %s in the cache folder is longer than %zu bytes", relative, size - 1);
    return MN_OK;
}
