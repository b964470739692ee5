/* Programs as bits. */
#include "predict/program.h"

#include <string.h>

const char *const mn_op_code[MN_OPS] = {
    [MN_ALWAYS] = "000x", [MN_MIX] = "001m", [MN_IF] = "01EPP",  [MN_UNTIL] = "10EPP", [MN_ROTATE] = "110x",
    [MN_COUNT] = "111h",  [MN_LAST] = "00x", [MN_SEEN] = "010x", [MN_PAIR] = "011xy",  [MN_TIMES] = "100xh",
    [MN_TIME] = "101g",   [MN_NOT] = "110E", [MN_AND] = "111EE",
};

mn_status mn_terms_add(mn_terms *terms, mn_term term, mn_err *err)
{
    if (terms->n == MN_PROGRAM_TERMS) return mn_fail(err, MN_ERR_LIMIT, "a program of more than %d terms", MN_PROGRAM_TERMS);
    if (terms->n == terms->room) {
        size_t room = terms->room ? 2 * terms->room : 16;
        mn_term *at = realloc(terms->at, room * sizeof *at);
        if (!at) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
        terms->at = at;
        terms->room = room;
    }
    terms->at[terms->n++] = term;
    return MN_OK;
}

/* ---- the grid ----------------------------------------------------------------------------------------------- */

size_t mn_grid_size(size_t A)
{
    return A == 2 ? 7 : A == 3 ? 12 : 31; /* C(G + A - 1, A - 1) - A */
}

/* The next composition of G into A parts in lexicographic order. */
static void next_weights(uint8_t *w, size_t A)
{
    size_t i = A - 1;
    uint8_t rest = w[i];
    w[i] = 0;
    do i--;
    while (i && !rest && !w[i + 1]);
    for (size_t k = i + 1; k < A; k++) rest = (uint8_t)(rest + w[k]), w[k] = 0;
    w[i]++;
    w[A - 1] = (uint8_t)(rest - 1);
}

static bool on_one(const uint8_t *w, size_t A)
{
    for (size_t a = 0; a < A; a++)
        if (w[a] == mn_grid_denominator(A)) return true;
    return false;
}

void mn_grid_weights(uint8_t *weights, size_t A, size_t index)
{
    memset(weights, 0, A);
    weights[A - 1] = (uint8_t)mn_grid_denominator(A);
    for (size_t passed = 0; passed <= index; passed += !on_one(weights, A)) next_weights(weights, A);
}

/* ---- numbers ------------------------------------------------------------------------------------------------- */

static size_t log2_of(size_t n)
{
    size_t bits = 0;
    while (n >>= 1) bits++;
    return bits;
}

/* Truncated binary of i < n: the first 2^(k+1) - n in k bits, the others in k + 1; 2^k <= n < 2^(k+1). */
static size_t short_codes(size_t n)
{
    return ((size_t)2 << log2_of(n)) - n;
}

static size_t index_bits(size_t i, size_t n)
{
    return log2_of(n) + (i >= short_codes(n));
}

static mn_status put_bits(mn_buf *code, size_t value, size_t bits)
{
    for (size_t k = bits; k-- > 0;) MN_TRY(mn_buf_puts(code, value >> k & 1 ? "1" : "0"));
    return MN_OK;
}

static mn_status put_index(mn_buf *code, size_t i, size_t n)
{
    bool is_long = i >= short_codes(n);
    return put_bits(code, is_long ? i + short_codes(n) : i, log2_of(n) + is_long);
}

/* Elias' gamma code of n >= 1: as many zeros as bits follow the first one. */
static mn_status put_gamma(mn_buf *code, size_t n)
{
    MN_TRY(put_bits(code, 0, log2_of(n)));
    return put_bits(code, n, log2_of(n) + 1);
}

static bool take_bit(size_t *bit, const char **at)
{
    if (**at != '0' && **at != '1') return false;
    *bit = (size_t)(*(*at)++ - '0');
    return true;
}

static bool take_bits(size_t *value, const char **at, size_t bits)
{
    size_t bit;
    for (*value = 0; bits--; *value = *value << 1 | bit)
        if (!take_bit(&bit, at)) return false;
    return true;
}

static bool take_index(size_t *i, const char **at, size_t n)
{
    size_t bit;
    if (!take_bits(i, at, log2_of(n))) return false;
    if (*i < short_codes(n)) return true;
    if (!take_bit(&bit, at)) return false;
    *i = (*i << 1 | bit) - short_codes(n);
    return true;
}

