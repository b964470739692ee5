/* Nodes of the byte model: a growing array, and a session's changes to it. */
#include <string.h>

#include "predict/bytes.h"

enum { MOST_NODES = INT32_MAX - 1 }; /* a place is 2 node + side, in 32 bits */

/* Makes room for n elements in *array, at least twice what there was. */
static mn_status grow(void *array, size_t *room, size_t n, size_t size, mn_err *err)
{
    void **a = array, *more;
    size_t want = *room > n / 2 ? *room * 2 : n, bytes;
    if (n <= *room) return MN_OK;
    if (!mn_mul_size(&bytes, want, size) || !(more = realloc(*a, bytes)))
        return mn_fail(err, MN_ERR_MEMORY, "out of memory (%zu x %zu bytes)", want, size);
    *a = more;
    *room = want;
    return MN_OK;
}

/* Two arrays of one room: it counts only when both have grown. */
static mn_status grow_two(mn_bytes_node **nodes, uint32_t **of, size_t *room, size_t n, mn_err *err)
{
    size_t first = *room, second = *room;
    MN_TRY(grow(nodes, &first, n, sizeof **nodes, err));
    MN_TRY(grow(of, &second, n, sizeof **of, err));
    *room = first;
    return MN_OK;
}

static size_t slot_of(const mn_bytes_store *s, uint32_t i)
{
    size_t at = (size_t)((i * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (s->slot_count - 1);
    while (s->slots[at] && s->copy_of[s->slots[at] - 1] != i) at = (at + 1) & (s->slot_count - 1);
    return at;
}

static mn_status grow_slots(mn_bytes_store *s, size_t copies, mn_err *err)
{
    size_t count = s->slot_count ? s->slot_count : 64;
    uint32_t *slots;
    while (count / 2 < copies) count *= 2;
    if (count == s->slot_count) return MN_OK;
    MN_ALLOC_OR_FAIL(slots, count, err);
    free(s->slots);
    s->slots = slots;
    s->slot_count = count;
    for (size_t c = 0; c < s->copied; c++) slots[slot_of(s, s->copy_of[c])] = (uint32_t)c + 1;
    return MN_OK;
}

mn_status mn_bytes_reserve(mn_bytes_store *s, size_t nodes, size_t changes, mn_err *err)
{
    if (nodes > MOST_NODES - (size_t)s->n) return mn_fail(err, MN_ERR_LIMIT, "a byte model holds %d decisions", MOST_NODES);
    MN_TRY(grow(&s->nodes, &s->room, s->n - s->base + nodes, sizeof *s->nodes, err));
    if (!s->below) return MN_OK;
    if (s->changes + changes >= MOST_NODES)
        return mn_fail(err, MN_ERR_LIMIT, "a session of a byte model makes %d changes", MOST_NODES);
    MN_TRY(grow_two(&s->copies, &s->copy_of, &s->copy_room, s->copied + changes, err));
    MN_TRY(grow_two(&s->old, &s->old_of, &s->change_room, s->changes + changes, err));
    return grow_slots(s, s->copied + changes, err);
}

uint32_t mn_bytes_add(mn_bytes_store *s, mn_bytes_node node)
{
    s->nodes[s->n - s->base] = node;
    return s->n++;
}

const mn_bytes_node *mn_bytes_copy_of(const mn_bytes_store *s, uint32_t i)
{
    uint32_t found = s->copied ? s->slots[slot_of(s, i)] : 0;
    return found ? &s->copies[found - 1] : &s->below->nodes[i];
}

static mn_bytes_node *copy(mn_bytes_store *s, uint32_t i)
{
    size_t slot = slot_of(s, i);
    if (!s->slots[slot]) {
        s->copies[s->copied] = s->below->nodes[i];
        s->copy_of[s->copied] = i;
        s->slots[slot] = (uint32_t)++s->copied;
    }
    return &s->copies[s->slots[slot] - 1];
}

mn_bytes_node *mn_bytes_change_kept(mn_bytes_store *s, uint32_t i)
{
    mn_bytes_node *node = i >= s->base ? &s->nodes[i - s->base] : copy(s, i);
    if (i >= s->kept) return node;
    s->old[s->changes] = *node;
    s->old_of[s->changes++] = i;
    return node;
}

void mn_bytes_undo(mn_bytes_store *s, size_t changes, uint32_t n)
{
    while (s->changes > changes) {
        uint32_t i = s->old_of[--s->changes];
        *(i >= s->base ? &s->nodes[i - s->base] : copy(s, i)) = s->old[s->changes];
    }
    s->n = s->kept = n;
}

static mn_status copy_array(void *out, const void *from, size_t n, size_t room, size_t size, mn_err *err)
{
    void **to = out;
    if (!room) return MN_OK;
    if (!(*to = malloc(room * size))) return mn_fail(err, MN_ERR_MEMORY, "out of memory (%zu x %zu bytes)", room, size);
    memcpy(*to, from, n * size);
    return MN_OK;
}

static mn_status copy_arrays(mn_bytes_store *out, const mn_bytes_store *s, mn_err *err)
{
    MN_TRY(copy_array(&out->nodes, s->nodes, s->n - s->base, s->room, sizeof *s->nodes, err));
    MN_TRY(copy_array(&out->copies, s->copies, s->copied, s->copy_room, sizeof *s->copies, err));
    MN_TRY(copy_array(&out->copy_of, s->copy_of, s->copied, s->copy_room, sizeof *s->copy_of, err));
    MN_TRY(copy_array(&out->slots, s->slots, s->slot_count, s->slot_count, sizeof *s->slots, err));
    MN_TRY(copy_array(&out->old, s->old, s->changes, s->change_room, sizeof *s->old, err));
    return copy_array(&out->old_of, s->old_of, s->changes, s->change_room, sizeof *s->old_of, err);
}

mn_status mn_bytes_store_copy(mn_bytes_store *out, const mn_bytes_store *s, mn_err *err)
{
    *out = *s;
    out->nodes = out->copies = out->old = NULL;
    out->copy_of = out->slots = out->old_of = NULL;
    mn_status status = copy_arrays(out, s, err);
    if (status != MN_OK) mn_bytes_store_free(out);
    return status;
}

void mn_bytes_store_free(mn_bytes_store *s)
{
    free(s->nodes);
    free(s->copies);
    free(s->copy_of);
    free(s->slots);
    free(s->old);
    free(s->old_of);
    *s = (mn_bytes_store){0};
}
