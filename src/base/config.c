#include "base/config.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <yaml.h>

#include "base/file.h"
#include "base/json.h"

enum { NAME = 64 }; /* bytes of a key's name, with the NUL */

/* What the file has said of a key so far. */
typedef struct mention {
    bool given;
    size_t opened; /* length of the longest section of its name that was entered */
} mention;

/* A place in the source, from line 1, column 1. */
typedef struct place {
    size_t characters, bytes, line, column;
} place;

typedef struct loader {
    void *settings;
    const mn_key *keys;
    size_t n;
    mention *mentions;  /* [n] */
    const char *folder; /* what paths are relative to */
    const char *source; /* for errors: the file, or "--set key=value" */
    bool in_file;       /* else in --set, or in the defaults */
    const char *data;   /* what is parsed */
    size_t len;
    yaml_parser_t parser;
    yaml_event_t event; /* the present one */
    place at;           /* where it begins */
    mn_err *err;
} loader;

static void *field(const void *settings, const mn_key *key)
{
    return (char *)settings + key->offset;
}

/* ---- what a key takes ---- */

static mn_status describe(mn_buf *out, const mn_key *key)
{
    static const char *const words[] = {"true or false", "a whole number", "a number",         "text",
                                        "a path",        "text",           "a list of numbers"};
    if (key->choices) {
        MN_TRY(mn_buf_puts(out, "one of "));
        for (const char *c = key->choices; *c; c++) MN_TRY(*c == '|' ? mn_buf_puts(out, ", ") : mn_buf_put(out, c, 1));
        return MN_OK;
    }
    MN_TRY(mn_buf_puts(out, words[key->type]));
    if (key->type != MN_KEY_INT && key->type != MN_KEY_NUM && key->type != MN_KEY_NUMS) return MN_OK;
    return mn_buf_printf(out, " from %.15g to %.15g", key->low, key->high);
}

/* The key that the text names, NULL if none. */
static const mn_key *find(const loader *l, const char *name)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->keys[i].name, name) == 0) return &l->keys[i];
    return NULL;
}

/* The index of text among "a|b|c", -1 if it is none. */
static int choice(const char *choices, const char *text)
{
    size_t length = strlen(text);
    for (int i = 0;; i++) {
        size_t width = strcspn(choices, "|");
        if (width == length && strncmp(choices, text, length) == 0) return i;
        if (!choices[width]) return -1;
        choices += width + 1;
    }
}

/* ---- errors ---- */

/* At the present place; a --set and a default have none. */
static mn_status MN_PRINTF(2, 3) fail(const loader *l, const char *format, ...)
{
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return mn_fail_at(l->err, MN_ERR_INPUT, l->source, l->in_file ? l->at.line : 0, l->in_file ? l->at.column : 0, "%s",
                      message);
}

static mn_status no_memory(const loader *l)
{
    return mn_fail(l->err, MN_ERR_MEMORY, "out of memory");
}

static mn_status wrong(const loader *l, const mn_key *key, const char *quote, const char *got, const char *hint)
{
    mn_buf wanted = {0};
    mn_status status = describe(&wanted, key);
    if (status)
        status = no_memory(l);
    else
        status = fail(l, "%s: expected %s, got %s%.80s%s%s", key->name, wanted.data, quote, got, quote, hint);
    mn_buf_free(&wanted);
    return status;
}

static mn_status wrong_text(const loader *l, const mn_key *key, const char *text)
{
    return wrong(l, key, "'", text, "");
}

/* A key of the table whose last word is name, or that is nearest when cut to as many words; "" if none. */
static void nearest(const loader *l, char out[NAME], const char *name)
{
    size_t words = 1;
    for (const char *c = name; *c; c++) words += *c == '.';
    char(*cut)[NAME] = mn_alloc(l->n, NAME);
    const char **names = mn_alloc(l->n, sizeof *names), *found = NULL;
    for (size_t i = 0; cut && names && i < l->n; i++) {
        const char *full = l->keys[i].name, *last = strrchr(full, '.'), *end = full;
        for (size_t k = 0; k < words && *end; k++) end += strcspn(end + (k > 0), ".") + (k > 0);
        snprintf(cut[i], NAME, "%.*s", (int)(end - full), full);
        names[i] = cut[i];
        if (!found && last && strcmp(last + 1, name) == 0) found = full;
    }
    if (cut && names && !found) found = mn_text_nearest(name, names, l->n);
    snprintf(out, NAME, "%s", found ? found : "");
    free(names);
    free(cut);
}

