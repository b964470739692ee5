/* For test_lexicon.py.
 * drive_lexicon WORDS EMOJI: for every text of stdin that a NUL ends, a line "compound positive neutral negative".
 * drive_lexicon: for every character a line "code point, case, space, lower-case form", all in hexadecimal. */
#include <stdio.h>
#include <string.h>

#include "world/lexicon.h"
#include "world/unicode.h"

static int score_texts(const char *words, const char *emoji)
{
    mn_lexicon *lexicon;
    mn_lexicon_scratch scratch = {0};
    mn_err err;
    char *text = NULL, message[1200];
    size_t cap = 0;
    if (mn_lexicon_open(&lexicon, words, emoji, &err) != MN_OK) {
        mn_err_format(&err, message, sizeof message);
        fprintf(stderr, "%s\n", message);
        return mn_exit_status(err.code);
    }
    for (ssize_t len; (len = getdelim(&text, &cap, '\0', stdin)) > 0;) {
        mn_sentiment s;
        if (mn_lexicon_score(&s, &scratch, lexicon, text, (size_t)len - 1) != MN_OK) return 4;
        printf("%.17g %.17g %.17g %.17g\n", s.compound, s.positive, s.neutral, s.negative);
    }
    free(text);
    mn_lexicon_scratch_free(&scratch);
    mn_lexicon_free(lexicon);
    return 0;
}

static int list_characters(void)
{
    for (uint32_t c = 0; c < 0x110000; c++) {
        char text[4], lower[4];
        uint32_t again;
        if (c >= 0xD800 && c < 0xE000) continue;
        size_t len = mn_unicode_put(text, c);
        if (mn_unicode_get(&again, text, len) != len || again != c) return 1;
        len = mn_unicode_lower(lower, c);
        printf("%x %x %x ", c, (unsigned)mn_unicode_case(c), (unsigned)mn_unicode_space(c));
        for (size_t i = 0; i < len; i++) printf("%02x", (unsigned char)lower[i]);
        printf("\n");
    }
    return 0;
}

int main(int argc, char **argv)
{
    return argc == 3 ? score_texts(argv[1], argv[2]) : list_characters();
}
