/* Programs as people write them. */
#include "predict/program.h"

#include <stdio.h>
#include <string.h>

/* ---- printing ----------------------------------------------------------------------------------------------- */

/* P, E: parts; [E]: a part that is in parentheses if it is an `and`; x, y, n, m: arguments. */
static const char *const forms[MN_OPS] = {
    [MN_ALWAYS] = "always \1",
    [MN_MIX] = "mix\3",
    [MN_IF] = "if \5 then \6 else \6",
    [MN_UNTIL] = "until \5 do \6 then \6",
    [MN_ROTATE] = "rotate \1",
    [MN_COUNT] = "count \4",
    [MN_LAST] = "last is \1",
    [MN_SEEN] = "seen \1",
    [MN_PAIR] = "seen \1 \2",
    [MN_TIMES] = "seen \1 \4 times",
    [MN_TIME] = "time >= \4",
    [MN_NOT] = "not \7",
    [MN_AND] = "\7 and \5",
};
enum { FORM_X = 1, FORM_Y, FORM_MIX, FORM_N, FORM_EVENT, FORM_POLICY, FORM_OPERAND };

static mn_status print_mix(mn_buf *text, const mn_terms *terms, size_t index)
{
    uint8_t weights[MN_PROGRAM_SYMBOLS];
    mn_grid_weights(weights, terms->A, index);
    for (size_t a = 0; a < terms->A; a++) MN_TRY(mn_buf_printf(text, " %u", weights[a]));
    return MN_OK;
}

static mn_status print(mn_buf *text, const mn_terms *terms, size_t *i)
{
    const mn_term *t = &terms->at[(*i)++];
    if (t->op == MN_ROTATE && !t->x) return mn_buf_puts(text, "copy");
    for (const char *c = forms[t->op]; *c; c++) {
        bool enclosed = *c == FORM_OPERAND && terms->at[*i].op == MN_AND;
        if (*c == FORM_X || *c == FORM_Y)
            MN_TRY(mn_buf_printf(text, "%u", *c == FORM_X ? t->x : t->y));
        else if (*c == FORM_MIX)
            MN_TRY(print_mix(text, terms, t->n));
        else if (*c == FORM_N)
            MN_TRY(mn_buf_printf(text, "%u", t->n));
        else if (*c >= FORM_EVENT && *c <= FORM_OPERAND) {
            MN_TRY(mn_buf_puts(text, enclosed ? "(" : ""));
            MN_TRY(print(text, terms, i));
            MN_TRY(mn_buf_puts(text, enclosed ? ")" : ""));
        } else
            MN_TRY(mn_buf_put(text, c, 1));
    }
    return MN_OK;
}

mn_status mn_terms_print(mn_buf *text, const mn_terms *terms)
{
    size_t i = 0;
    return print(text, terms, &i);
}

/* ---- parsing ------------------------------------------------------------------------------------------------ */

typedef struct parser {
    mn_terms *terms;
    const char *text, *at; /* the word at hand */
    size_t len, depth;
    mn_err *err;
} parser;

static void next_word(parser *p)
{
    p->at += p->len;
    p->at += strspn(p->at, " \t\r\n");
    p->len = strchr("()", *p->at) ? *p->at != 0 : strcspn(p->at, " \t\r\n()");
}

static mn_status expected(const parser *p, const char *what)
{
    return mn_fail_at(p->err, MN_ERR_INPUT, "program", 1, (size_t)(p->at - p->text) + 1, "expected %s, got %s%.*s%s", what,
                      p->len ? "'" : "the end", (int)(p->len < 40 ? p->len : 40), p->at, p->len ? "'" : "");
}

static bool is_word(const parser *p, const char *word)
{
    return p->len == strlen(word) && memcmp(p->at, word, p->len) == 0;
}

static bool take_word(parser *p, const char *word)
{
    if (!is_word(p, word)) return false;
    next_word(p);
    return true;
}

static mn_status want_word(parser *p, const char *word)
{
    char what[16];
    snprintf(what, sizeof what, "'%s'", word);
    return take_word(p, word) ? MN_OK : expected(p, what);
}

static bool is_number(const parser *p)
{
    return p->len && p->len < 11 && strspn(p->at, "0123456789") >= p->len;
}

static mn_status want_number(parser *p, uint32_t *out, size_t least, size_t most, const char *what)
{
    size_t value = 0;
    for (size_t i = 0; is_number(p) && i < p->len; i++) value = 10 * value + (size_t)(p->at[i] - '0');
    if (!is_number(p) || value < least || value > most) return expected(p, what);
    *out = (uint32_t)value;
    next_word(p);
    return MN_OK;
}

static mn_status want_symbol(parser *p, uint8_t *out)
{
    static const char *const what[] = {"symbol 0 or 1", "a symbol from 0 to 2", "a symbol from 0 to 3"};
    uint32_t value;
    MN_TRY(want_number(p, &value, 0, p->terms->A - 1, what[p->terms->A - 2]));
    *out = (uint8_t)value;
    return MN_OK;
}