static mn_status unknown(const loader *l, const char *name)
{
    char near[NAME];
    nearest(l, near, name);
    if (!*near) return fail(l, "unknown key '%s'", name);
    if (strcmp(near, name) == 0) return fail(l, "%s is a section, expected one of its keys", name);
    return fail(l, "unknown key '%s' (did you mean %s?)", name, near);
}

/* ---- storing ---- */

/* A number in the key's range. A quoted one is text, except for the infinities, which JSON has to quote. */
static mn_status number(const loader *l, const mn_key *key, const char *text, bool plain, double *out)
{
    double x;
    if (mn_text_num(&x, text) || !(x >= key->low && x <= key->high) || (!plain && isfinite(x))) return wrong_text(l, key, text);
    *out = x;
    return MN_OK;
}

static mn_status store_int(const loader *l, const mn_key *key, const char *text, bool plain)
{
    int64_t x;
    if (!plain || mn_text_int(&x, text) || !((double)x >= key->low && (double)x <= key->high)) return wrong_text(l, key, text);
    *(int64_t *)field(l->settings, key) = x;
    return MN_OK;
}

static mn_status store_bool(const loader *l, const mn_key *key, const char *text, bool plain)
{
    bool yes = strcmp(text, "true") == 0;
    if (!plain || (!yes && strcmp(text, "false"))) return wrong_text(l, key, text);
    *(bool *)field(l->settings, key) = yes;
    return MN_OK;
}

/* Unquoted words that YAML takes for something else than text. */
static bool is_typed(const char *text)
{
    double x;
    return choice("|~|null|true|false|.nan", text) >= 0 || mn_text_num(&x, text) != MN_ERR_INPUT;
}

/* *out: the relative path from the root on, owned by the caller. */
static mn_status absolute(const loader *l, const mn_key *key, const char *path, char **out)
{
    char *folder = realpath(l->folder, NULL);
    mn_buf whole = {0};
    if (!folder)
        return mn_fail(l->err, MN_ERR_IO, "%s: the folder %s cannot be resolved: %s", key->name, l->folder, strerror(errno));
    mn_status status = mn_buf_printf(&whole, "%s/%s", strcmp(folder, "/") ? folder : "", path);
    free(folder);
    *out = whole.data;
    return status ? no_memory(l) : MN_OK;
}

static mn_status store_text(const loader *l, const mn_key *key, const char *text, bool plain)
{
    json_t *valid = json_string(text); /* NULL if it is not UTF-8: it could not be written down and read back */
    json_decref(valid);
    if (!valid) return wrong(l, key, "", "bytes that are not UTF-8", "");
    if (key->choices && choice(key->choices, text) < 0) return wrong_text(l, key, text);
    if (!key->choices && plain && is_typed(text))
        return wrong(l, key, "", *text ? text : "nothing", "; text like this goes in quotes");
    bool relative = key->type == MN_KEY_PATH && *text && *text != '/';
    char *copy = NULL;
    if (relative) MN_TRY(absolute(l, key, text, &copy));
    if (!relative && !(copy = strdup(text))) return no_memory(l);
    char **to = field(l->settings, key);
    free(*to);
    *to = copy;
    return MN_OK;
}

static mn_status store(const loader *l, const mn_key *key, const char *text, size_t len, bool plain)
{
    if (strlen(text) != len) return wrong(l, key, "", "text with a NUL", "");
    switch (key->type) {
    case MN_KEY_BOOL: return store_bool(l, key, text, plain);
    case MN_KEY_INT: return store_int(l, key, text, plain);
    case MN_KEY_NUM: return number(l, key, text, plain, field(l->settings, key));
    case MN_KEY_CHOICE:
        if (choice(key->choices, text) < 0) return wrong_text(l, key, text);
        *(int *)field(l->settings, key) = choice(key->choices, text);
        return MN_OK;
    case MN_KEY_NUMS: return wrong_text(l, key, text);
    case MN_KEY_STR:
    case MN_KEY_PATH: break;
    }
    return store_text(l, key, text, plain);
}

