#include "world/dictionary.h"

#include <string.h>

/* FNV-1a (Fowler, Noll, Vo). */
static uint32_t hash(const char *key, size_t len)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < len; i++) h = (h ^ (unsigned char)key[i]) * 16777619u;
    return h;
}

/* The slot of the key, or the free one where it would go. */
static size_t place(const mn_dictionary *d, const char *key, size_t len, uint32_t h)
{
    for (size_t slot = h & (d->n_slots - 1);; slot = (slot + 1) & (d->n_slots - 1)) {
        if (!d->slots[slot]) return slot;
        const mn_dictionary_key *item = &d->items[d->slots[slot] - 1];
        if (item->hash == h && item->len == len && memcmp(d->keys.data + item->at, key, len) == 0) return slot;
    }
}

static mn_status grow(mn_dictionary *d)
{
    size_t n_slots = d->n_slots ? 2 * d->n_slots : 64;
    mn_dictionary_key *items = n_slots > UINT32_MAX / 2 ? NULL : realloc(d->items, n_slots / 2 * sizeof *items);
    if (!items) return MN_ERR_MEMORY;
    d->items = items;
    uint32_t *slots = mn_alloc(n_slots, sizeof *slots);
    if (!slots) return MN_ERR_MEMORY;
    for (size_t i = 0; i < d->n; i++) {
        size_t slot = items[i].hash & (n_slots - 1);
        while (slots[slot]) slot = (slot + 1) & (n_slots - 1);
        slots[slot] = (uint32_t)i + 1;
    }
    free(d->slots);
    d->slots = slots;
    d->n_slots = n_slots;
    return MN_OK;
}

mn_status mn_dictionary_add(mn_dictionary *d, size_t *index, const char *key, size_t len)
{
    if (2 * d->n == d->n_slots) MN_TRY(grow(d));
    uint32_t h = hash(key, len);
    size_t slot = place(d, key, len, h);
    if (!d->slots[slot]) {
        mn_dictionary_key item = {.at = d->keys.len, .len = len, .hash = h};
        MN_TRY(mn_buf_put(&d->keys, key, len));
        d->items[d->n++] = item;
        d->slots[slot] = (uint32_t)d->n;
    }
    return *index = d->slots[slot] - 1, MN_OK;
}

size_t mn_dictionary_find(const mn_dictionary *d, const char *key, size_t len)
{
    if (!d->n) return MN_ABSENT;
    size_t slot = place(d, key, len, hash(key, len));
    return d->slots[slot] ? d->slots[slot] - 1 : MN_ABSENT;
}

void mn_dictionary_free(mn_dictionary *d)
{
    mn_buf_free(&d->keys);
    free(d->items);
    free(d->slots);
    *d = (mn_dictionary){0};
}
