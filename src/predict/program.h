/* The language of programs: what is written down (docs/theory.md). A program is a policy: it says what the actor does after
 * any history of moves by turns, the actor's first, the world's next. Private to the library. */
#ifndef MN_PROGRAM_H
#define MN_PROGRAM_H

#include "base/buf.h"

enum { MN_PROGRAM_SYMBOLS = 4, MN_PROGRAM_TERMS = 4096 };

typedef enum mn_op {
    /* policies */
    MN_ALWAYS, /* x */
    MN_MIX,    /* independent draws from the n-th distribution of the grid */
    MN_IF,     /* E P Q: P where E holds, else Q */
    MN_UNTIL,  /* E P Q: P while E has held at no turn so far, then Q for ever */
    MN_ROTATE, /* the last symbol plus x modulo A; x where there is none */
    MN_COUNT,  /* the t-th turn, from 0: (t mod n) mod A; n >= 2 */
    /* events */
    MN_LAST,  /* the last symbol is x */
    MN_SEEN,  /* x has occurred */
    MN_PAIR,  /* x has occurred, and y right after it */
    MN_TIMES, /* x has occurred n times or more; n >= 2 */
    MN_TIME,  /* n turns or more are past; n >= 1 */
    MN_NOT,
    MN_AND,
    MN_OPS
} mn_op;

typedef struct mn_term {
    mn_op op;
    uint8_t x, y;
    uint32_t n;
} mn_term;

/* A program, or a part of one: its terms in prefix order. Start from {.A = 2..4}; release by free(at). */
typedef struct mn_terms {
    size_t A, n, room;
    mn_term *at; /* [n] */
} mn_terms;

/* A term's code: bits, then P or E for each part that follows it, and a letter for each argument: x, y a symbol in truncated
 * binary; m a place in the grid in truncated binary; g n in Elias' gamma code, h n - 1. */
extern const char *const mn_op_code[MN_OPS];

static inline bool mn_op_is_policy(mn_op op)
{
    return op < MN_LAST;
}

/* MN_ERR_MEMORY; MN_ERR_LIMIT: more than MN_PROGRAM_TERMS. */
MN_CHECKED mn_status mn_terms_add(mn_terms *terms, mn_term term, mn_err *err);
/* Bits of term i without its parts. */
size_t mn_term_bits(const mn_terms *terms, size_t i);
/* The code as '0' and '1'. MN_ERR_MEMORY. */
MN_CHECKED mn_status mn_terms_encode(mn_buf *code, const mn_terms *terms);
/* Reads one program (policy) from the beginning of code; *used: characters. MN_ERR_INPUT: code ends within one, or names a
 * number too large. */
MN_CHECKED mn_status mn_terms_decode(mn_terms *terms, size_t *used, const char *code, mn_err *err);
/* Text as people write it. MN_ERR_INPUT with the column; MN_ERR_LIMIT. */
MN_CHECKED mn_status mn_terms_parse(mn_terms *terms, const char *text, bool policy, mn_err *err);
MN_CHECKED mn_status mn_terms_print(mn_buf *text, const mn_terms *terms);

/* The grid: distributions with weights k/G, G = 8 for two symbols and 4 for more, not all on one symbol; lexicographic. */
static inline unsigned mn_grid_denominator(size_t A)
{
    return A == 2 ? 8 : 4;
}
size_t mn_grid_size(size_t A);
void mn_grid_weights(uint8_t *weights /* [A] */, size_t A, size_t index);

#endif