/* ---- YAML ---- */

/* Moves line and column, which count bytes, to a place that libyaml gives in characters: on from where they are, since events
 * come in order. */
static void locate(loader *l, size_t characters)
{
    if (characters < l->at.characters) l->at = (place){.line = 1, .column = 1};
    while (l->at.characters < characters && l->at.bytes < l->len) {
        bool line_ends = l->data[l->at.bytes] == '\n';
        do l->at.bytes++, l->at.column++;
        while (l->at.bytes < l->len && ((unsigned char)l->data[l->at.bytes] & 0xC0) == 0x80);
        l->at.characters++;
        if (line_ends) l->at.line++, l->at.column = 1;
    }
}

/* What is not UTF-8, or a control character, libyaml gives in bytes. */
static size_t characters(const loader *l, size_t bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < bytes && i < l->len; i++) n += ((unsigned char)l->data[i] & 0xC0) != 0x80;
    return n;
}

static mn_status broken(loader *l)
{
    const yaml_parser_t *p = &l->parser;
    if (p->error == YAML_MEMORY_ERROR) return no_memory(l);
    locate(l, p->error == YAML_READER_ERROR ? characters(l, p->problem_offset) : p->problem_mark.index);
    return fail(l, "not valid YAML: %s%s%s", p->context ? p->context : "", p->context ? ", " : "",
                p->problem ? p->problem : "unknown problem");
}

/* Goes on to the next event. */
static mn_status next(loader *l)
{
    yaml_event_delete(&l->event);
    if (!yaml_parser_parse(&l->parser, &l->event)) return broken(l);
    const yaml_event_t *e = &l->event;
    locate(l, e->start_mark.index);
    bool scalar = e->type == YAML_SCALAR_EVENT, list = e->type == YAML_SEQUENCE_START_EVENT,
         map = e->type == YAML_MAPPING_START_EVENT;
    if (e->type == YAML_ALIAS_EVENT || (scalar && e->data.scalar.anchor) || (list && e->data.sequence_start.anchor) ||
        (map && e->data.mapping_start.anchor))
        return fail(l, "anchors and aliases are not supported");
    if ((scalar && e->data.scalar.tag) || (list && e->data.sequence_start.tag) || (map && e->data.mapping_start.tag))
        return fail(l, "tags are not supported");
    return MN_OK;
}

static const char *scalar(const loader *l)
{
    return (const char *)l->event.data.scalar.value;
}

static bool is_empty(const loader *l)
{
    return l->event.type == YAML_SCALAR_EVENT && l->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !*scalar(l);
}

static mn_status list_item(const loader *l, const mn_key *key, mn_num_list *list, size_t *cap)
{
    if (l->event.type != YAML_SCALAR_EVENT) return wrong(l, key, "", "a list or mapping inside the list", "");
    if (list->n == *cap) {
        size_t more = *cap ? 2 * *cap : 8;
        double *items = reallocarray(list->items, more, sizeof *items);
        if (!items) return no_memory(l);
        list->items = items;
        *cap = more;
    }
    MN_TRY(number(l, key, scalar(l), l->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE, &list->items[list->n]));
    list->n++;
    return MN_OK;
}

static mn_status list(loader *l, const mn_key *key)
{
    mn_num_list list = {0}, *to = field(l->settings, key);
    size_t cap = 0;
    mn_status status = next(l);
    while (status == MN_OK && l->event.type != YAML_SEQUENCE_END_EVENT) {
        status = list_item(l, key, &list, &cap);
        if (status == MN_OK) status = next(l);
    }
    if (status) {
        free(list.items);
        return status;
    }
    free(to->items);
    *to = list;
    return MN_OK;
}

static mn_status value(loader *l, const mn_key *key)
{
    const yaml_event_t *e = &l->event;
    if (e->type == YAML_SCALAR_EVENT)
        return store(l, key, scalar(l), e->data.scalar.length, e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE);
    if (e->type == YAML_SEQUENCE_START_EVENT && key->type == MN_KEY_NUMS) return list(l, key);
    return wrong(l, key, "", e->type == YAML_SEQUENCE_START_EVENT ? "a list" : "a mapping", "");
}

