/* Symbols of files: one source of bytes, four ways to cut it, one table of names. Where the alphabet is to be found the same
 * reading is done twice, once to meet the names. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "predict/names.h"
#include "predict/source.h"

enum {
    PEEK = 1 << 16, /* of the beginning, to tell the format */
    LONG_LINE = 32, /* bytes of a first line without separators that is text and not a token */
    LONGEST_TOKEN = 4096,
    LONGEST_CHARACTER = 4
};
enum { WORD, SEPARATOR, NUL }; /* kinds of bytes */

struct mn_symbols {
    mn_symbols_format format;
    mn_source source;
    mn_names names;
    bool finding;       /* unknown names are added */
    int32_t id_of[256]; /* of one-byte names, -1: none */
    unsigned char kind[256];
    char *role, *field;
    mn_buf line;
    int32_t *ids; /* [n] of the present transcript, given as far as taken */
    size_t n, cap, taken;
    uint64_t total;
};

static bool white(unsigned char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static mn_status no_memory(mn_err *err)
{
    return mn_fail(err, MN_ERR_MEMORY, "out of memory");
}

/* ---- names ----------------------------------------------------------------------------------------------------- */

static mn_status add_name(mn_symbols *s, const char *text, size_t len, mn_err *err)
{
    if (s->names.n == MN_NAMES_MOST)
        return mn_source_fail(&s->source, err, "more than %d different symbols; expected at most as many", MN_NAMES_MOST);
    if (mn_names_add(&s->names, text, len) != MN_OK) return no_memory(err);
    if (len == 1) s->id_of[(unsigned char)*text] = (int32_t)s->names.n - 1;
    return MN_OK;
}

static mn_status check_utf8(const mn_symbols *s, const char *text, size_t len, mn_err *err)
{
    const unsigned char *c = (const unsigned char *)text;
    for (size_t i = 0, n; i < len; i += n)
        if (!(n = mn_utf8_length(c + i, len - i)))
            return mn_source_fail(&s->source, err, "expected UTF-8, got the byte 0x%02X (the bytes format takes anything)",
                                  c[i]);
    return MN_OK;
}

static mn_status unknown(const mn_symbols *s, const char *text, size_t len, mn_err *err)
{
    char some[80] = "";
    size_t at = 0, id = 0;
    for (; id < s->names.n && at + strlen(mn_names_get(&s->names, (int32_t)id)) < sizeof some - 2; id++)
        at += (size_t)snprintf(some + at, sizeof some - at, " %s", mn_names_get(&s->names, (int32_t)id));
    return mn_source_fail(&s->source, err, "\"%.*s\" is not in the alphabet of %zu symbols:%s%s", (int)(len < 60 ? len : 60),
                          text, s->names.n, some, id < s->names.n ? " ..." : "");
}

/* The id of the name at the source's present position. */
static mn_status id_of(mn_symbols *s, const char *text, size_t len, int32_t *id, mn_err *err)
{
    *id = mn_names_find(&s->names, text, len);
    if (*id >= 0) return MN_OK;
    MN_TRY(check_utf8(s, text, len, err));
    if (!s->finding) return unknown(s, text, len, err);
    *id = (int32_t)s->names.n;
    return add_name(s, text, len, err);
}

/* ---- characters, tokens, bytes ----------------------------------------------------------------------------------- */

static mn_status refuse_nul(const mn_symbols *s, mn_err *err)
{
    return mn_source_fail(&s->source, err, "expected text, got a NUL byte (the bytes format takes anything)");
}

/* A byte that is not a one-byte name already known: white space, a longer character, a new one. */
static mn_status other_character(mn_symbols *s, int32_t *ids, size_t *n, mn_err *err)
{
    mn_source *from = &s->source;
    MN_TRY(mn_source_need(from, LONGEST_CHARACTER, err));
    if (*from->at == '\n') return mn_source_newline(from), MN_OK;
    if (white(*from->at)) return from->at++, MN_OK;
    if (!*from->at) return refuse_nul(s, err);
    size_t len = mn_utf8_length(from->at, (size_t)(from->end - from->at));
    MN_TRY(id_of(s, (const char *)from->at, len ? len : 1, &ids[*n], err));
    from->at += len;
    ++*n;
    return MN_OK;
}

static mn_status next_characters(mn_symbols *s, int32_t *ids, size_t cap, size_t *n, mn_err *err)
{
    mn_source *from = &s->source;
    while (*n < cap) {
        MN_TRY(mn_source_need(from, 1, err));
        const unsigned char *at = from->at, *stop = from->end;
        if (at == stop) break;
        if ((size_t)(stop - at) > cap - *n) stop = at + (cap - *n);
        for (int32_t id; at < stop && (id = s->id_of[*at]) >= 0; at++) ids[(*n)++] = id;
        from->at = at;
        if (at < stop) MN_TRY(other_character(s, ids, n, err));
    }
    return MN_OK;
}

static void skip_separators(mn_symbols *s)
{
    mn_source *from = &s->source;
    while (from->at < from->end && s->kind[*from->at] == SEPARATOR) {
        if (*from->at == '\n')
            mn_source_newline(from);
        else
            from->at++;
    }
}

/* The token at hand, which is in memory as far as it is not too long. */
static mn_status take_token(mn_symbols *s, int32_t *id, mn_err *err)
{
    mn_source *from = &s->source;
    const unsigned char *at = from->at, *end = from->end;
    while (at < end && s->kind[*at] == WORD) at++;
    size_t len = (size_t)(at - from->at);
    if (len > LONGEST_TOKEN)
        return mn_source_fail(from, err, "a token of more than %d bytes (of a text without separators: the characters format)",
                              LONGEST_TOKEN);
    if (len == 1 && (*id = s->id_of[*from->at]) >= 0) return from->at = at, MN_OK;
    if (at < end && s->kind[*at] == NUL) return from->at = at, refuse_nul(s, err);
    MN_TRY(id_of(s, (const char *)from->at, len, id, err));
    from->at = at;
    return MN_OK;
}

static mn_status next_tokens(mn_symbols *s, int32_t *ids, size_t cap, size_t *n, mn_err *err)
{
    mn_source *from = &s->source;
    while (*n < cap) {
        skip_separators(s);
        MN_TRY(mn_source_need(from, LONGEST_TOKEN + 1, err));
        if (from->at == from->end) break;
        if (s->kind[*from->at] == SEPARATOR) continue;
        MN_TRY(take_token(s, &ids[*n], err));
        ++*n;
    }
    return MN_OK;
}

static mn_status next_bytes(mn_symbols *s, int32_t *ids, size_t cap, size_t *n, mn_err *err)
{
    mn_source *from = &s->source;
    MN_TRY(mn_source_need(from, 1, err));
    while (*n < cap && from->at < from->end) ids[(*n)++] = *from->at++;
    return MN_OK;
}

/* ---- transcripts --------------------------------------------------------------------------------------------------- */

static mn_status add_symbol(mn_symbols *s, const char *text, mn_err *err)
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 256;
        int32_t *ids = realloc(s->ids, cap * sizeof *ids);
        if (!ids) return no_memory(err);
        s->ids = ids;
        s->cap = cap;
    }
    MN_TRY(id_of(s, text, strlen(text), &s->ids[s->n], err));
    s->n++;
    return MN_OK;
}

