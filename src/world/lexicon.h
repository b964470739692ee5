/* Sentiment of a text by VADER's rules (Hutto and Gilbert, ICWSM 2014), as version 3.3.2 of the Python package vaderSentiment
 * has them, over any lexicon. docs/rewards.md tells the rules. */
#ifndef MN_LEXICON_H
#define MN_LEXICON_H

#include "base/buf.h"

typedef struct mn_lexicon mn_lexicon;

/* words: a file of lines "WORD TAB MEAN VALENCE [TAB ...]", in small letters, valences within -100..100; a word given twice has
 * its last valence. emoji: a file of lines "CHARACTER TAB DESCRIPTION [TAB ...]", "" for none: the text is scored as if the
 * description stood in it. Entries of several characters are passed over, as the package does. Files are UTF-8; blank lines do
 * not count.
 * MN_ERR_INPUT with file, line and column; MN_ERR_IO, MN_ERR_MEMORY. Immutable afterwards: any number of threads may score. */
MN_CHECKED mn_status mn_lexicon_open(mn_lexicon **out, const char *words, const char *emoji, mn_err *err);
void mn_lexicon_free(mn_lexicon *lexicon);

/* compound in [-1,1], rounded to 4 decimals; the shares of positive, neutral and negative words, which sum to 1 but for their
 * rounding to 3 decimals. All 0 for a text without words. */
typedef struct mn_sentiment {
    double compound, positive, neutral, negative;
} mn_sentiment;

/* Memory that scoring reuses from call to call, one a thread. Start from {0}. */
typedef struct mn_lexicon_scratch {
    mn_buf text, lower;
    struct mn_lexicon_word *words; /* [cap] */
    double *valences;              /* [cap] */
    size_t cap;
} mn_lexicon_scratch;

void mn_lexicon_scratch_free(mn_lexicon_scratch *scratch);

/* Scores len bytes; a byte that is not UTF-8 counts as U+FFFD. The same numbers as the package on Python 3.11, except that a
 * sigma at the end of a word is any sigma. MN_ERR_MEMORY only. O(len), but O(words^2) at worst in a text with "but". */
MN_CHECKED mn_status mn_lexicon_score(mn_sentiment *out, mn_lexicon_scratch *scratch, const mn_lexicon *lexicon,
                                      const char *text, size_t len);

#endif