static mn_status twice(const loader *l, const char *name)
{
    return fail(l, "%s is given twice", name);
}

/* Notes that the section was entered; *known false if no key lies in it. */
static mn_status enter(const loader *l, const char *name, bool *known)
{
    size_t length = strlen(name);
    *known = false;
    for (size_t i = 0; i < l->n; i++) {
        if (strncmp(l->keys[i].name, name, length) || l->keys[i].name[length] != '.') continue;
        if (l->mentions[i].opened >= length) return twice(l, name);
        l->mentions[i].opened = length;
        *known = true;
    }
    return MN_OK;
}

static mn_status mapping(loader *l, const char *section);

/* One key and its value; the present event is the key. Only known sections are entered, so the recursion is as deep as the
 * table's names. */
static mn_status entry(loader *l, const char *section)
{
    char name[NAME + 64];
    bool known;
    if (l->event.type != YAML_SCALAR_EVENT) return fail(l, "expected a key, got a list or a mapping");
    if (strlen(scalar(l)) != l->event.data.scalar.length) return fail(l, "expected a key, got one with a NUL in it");
    snprintf(name, sizeof name, "%s%s%s", section, *section ? "." : "", scalar(l));
    const mn_key *key = find(l, name);
    if (key) {
        mention *seen = &l->mentions[key - l->keys];
        if (seen->given) return twice(l, name);
        seen->given = true;
        MN_TRY(next(l));
        return value(l, key);
    }
    MN_TRY(enter(l, name, &known));
    if (!known) return unknown(l, name);
    MN_TRY(next(l));
    if (l->event.type == YAML_MAPPING_START_EVENT) return mapping(l, name);
    return fail(l, "%s: expected a mapping of keys", name);
}

static mn_status mapping(loader *l, const char *section)
{
    for (;;) {
        MN_TRY(next(l));
        if (l->event.type == YAML_MAPPING_END_EVENT) return MN_OK;
        MN_TRY(entry(l, section));
    }
}

/* Passes over the node that begins with the present event. */
static mn_status skip(loader *l)
{
    for (size_t depth = 0;;) {
        yaml_event_type_t type = l->event.type;
        depth += type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT;
        depth -= type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT;
        if (!depth) return MN_OK;
        MN_TRY(next(l));
    }
}

/* Reads the root's mapping of that name and passes over the rest. */
static mn_status only_section(loader *l, const char *section)
{
    bool found = false;
    for (;;) {
        MN_TRY(next(l));
        if (l->event.type == YAML_MAPPING_END_EVENT) break;
        bool wanted = l->event.type == YAML_SCALAR_EVENT && strcmp(scalar(l), section) == 0;
        if (wanted && found) return twice(l, section);
        if (!wanted) MN_TRY(skip(l));
        MN_TRY(next(l));
        if (wanted && l->event.type != YAML_MAPPING_START_EVENT) return fail(l, "expected a mapping of keys");
        MN_TRY(wanted ? mapping(l, "") : skip(l));
        found |= wanted;
    }
    if (found) return MN_OK;
    return mn_fail_at(l->err, MN_ERR_INPUT, l->source, 0, 0, "expected a mapping named %s", section);
}

static mn_status root(loader *l, const char *section)
{
    if (is_empty(l) && !section) return MN_OK;
    if (l->event.type != YAML_MAPPING_START_EVENT) return fail(l, "expected a mapping of keys");
    return section ? only_section(l, section) : mapping(l, "");
}

/* One document: the value of key, or where that is NULL a whole file. */
static mn_status document(loader *l, const mn_key *key, const char *section)
{
    MN_TRY(next(l)); /* the stream begins */
    MN_TRY(next(l));
    if (l->event.type == YAML_STREAM_END_EVENT && !key && !section) return MN_OK;
    if (l->event.type == YAML_STREAM_END_EVENT) return fail(l, "expected a value, got nothing");
    MN_TRY(next(l));
    MN_TRY(key ? value(l, key) : root(l, section));
    MN_TRY(next(l)); /* the document ends */
    MN_TRY(next(l));
    return l->event.type == YAML_STREAM_END_EVENT ? MN_OK : fail(l, "expected one document, got another");
}