static mn_status add_symbols(mn_symbols *s, const json_t *symbols, mn_err *err)
{
    if (!json_is_array(symbols)) return mn_source_fail(&s->source, err, "\"symbols\": expected a list of texts");
    for (size_t i = 0; i < json_array_size(symbols); i++) {
        const char *text = json_string_value(json_array_get(symbols, i));
        if (!text || !*text) return mn_source_fail(&s->source, err, "symbol %zu: expected a text that is not empty", i + 1);
        MN_TRY(add_symbol(s, text, err));
    }
    return MN_OK;
}

static mn_status add_turn(mn_symbols *s, const json_t *turn, size_t number, mn_err *err)
{
    const char *role = json_string_value(json_object_get(turn, "role")),
               *text = json_string_value(json_object_get(turn, s->field));
    if (s->role && !role) return mn_source_fail(&s->source, err, "turn %zu: expected \"role\": a text", number);
    if (s->role && strcmp(role, s->role) != 0) return MN_OK;
    if (!text || !*text)
        return mn_source_fail(&s->source, err, "turn %zu%s%.60s: expected \"%.60s\": a text that is not empty", number,
                              role ? " of the " : "", role ? role : "", s->field);
    return add_symbol(s, text, err);
}

static mn_status add_turns(mn_symbols *s, const json_t *turns, mn_err *err)
{
    if (!json_is_array(turns)) return mn_source_fail(&s->source, err, "\"turns\": expected a list of turns");
    for (size_t i = 0; i < json_array_size(turns); i++) MN_TRY(add_turn(s, json_array_get(turns, i), i + 1, err));
    return MN_OK;
}