static mn_status want_mix(parser *p, uint32_t *index)
{
    size_t A = p->terms->A;
    uint8_t weights[MN_PROGRAM_SYMBOLS], grid[MN_PROGRAM_SYMBOLS];
    const char *at = p->at;
    for (size_t a = 0; a < A; a++) {
        uint32_t value;
        MN_TRY(want_number(p, &value, 0, mn_grid_denominator(A), "a weight"));
        weights[a] = (uint8_t)value;
    }
    for (*index = 0; *index < mn_grid_size(A); ++*index) {
        mn_grid_weights(grid, A, *index);
        if (memcmp(grid, weights, A) == 0) return MN_OK;
    }
    return mn_fail_at(p->err, MN_ERR_INPUT, "program", 1, (size_t)(at - p->text) + 1,
                      "expected %zu weights that sum to %u, more than one of them above 0", A, mn_grid_denominator(A));
}

static mn_status parse_policy(parser *p);
static mn_status parse_event(parser *p);

static mn_status seen(parser *p, mn_term *t)
{
    MN_TRY(want_symbol(p, &t->x));
    if (!is_number(p)) return t->op = MN_SEEN, MN_OK;
    const parser number = *p;
    MN_TRY(want_number(p, &t->n, 0, INT32_MAX, "a symbol or a number"));
    if (take_word(p, "times")) {
        t->op = MN_TIMES;
        return t->n >= 2 ? MN_OK : expected(&number, "at least 2 times ('seen x' is once)");
    }
    t->op = MN_PAIR;
    if (t->n >= p->terms->A) return expected(&number, "a symbol, or a number and 'times'");
    t->y = (uint8_t)t->n;
    t->n = 0;
    return MN_OK;
}

/* `what` in as many parentheses as there are. */
static mn_status enclosed(parser *p, mn_status (*what)(parser *))
{
    if (p->depth++ == MN_PROGRAM_TERMS)
        return mn_fail(p->err, MN_ERR_LIMIT, "a program of more than %d parentheses", MN_PROGRAM_TERMS);
    MN_TRY(what(p));
    return want_word(p, ")");
}

static mn_status parse_operand(parser *p)
{
    mn_term t = {0};
    if (take_word(p, "(")) return enclosed(p, parse_event);
    if (take_word(p, "not")) {
        MN_TRY(mn_terms_add(p->terms, (mn_term){.op = MN_NOT}, p->err));
        return parse_operand(p);
    }
    if (take_word(p, "last")) {
        t.op = MN_LAST;
        MN_TRY(want_word(p, "is"));
        MN_TRY(want_symbol(p, &t.x));
    } else if (take_word(p, "seen"))
        MN_TRY(seen(p, &t));
    else if (take_word(p, "time")) {
        t.op = MN_TIME;
        MN_TRY(want_word(p, ">="));
        MN_TRY(want_number(p, &t.n, 1, INT32_MAX, "a number of turns, at least 1"));
    } else
        return expected(p, "an event: last, seen, time, not or (");
    return mn_terms_add(p->terms, t, p->err);
}

/* `and` stands before its operands in prefix order, and is seen after the first. */
static mn_status parse_event(parser *p)
{
    size_t at = p->terms->n;
    MN_TRY(parse_operand(p));
    if (!take_word(p, "and")) return MN_OK;
    MN_TRY(mn_terms_add(p->terms, (mn_term){0}, p->err));
    memmove(p->terms->at + at + 1, p->terms->at + at, (p->terms->n - 1 - at) * sizeof *p->terms->at);
    p->terms->at[at] = (mn_term){.op = MN_AND};
    return parse_event(p);
}

static mn_status branching(parser *p, mn_op op, const char *first, const char *second)
{
    MN_TRY(mn_terms_add(p->terms, (mn_term){.op = op}, p->err));
    MN_TRY(parse_event(p));
    MN_TRY(want_word(p, first));
    MN_TRY(parse_policy(p));
    MN_TRY(want_word(p, second));
    return parse_policy(p);
}

static mn_status parse_policy(parser *p)
{
    mn_term t = {0};
    if (take_word(p, "(")) return enclosed(p, parse_policy);
    if (take_word(p, "if")) return branching(p, MN_IF, "then", "else");
    if (take_word(p, "until")) return branching(p, MN_UNTIL, "do", "then");
    if (take_word(p, "always")) {
        t.op = MN_ALWAYS;
        MN_TRY(want_symbol(p, &t.x));
    } else if (take_word(p, "mix")) {
        t.op = MN_MIX;
        MN_TRY(want_mix(p, &t.n));
    } else if (take_word(p, "copy"))
        t.op = MN_ROTATE;
    else if (take_word(p, "rotate")) {
        t.op = MN_ROTATE;
        MN_TRY(want_symbol(p, &t.x));
    } else if (take_word(p, "count")) {
        t.op = MN_COUNT;
        MN_TRY(want_number(p, &t.n, 2, INT32_MAX, "a number of turns, at least 2"));
    } else
        return expected(p, "a policy: always, mix, copy, rotate, count, if, until or (");
    return mn_terms_add(p->terms, t, p->err);
}

mn_status mn_terms_parse(mn_terms *terms, const char *text, bool policy, mn_err *err)
{
    parser p = {.terms = terms, .text = text, .at = text, .err = err};
    next_word(&p);
    MN_TRY(policy ? parse_policy(&p) : parse_event(&p));
    return p.len ? expected(&p, "the end") : MN_OK;
}