static mn_status parse(loader *l, const char *data, size_t len, const mn_key *key, const char *section)
{
    size_t mark = len >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0 ? 3
                                                                   : 0; /* a byte order mark, which libyaml takes for text */
    l->data = data += mark;
    l->len = len -= mark;
    l->at = (place){.line = 1, .column = 1};
    if (!yaml_parser_initialize(&l->parser)) return no_memory(l);
    yaml_parser_set_encoding(&l->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&l->parser, (const unsigned char *)data, len);
    mn_status status = document(l, key, section);
    yaml_event_delete(&l->event);
    yaml_parser_delete(&l->parser);
    return status;
}

/* ---- the three sources ---- */

/* A value of --set or a default. */
static mn_status set_value(loader *l, const mn_key *key, const char *text)
{
    bool is_text = key->type == MN_KEY_STR || key->type == MN_KEY_PATH;
    if (key->type == MN_KEY_NUMS || (is_text && (*text == '"' || *text == '\'')))
        return parse(l, text, strlen(text), key, NULL);
    return store(l, key, text, strlen(text), !is_text);
}

static mn_status load_defaults(loader *l)
{
    l->source = "default";
    for (size_t i = 0; i < l->n; i++)
        if (l->keys[i].value) MN_TRY(set_value(l, &l->keys[i], l->keys[i].value));
    return MN_OK;
}

static mn_status load_file(loader *l, const char *path, const char *section)
{
    mn_buf text = {0};
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    mn_status status = folder ? mn_file_read(&text, path, l->err) : no_memory(l);
    l->source = path;
    l->in_file = true;
    l->folder = folder;
    if (status == MN_OK) status = parse(l, text.data ? text.data : "", text.len, NULL, section);
    mn_buf_free(&text);
    free(folder);
    l->folder = ".";
    return status;
}

static mn_status load_set(loader *l, const char *set)
{
    char source[128], name[NAME + 64];
    size_t length = strcspn(set, "=");
    snprintf(source, sizeof source, "--set %s", set);
    snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : sizeof name - 1), set);
    l->source = source;
    l->in_file = false;
    if (!set[length]) return fail(l, "expected KEY=VALUE");
    const mn_key *key = find(l, name);
    if (!key) return unknown(l, name);
    l->mentions[key - l->keys].given = true;
    return set_value(l, key, set + length + 1);
}

static mn_status load(loader *l, const char *path, const char *section, const char *const *sets, size_t n_sets)
{
    MN_TRY(load_defaults(l));
    if (path) MN_TRY(load_file(l, path, section));
    for (size_t i = 0; i < n_sets; i++) MN_TRY(load_set(l, sets[i]));
    for (size_t i = 0; i < l->n; i++)
        if (!l->keys[i].value && !l->mentions[i].given)
            return mn_fail_at(l->err, MN_ERR_INPUT, path, 0, 0, "%s must be given: %s", l->keys[i].name, l->keys[i].doc);
    return MN_OK;
}

/* Nothing owned, whatever was in the fields before. */
static void empty(void *settings, const mn_key *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        void *at = field(settings, &keys[i]);
        if (keys[i].type == MN_KEY_STR || keys[i].type == MN_KEY_PATH) *(char **)at = NULL;
        if (keys[i].type == MN_KEY_NUMS) *(mn_num_list *)at = (mn_num_list){0};
    }
}

mn_status mn_config_load(void *settings, const mn_key *keys, size_t n, const char *path, const char *section,
                         const char *const *sets, size_t n_sets, mn_err *err)
{
    loader l = {.settings = settings, .keys = keys, .n = n, .folder = ".", .err = err};
    empty(settings, keys, n);
    MN_ALLOC_OR_FAIL(l.mentions, n, err);
    mn_status status = load(&l, path, section, sets, n_sets);
    free(l.mentions);
    if (status) mn_config_free(settings, keys, n);
    return status;
}

void mn_config_free(void *settings, const mn_key *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (keys[i].type == MN_KEY_STR || keys[i].type == MN_KEY_PATH) free(*(char **)field(settings, &keys[i]));
        if (keys[i].type == MN_KEY_NUMS) free(((mn_num_list *)field(settings, &keys[i]))->items);
    }
    empty(settings, keys, n);
}

/* ---- writing ---- */