static mn_status read_record(mn_symbols *s, const json_t *record, mn_err *err)
{
    const json_t *symbols = json_object_get(record, "symbols"), *turns = json_object_get(record, "turns");
    if (!symbols == !turns) return mn_source_fail(&s->source, err, "expected an object with either \"symbols\" or \"turns\"");
    return symbols ? add_symbols(s, symbols, err) : add_turns(s, turns, err);
}

static bool blank(const mn_buf *line)
{
    for (size_t i = 0; i < line->len; i++)
        if (!white((unsigned char)line->data[i])) return false;
    return true;
}

/* The next line that has symbols into s->ids; none at the end. */
static mn_status read_transcript(mn_symbols *s, mn_err *err)
{
    bool end = false;
    s->n = s->taken = 0;
    while (!s->n) {
        MN_TRY(mn_source_line(&s->source, &s->line, &end, err));
        if (end) break;
        if (blank(&s->line)) continue;
        json_t *record;
        MN_TRY(mn_json_parse(&record, s->line.data, s->line.len, s->source.name, s->source.line, err));
        mn_status status = read_record(s, record, err);
        json_decref(record);
        MN_TRY(status);
    }
    return MN_OK;
}

static mn_status next_transcript(mn_symbols *s, int32_t *ids, size_t cap, size_t *n, bool *begins, mn_err *err)
{
    if (s->taken == s->n) MN_TRY(read_transcript(s, err));
    *begins = s->n && !s->taken;
    *n = s->n - s->taken < cap ? s->n - s->taken : cap;
    if (*n) memcpy(ids, s->ids + s->taken, *n * sizeof *ids);
    s->taken += *n;
    return MN_OK;
}

/* ---- reading --------------------------------------------------------------------------------------------------------- */

static mn_status no_symbols(const mn_symbols *s, mn_err *err)
{
    if (s->role)
        return mn_fail_at(err, MN_ERR_INPUT, s->source.name, 0, 0, "no symbols: no turn has the role \"%.100s\"", s->role);
    return mn_fail_at(err, MN_ERR_INPUT, s->source.name, 0, 0, "no symbols: expected at least one");
}

mn_status mn_symbols_next(mn_symbols *s, int32_t *ids, size_t cap, size_t *n, bool *begins, mn_err *err)
{
    *n = 0;
    *begins = !s->total;
    switch (s->format) {
    case MN_SYMBOLS_CHARACTERS: MN_TRY(next_characters(s, ids, cap, n, err)); break;
    case MN_SYMBOLS_TOKENS: MN_TRY(next_tokens(s, ids, cap, n, err)); break;
    case MN_SYMBOLS_BYTES: MN_TRY(next_bytes(s, ids, cap, n, err)); break;
    case MN_SYMBOLS_TRANSCRIPTS:
    case MN_SYMBOLS_AUTO: MN_TRY(next_transcript(s, ids, cap, n, begins, err)); break;
    }
    s->total += *n;
    return s->total ? MN_OK : no_symbols(s, err);
}

