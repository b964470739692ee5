#include "learn/checkpoint.h"

#include <string.h>

#include <sodium/crypto_hash_sha256.h>

#include "base/file.h"

/* What a file begins with. Then floats: params [n], mean [F], scale [F], and with the optimiser m [n], v [n]; then the SHA-256 of
 * all before it. */
typedef struct header {
    char magic[8];
    uint64_t step, lengths[2], params, features, optimiser, adam_steps;
    double coefficient;
} header;

static const char magic[8] = "mnheads1";

static mn_status put(mn_buf *buf, const void *data, size_t n, size_t size)
{
    return mn_buf_put(buf, data, n * size);
}

static mn_status put_all(mn_buf *buf, const mn_trainer *t, const header *h, const float *params)
{
    const mn_features *f = &t->setup.features;
    unsigned char sum[crypto_hash_sha256_BYTES];
    MN_TRY(put(buf, h, 1, sizeof *h));
    MN_TRY(put(buf, params, t->heads.n, sizeof *params));
    MN_TRY(put(buf, f->mean, f->projection.n, sizeof *f->mean));
    MN_TRY(put(buf, f->scale, f->projection.n, sizeof *f->scale));
    if (h->optimiser) {
        MN_TRY(put(buf, t->adam.m, t->heads.n, sizeof *t->adam.m));
        MN_TRY(put(buf, t->adam.v, t->heads.n, sizeof *t->adam.v));
    }
    crypto_hash_sha256(sum, (unsigned char *)buf->data, buf->len);
    return put(buf, sum, 1, sizeof sum);
}

static mn_status save(const char *path, const mn_trainer *t, const uint64_t lengths[2], const float *params, bool optimiser,
                      mn_err *err)
{
    mn_buf buf = {0};
    header h = {.step = t->step,
                .lengths = {lengths[0], lengths[1]},
                .params = t->heads.n,
                .features = t->setup.features.projection.n,
                .optimiser = optimiser,
                .adam_steps = optimiser ? t->adam.steps : 0,
                .coefficient = t->coefficient};
    memcpy(h.magic, magic, sizeof magic);
    mn_status status = put_all(&buf, t, &h, params);
    status = status == MN_OK ? mn_file_write_atomic(path, buf.data, buf.len, err)
                             : mn_fail(err, MN_ERR_MEMORY, "out of memory");
    mn_buf_free(&buf);
    return status;
}

mn_status mn_checkpoint_save(const char *path, const mn_trainer *trainer, const uint64_t lengths[2], mn_err *err)
{
    return save(path, trainer, lengths, trainer->heads.params, true, err);
}

mn_status mn_checkpoint_save_played(const char *path, const mn_trainer *trainer, mn_err *err)
{
    return save(path, trainer, (const uint64_t[2]){0, 0}, trainer->played, false, err);
}

/* The whole file, checked: its header and sizes are right for n parameters and F features, and its sum is. */
static mn_status open_checked(mn_buf *buf, header *h, const char *path, size_t n, size_t F, bool optimiser, mn_err *err)
{
    unsigned char sum[crypto_hash_sha256_BYTES];
    MN_TRY(mn_file_read(buf, path, err));
    size_t floats = n * (optimiser ? 3 : 1) + 2 * F, size = sizeof *h + floats * sizeof(float) + sizeof sum;
    if (buf->len < sizeof *h || memcmp(buf->data, magic, sizeof magic) != 0)
        return mn_fail_at(err, MN_ERR_INPUT, path, 0, 0, "is not a checkpoint of this program");
    memcpy(h, buf->data, sizeof *h);
    if (h->params != n || h->features != F || h->optimiser != optimiser)
        return mn_fail_at(err, MN_ERR_INPUT, path, 0, 0,
                          "is of another shape: %llu parameters and %llu features, expected %zu and %zu",
                          (unsigned long long)h->params, (unsigned long long)h->features, n, F);
    if (buf->len == size) crypto_hash_sha256(sum, (unsigned char *)buf->data, size - sizeof sum);
    if (buf->len != size || memcmp(sum, buf->data + size - sizeof sum, sizeof sum) != 0)
        return mn_fail_at(err, MN_ERR_INPUT, path, 0, 0, "is damaged: its checksum is wrong");
    return MN_OK;
}

static const char *take(float *to, const char *from, size_t n)
{
    memcpy(to, from, n * sizeof *to);
    return from + n * sizeof *to;
}

mn_status mn_checkpoint_load(mn_checkpoint *out, mn_trainer *t, const char *path, mn_err *err)
{
    mn_buf buf = {0};
    mn_features *f = &t->setup.features;
    size_t n = t->heads.n, F = f->projection.n;
    header h;
    mn_status status = open_checked(&buf, &h, path, n, F, true, err);
    if (status == MN_OK) {
        const char *at = take(t->heads.params, buf.data + sizeof h, n);
        at = take(f->mean, at, F);
        at = take(f->scale, at, F);
        at = take(t->adam.m, at, n);
        take(t->adam.v, at, n);
        t->adam.steps = (size_t)h.adam_steps;
        t->step = (size_t)h.step;
        t->coefficient = h.coefficient;
        *out = (mn_checkpoint){.step = h.step, .lengths = {h.lengths[0], h.lengths[1]}};
    }
    mn_buf_free(&buf);
    return status;
}

mn_status mn_checkpoint_load_played(mn_heads *heads, mn_features *f, const char *path, mn_err *err)
{
    mn_buf buf = {0};
    header h;
    mn_status status = open_checked(&buf, &h, path, heads->n, f->projection.n, false, err);
    if (status == MN_OK) {
        const char *at = take(heads->params, buf.data + sizeof h, heads->n);
        at = take(f->mean, at, f->projection.n);
        take(f->scale, at, f->projection.n);
    }
    mn_buf_free(&buf);
    return status;
}
