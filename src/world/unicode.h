/* As much of Unicode as word rules need: UTF-8, white space, and the case of letters as Python's str has them
 * (Unicode 14.0). */
#ifndef MN_UNICODE_H
#define MN_UNICODE_H

#include "base/base.h"

#define MN_REPLACEMENT 0xFFFD
#define MN_FINAL_SIGMA 0x3C2

/* Case of a character; title-case letters count as small: they too keep a word from being all capitals. */
typedef enum mn_case { MN_CASE_NONE, MN_CASE_SMALL, MN_CASE_CAPITAL } mn_case;

/* Code point that text begins with; the number of bytes it takes. A byte that begins no character is U+FFFD, one byte. len >= 1. */
size_t mn_unicode_get(uint32_t *c, const char *text, size_t len);
/* Writes a code point as UTF-8, 1 to 4 bytes; their number. */
size_t mn_unicode_put(char out[4], uint32_t c);
/* Writes the lower-case form as UTF-8; the number of bytes, at most 3/2 times those of c itself. A sigma stays a sigma
 * at the end of a word too. */
size_t mn_unicode_lower(char out[4], uint32_t c);
mn_case mn_unicode_case(uint32_t c);
bool mn_unicode_space(uint32_t c);

#endif
