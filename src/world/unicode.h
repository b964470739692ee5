/* As much of Unicode as word rules need: UTF-8, white space, and the case of letters as Python's str has them
 * (Unicode 14.0). */
#ifndef MN_UNICODE_H
#define MN_UNICODE_H

#include "base/base.h"

#define MN_REPLACEMENT 0xFFFD
#define MN_FINAL_SIGMA 0x3C2

/* Case of a character; title-case letters count as small: they too keep a word from being all capitals. */
typedef enum mn_case { MN_CASE_NONE, MN_CASE_SMALL, MN_CASE_CAPITAL } mn_case;

/* Beyond ASCII; use the functions below. */
size_t mn_unicode_get_wide(uint32_t *c, const char *text, size_t len);
size_t mn_unicode_lower_wide(char out[4], uint32_t c);
mn_case mn_unicode_case_wide(uint32_t c);
bool mn_unicode_space_wide(uint32_t c);

/* Code point that text begins with; the number of bytes it takes. A byte that begins no character is U+FFFD. len >= 1. */
static inline size_t mn_unicode_get(uint32_t *c, const char *text, size_t len)
{
    if ((unsigned char)*text >= 0x80) return mn_unicode_get_wide(c, text, len);
    return *c = (unsigned char)*text, 1;
}

/* Writes a code point as UTF-8, 1 to 4 bytes; their number. */
size_t mn_unicode_put(char out[4], uint32_t c);

/* Writes the lower-case form as UTF-8; the number of bytes, at most 3/2 times those of c itself. A sigma stays a sigma
 * at the end of a word too. */
static inline size_t mn_unicode_lower(char out[4], uint32_t c)
{
    if (c >= 0x80) return mn_unicode_lower_wide(out, c);
    return *out = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c), 1;
}

static inline mn_case mn_unicode_case(uint32_t c)
{
    if (c >= 0x80) return mn_unicode_case_wide(c);
    return c >= 'A' && c <= 'Z' ? MN_CASE_CAPITAL : c >= 'a' && c <= 'z' ? MN_CASE_SMALL : MN_CASE_NONE;
}

static inline bool mn_unicode_space(uint32_t c)
{
    if (c >= 0x80) return mn_unicode_space_wide(c);
    return c == ' ' || (c >= 0x9 && c <= 0xD) || (c >= 0x1C && c <= 0x1F);
}

#endif