/* JSON that YAML reads as the same text: characters that YAML refuses or folds as line breaks are escaped too
 * (U+0080 to U+009F, U+2028, U+2029, U+FEFF, U+FFFE, U+FFFF). */
static mn_status write_text(mn_buf *out, const char *text)
{
    mn_buf json = {0};
    mn_status status = mn_json_str(&json, text, strlen(text));
    for (size_t i = 0; status == MN_OK && i < json.len; i++) {
        const unsigned char *c = (const unsigned char *)json.data + i;
        unsigned two = c[0] == 0xC2 ? c[1] : 0;
        unsigned three = c[0] >> 4 == 0xE ? (c[0] & 0xFu) << 12 | (c[1] & 0x3Fu) << 6 | (c[2] & 0x3Fu) : 0;
        bool escape = (two >= 0x80 && two < 0xA0) || three == 0x2028 || three == 0x2029 || three == 0xFEFF || three >= 0xFFFE;
        if (!escape) {
            status = mn_buf_put(out, json.data + i, 1);
            continue;
        }
        status = mn_buf_printf(out, "\\u%04x", two ? two : three);
        i += two ? 1 : 2;
    }
    mn_buf_free(&json);
    return status;
}

static mn_status write_value(mn_buf *out, const void *settings, const mn_key *key)
{
    const void *at = field(settings, key);
    const mn_num_list *nums = at;
    const char *text = key->choices;
    switch (key->type) {
    case MN_KEY_BOOL: return mn_buf_puts(out, *(const bool *)at ? "true" : "false");
    case MN_KEY_INT: return mn_buf_printf(out, "%" PRId64, *(const int64_t *)at);
    case MN_KEY_NUM: return mn_json_num(out, *(const double *)at);
    case MN_KEY_STR:
    case MN_KEY_PATH: return write_text(out, *(char *const *)at);
    case MN_KEY_CHOICE:
        for (int i = 0; i < *(const int *)at; i++) text += strcspn(text, "|") + 1;
        return mn_json_str(out, text, strcspn(text, "|"));
    case MN_KEY_NUMS: break;
    }
    return mn_json_nums(out, nums->items, nums->n);
}

/* Length of the sections that a and b share, the last dot included. */
static size_t shared(const char *a, const char *b)
{
    size_t length = 0;
    for (size_t i = 0; a[i] && a[i] == b[i]; i++)
        if (a[i] == '.') length = i + 1;
    return length;
}

static mn_status close_sections(mn_buf *out, const char *name)
{
    for (const char *c = name; *c; c++)
        if (*c == '.') MN_TRY(mn_buf_puts(out, "}"));
    return MN_OK;
}

mn_status mn_config_json(mn_buf *out, const void *settings, const mn_key *keys, size_t n)
{
    const char *before = "";
    MN_TRY(mn_buf_puts(out, "{"));
    for (size_t i = 0; i < n; i++) {
        const char *name = keys[i].name;
        size_t common = shared(before, name);
        MN_TRY(close_sections(out, before + common));
        if (i) MN_TRY(mn_buf_puts(out, ", "));
        for (const char *word = name + common; *word;) {
            size_t length = strcspn(word, ".");
            MN_TRY(mn_json_str(out, word, length));
            MN_TRY(mn_buf_puts(out, word[length] ? ": {" : ": "));
            word += length + (word[length] == '.');
        }
        MN_TRY(write_value(out, settings, &keys[i]));
        before = name;
    }
    MN_TRY(close_sections(out, before));
    return mn_buf_puts(out, "}");
}

mn_status mn_config_doc(mn_buf *out, const mn_key *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool is_text = keys[i].type == MN_KEY_STR || keys[i].type == MN_KEY_PATH;
        MN_TRY(mn_buf_printf(out, "- `%s`: ", keys[i].name));
        MN_TRY(describe(out, &keys[i]));
        MN_TRY(mn_buf_puts(out, keys[i].value ? "; default " : "; must be given"));
        if (keys[i].value) MN_TRY(is_text ? write_text(out, keys[i].value) : mn_buf_puts(out, keys[i].value));
        MN_TRY(mn_buf_printf(out, ". %s.\n", keys[i].doc));
    }
    return MN_OK;
}