/* ---- opening --------------------------------------------------------------------------------------------------------- */

static bool ends_in(const char *text, const char *ending)
{
    size_t len = strlen(text), n = strlen(ending);
    return len >= n && strcmp(text + len - n, ending) == 0;
}

static mn_symbols_format tell_format(const mn_source *from, const char *path)
{
    const unsigned char *at = from->at, *end = from->end, *word;
    if (ends_in(path, ".jsonl")) return MN_SYMBOLS_TRANSCRIPTS;
    while (at < end && white(*at)) at++;
    if (at < end && *at == '{') return MN_SYMBOLS_TRANSCRIPTS;
    for (word = at; at < end && !white(*at) && *at != ',';) at++;
    size_t len = (size_t)(at - word);
    while (at < end && white(*at) && *at != '\n') at++;
    if (at < end && *at != '\n') return MN_SYMBOLS_TOKENS;
    while (at < end && white(*at)) at++;
    return len >= LONG_LINE || (at == end && from->last) ? MN_SYMBOLS_CHARACTERS : MN_SYMBOLS_TOKENS;
}

static void set_kinds(mn_symbols *s)
{
    for (int c = 0; c < 256; c++) {
        s->id_of[c] = -1;
        s->kind[c] = white((unsigned char)c) || c == ',' ? SEPARATOR : c ? WORD : NUL;
    }
}

static mn_status name_bytes(mn_symbols *s, mn_err *err)
{
    char name[8];
    for (unsigned c = 0; c < 256; c++) {
        snprintf(name, sizeof name, c > ' ' && c < 0x7F ? "%c" : "0x%02X", c);
        MN_TRY(add_name(s, name, strlen(name), err));
    }
    return MN_OK;
}

static mn_status declare(mn_symbols *s, const char *name, size_t len, mn_err *err)
{
    const unsigned char *text = (const unsigned char *)name;
    for (size_t i = 0, n; i < len; i += n)
        if (!(n = mn_utf8_length(text + i, len - i))) return mn_fail(err, MN_ERR_INPUT, "alphabet: expected UTF-8");
    if (!len) return mn_fail(err, MN_ERR_INPUT, "alphabet: a symbol without a name");
    if (mn_names_find(&s->names, name, len) >= 0)
        return mn_fail(err, MN_ERR_INPUT, "alphabet: the symbol \"%.*s\" is there twice", (int)(len < 60 ? len : 60), name);
    if (s->names.n == MN_NAMES_MOST) return mn_fail(err, MN_ERR_INPUT, "alphabet: expected at most %d symbols", MN_NAMES_MOST);
    return add_name(s, name, len, err);
}

static mn_status declare_all(mn_symbols *s, const char *alphabet, mn_err *err)
{
    static const char separators[] = " \t\n\v\f\r,";
    const char *at = alphabet + strspn(alphabet, separators);
    bool one_word = at == alphabet && !at[strcspn(at, separators)];
    while (*at) {
        size_t len = one_word ? mn_utf8_length((const unsigned char *)at, strlen(at)) : strcspn(at, separators);
        if (!len) len = 1; /* refused by declare */
        MN_TRY(declare(s, at, len, err));
        at += len;
        at += strspn(at, separators);
    }
    return MN_OK;
}

static mn_status declare_model(mn_symbols *s, const mn_model *model, mn_err *err)
{
    for (size_t id = 0; id < mn_model_alphabet(model); id++) {
        size_t len;
        const char *name = mn_model_piece(model, (int32_t)id, &len);
        MN_TRY(declare(s, name, len, err));
    }
    return MN_OK;
}

