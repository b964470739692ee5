/* Writing HTML into a buffer: what is not markup of our own goes through text or num. */
#ifndef MN_HTML_H
#define MN_HTML_H

#include "base/buf.h"

/* status: the first failure (memory); from then on nothing more is written, so it is looked at once, in the end.
 * Start from {0}. */
typedef struct mn_html {
    mn_buf buf;
    mn_status status;
} mn_html;

/* Markup as it stands. */
void mn_html_raw(mn_html *html, const char *markup);
/* Markup with numbers or words of our own in it; never text from outside. */
void mn_html_rawf(mn_html *html, const char *format, ...) MN_PRINTF(2, 3);
/* Text from anywhere, fit for content and quoted attributes. Control characters other than newline and tab are shown as their
 * pictures (U+2400 ...); bytes that are not UTF-8 as U+FFFD. */
void mn_html_text(mn_html *html, const char *text, size_t len);
void mn_html_word(mn_html *html, const char *text);
/* Fixed digits after the point, a real minus sign, the sign of infinity; whatever the locale. */
void mn_html_num(mn_html *html, double x, int digits);
/* With thousands apart: 12 345. */
void mn_html_count(mn_html *html, double x);

#endif