static bool take_gamma(size_t *n, const char **at)
{
    size_t zeros = 0, bit, rest;
    for (;; zeros++) {
        if (!take_bit(&bit, at) || zeros > 30) return false;
        if (bit) break;
    }
    if (!take_bits(&rest, at, zeros)) return false;
    *n = (size_t)1 << zeros | rest;
    return true;
}

/* ---- terms --------------------------------------------------------------------------------------------------- */

size_t mn_term_bits(const mn_terms *terms, size_t i)
{
    const mn_term *t = &terms->at[i];
    size_t bits = 0;
    for (const char *c = mn_op_code[t->op]; *c; c++) switch (*c) {
        case '0':
        case '1': bits++; break;
        case 'x': bits += index_bits(t->x, terms->A); break;
        case 'y': bits += index_bits(t->y, terms->A); break;
        case 'm': bits += index_bits(t->n, mn_grid_size(terms->A)); break;
        case 'g': bits += 2 * log2_of(t->n) + 1; break;
        case 'h': bits += 2 * log2_of(t->n - 1) + 1; break;
        default: break; /* parts have their own */
        }
    return bits;
}

static mn_status put_term(mn_buf *code, const mn_terms *terms, const mn_term *t)
{
    for (const char *c = mn_op_code[t->op]; *c; c++) switch (*c) {
        case '0':
        case '1': MN_TRY(mn_buf_put(code, c, 1)); break;
        case 'x': MN_TRY(put_index(code, t->x, terms->A)); break;
        case 'y': MN_TRY(put_index(code, t->y, terms->A)); break;
        case 'm': MN_TRY(put_index(code, t->n, mn_grid_size(terms->A))); break;
        case 'g': MN_TRY(put_gamma(code, t->n)); break;
        case 'h': MN_TRY(put_gamma(code, t->n - 1)); break;
        default: break;
        }
    return MN_OK;
}

mn_status mn_terms_encode(mn_buf *code, const mn_terms *terms)
{
    for (size_t i = 0; i < terms->n; i++) MN_TRY(put_term(code, terms, &terms->at[i]));
    return MN_OK;
}

/* ---- reading bits ---------------------------------------------------------------------------------------------- */

/* The kind of term whose opcode code begins with: opcodes are prefix-free and complete among policies, and among events. */
static bool take_op(mn_op *op, const char **at, bool policy)
{
    for (int i = policy ? MN_ALWAYS : MN_LAST; i < (policy ? MN_LAST : MN_OPS); i++) {
        size_t len = strspn(mn_op_code[i], "01");
        if (strncmp(*at, mn_op_code[i], len) == 0) {
            *op = (mn_op)i;
            *at += len;
            return true;
        }
    }
    return false;
}

static bool take_argument(mn_term *t, char letter, const char **at, size_t A)
{
    size_t value = 0;
    bool there = letter == 'm'                    ? take_index(&value, at, mn_grid_size(A))
                 : letter == 'x' || letter == 'y' ? take_index(&value, at, A)
                                                  : take_gamma(&value, at);
    if (letter == 'x')
        t->x = (uint8_t)value;
    else if (letter == 'y')
        t->y = (uint8_t)value;
    else
        t->n = (uint32_t)(value + (letter == 'h'));
    return there;
}

static mn_status decode(mn_terms *terms, const char **at, const char *code, bool policy, mn_err *err)
{
    mn_term t = {0};
    bool there = take_op(&t.op, at, policy);
    for (const char *c = there ? mn_op_code[t.op] : ""; there && *c; c++)
        if (strchr("xymgh", *c)) there = take_argument(&t, *c, at, terms->A);
    if (!there) return mn_fail(err, MN_ERR_INPUT, "bit %zu: the code is not one of a program", (size_t)(*at - code));
    MN_TRY(mn_terms_add(terms, t, err));
    for (const char *c = mn_op_code[t.op]; *c; c++)
        if (*c == 'P' || *c == 'E') MN_TRY(decode(terms, at, code, *c == 'P', err));
    return MN_OK;
}

mn_status mn_terms_decode(mn_terms *terms, size_t *used, const char *code, mn_err *err)
{
    const char *at = code;
    MN_TRY(decode(terms, &at, code, true, err));
    *used = (size_t)(at - code);
    return MN_OK;
}
