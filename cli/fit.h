/* What verbs over files of symbols have in common: the choice of symbols, and trees that learn them. Private to the program. */
#ifndef MN_FIT_H
#define MN_FIT_H

#include "options.h"

enum { CLI_CHUNK = 1 << 14 }; /* symbols read at a time */

/* Options that say what a symbol is: of a request with symbols (mn_symbols_opts), format and start. */
#define CLI_SYMBOL_OPTIONS(r) \
    {"format", 0, "NAME", "auto, characters, tokens, transcripts or bytes (default auto)", MN_OPT_STR, &(r)->format}, \
    {"alphabet", 0, "SYMBOLS", "the alphabet, by white space or commas (default: what is there, in byte order)", MN_OPT_STR, \
     &(r)->symbols.alphabet}, \
    {"role", 0, "NAME", "of transcripts: only the turns of this role", MN_OPT_STR, &(r)->symbols.role}, \
    {"field", 0, "NAME", "of transcripts: which text of a turn is the symbol (default text)", MN_OPT_STR, \
     &(r)->symbols.field}, \
    {"start", 0, "SYMBOL", "stands before each sequence; a symbol of the alphabet, or one more", MN_OPT_STR, &(r)->start}

/* 0 and *out, or the exit status after one line on stderr; name NULL: auto. */
int cli_take_format(const mn_verb *verb, mn_symbols_format *out, const char *name);
/* A tree that has learnt nothing, of the alphabet of the symbols. beta NaN: the default. start: a symbol, or the name of one
 * more; NULL: none. */
mn_status cli_new_tree(mn_model **out, const mn_symbols *symbols, size_t depth, double beta, const char *start, mn_err *err);
/* It learns all of the symbols; how many is shown meanwhile on a terminal. */
mn_status cli_learn(mn_model *tree, mn_symbols *symbols, mn_err *err);
/* Shows a count of symbols on a terminal's stderr, now and then; done: wipes it. */
void cli_show_count(uint64_t symbols, bool done);

#endif
