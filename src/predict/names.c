#include "predict/names.h"

#include <string.h>

/* FNV-1a, its upper half folded in because slots are chosen by the lowest bits. */
static size_t hash(const char *text, size_t len)
{
    uint64_t h = 0xCBF29CE484222325u;
    for (size_t i = 0; i < len; i++) h = (h ^ (unsigned char)text[i]) * 0x100000001B3u;
    return (size_t)(h ^ h >> 32);
}

static bool equal(const mn_names *names, uint32_t id, const char *text, size_t len)
{
    size_t at = names->at[id];
    return names->at[id + 1] - at == len + 1 && memcmp(names->text.data + at, text, len) == 0;
}

/* The slot of a name, or the free one where it belongs. */
static uint32_t *slot_of(const mn_names *names, const char *text, size_t len)
{
    for (size_t i = hash(text, len);; i++) {
        uint32_t *slot = &names->slots[i & (names->n_slots - 1)];
        if (!*slot || equal(names, *slot - 1, text, len)) return slot;
    }
}

int32_t mn_names_find(const mn_names *names, const char *text, size_t len)
{
    return names->n ? (int32_t)*slot_of(names, text, len) - 1 : -1;
}

static mn_status grow(mn_names *names)
{
    size_t cap = names->cap ? 2 * names->cap : 16;
    size_t *at = realloc(names->at, (cap + 1) * sizeof *at);
    if (!at) return MN_ERR_MEMORY;
    if (!names->n) at[0] = 0;
    names->at = at;
    uint32_t *slots = mn_alloc(2 * cap, sizeof *slots);
    if (!slots) return MN_ERR_MEMORY;
    free(names->slots);
    names->slots = slots;
    names->n_slots = 2 * cap;
    names->cap = cap;
    for (size_t id = 0; id < names->n; id++)
        *slot_of(names, names->text.data + at[id], at[id + 1] - at[id] - 1) = (uint32_t)id + 1;
    return MN_OK;
}

mn_status mn_names_add(mn_names *names, const char *text, size_t len)
{
    if (names->n == names->cap) MN_TRY(grow(names));
    MN_TRY(mn_buf_reserve(&names->text, len + 1));
    uint32_t *slot = slot_of(names, text, len);
    memcpy(names->text.data + names->text.len, text, len);
    names->text.len += len;
    names->text.data[names->text.len++] = '\0';
    names->text.data[names->text.len] = '\0'; /* the buffer's own end */
    names->at[++names->n] = names->text.len;
    *slot = (uint32_t)names->n;
    return MN_OK;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

mn_status mn_names_sort(mn_names *names)
{
    mn_names sorted = {0};
    const char **order = mn_alloc(names->n, sizeof *order);
    mn_status status = order ? MN_OK : MN_ERR_MEMORY;
    for (size_t id = 0; status == MN_OK && id < names->n; id++) order[id] = mn_names_get(names, (int32_t)id);
    if (status == MN_OK) qsort(order, names->n, sizeof *order, by_bytes);
    for (size_t i = 0; status == MN_OK && i < names->n; i++) status = mn_names_add(&sorted, order[i], strlen(order[i]));
    free(order);
    if (status != MN_OK) return mn_names_free(&sorted), status;
    mn_names_free(names);
    *names = sorted;
    return MN_OK;
}

void mn_names_free(mn_names *names)
{
    mn_buf_free(&names->text);
    free(names->at);
    free(names->slots);
    *names = (mn_names){0};
}