/* Reads all of it once for the names. */
static mn_status find_names(mn_symbols *s, mn_err *err)
{
    int32_t ids[1024];
    size_t n;
    bool begins;
    MN_TRY(mn_source_hold(&s->source, err));
    s->finding = true;
    do MN_TRY(mn_symbols_next(s, ids, sizeof ids / sizeof *ids, &n, &begins, err));
    while (n);
    s->finding = false;
    s->total = 0;
    if (mn_names_sort(&s->names) != MN_OK) return no_memory(err);
    for (int c = 1; c < 256; c++) s->id_of[c] = mn_names_find(&s->names, (char[]){(char)c}, 1);
    return mn_source_again(&s->source, err);
}

static mn_status check_options(const mn_symbols *s, const mn_symbols_opts *opts, mn_err *err)
{
    bool bytes = s->format == MN_SYMBOLS_BYTES;
    if ((opts->role || opts->field) && s->format != MN_SYMBOLS_TRANSCRIPTS)
        return mn_fail_at(err, MN_ERR_USAGE, s->source.name, 0, 0,
                          "a role or a field is chosen, but these are not transcripts");
    if (bytes && opts->alphabet) return mn_fail(err, MN_ERR_USAGE, "bytes are an alphabet: none can be declared");
    return MN_OK;
}

static mn_status open_source(mn_symbols *s, const mn_symbols_opts *opts, mn_err *err)
{
    MN_TRY(mn_source_open(&s->source, opts->path, err));
    if (opts->format != MN_SYMBOLS_BYTES) MN_TRY(mn_source_skip_mark(&s->source, err));
    if (opts->format == MN_SYMBOLS_AUTO) MN_TRY(mn_source_need(&s->source, PEEK, err));
    s->format = opts->format == MN_SYMBOLS_AUTO ? tell_format(&s->source, opts->path) : opts->format;
    return check_options(s, opts, err);
}

static mn_status open_all(mn_symbols *s, const mn_symbols_opts *opts, mn_err *err)
{
    set_kinds(s);
    MN_TRY(open_source(s, opts, err));
    s->role = opts->role ? strdup(opts->role) : NULL;
    s->field = strdup(opts->field ? opts->field : "text");
    if (!s->field || (opts->role && !s->role)) return no_memory(err);
    if (s->format == MN_SYMBOLS_BYTES)
        MN_TRY(name_bytes(s, err));
    else if (opts->model)
        MN_TRY(declare_model(s, opts->model, err));
    else if (opts->alphabet)
        MN_TRY(declare_all(s, opts->alphabet, err));
    else
        MN_TRY(find_names(s, err));
    if (s->names.n >= 2) return MN_OK;
    return mn_fail_at(err, MN_ERR_INPUT, s->source.name, 0, 0, "only one symbol%s%.60s%s: expected at least two%s",
                      s->names.n ? ", \"" : "", s->names.n ? mn_names_get(&s->names, 0) : "", s->names.n ? "\"" : "",
                      opts->alphabet ? " in the alphabet" : " (or a declared alphabet)");
}

mn_status mn_symbols_open(mn_symbols **out, const mn_symbols_opts *opts, mn_err *err)
{
    mn_symbols *s;
    MN_ALLOC_OR_FAIL(s, 1, err);
    mn_status status = open_all(s, opts, err);
    if (status != MN_OK) return mn_symbols_free(s), status;
    *out = s;
    return MN_OK;
}

void mn_symbols_free(mn_symbols *s)
{
    if (!s) return;
    mn_source_close(&s->source);
    mn_names_free(&s->names);
    mn_buf_free(&s->line);
    free(s->role);
    free(s->field);
    free(s->ids);
    free(s);
}

mn_symbols_format mn_symbols_kind(const mn_symbols *s)
{
    return s->format;
}

size_t mn_symbols_alphabet(const mn_symbols *s)
{
    return s->names.n;
}

const char *mn_symbols_name(const mn_symbols *s, int32_t id)
{
    return mn_names_get(&s->names, id);
}
