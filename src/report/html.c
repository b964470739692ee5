#include "report/html.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

static void put(mn_html *html, const char *data, size_t len)
{
    if (html->status == MN_OK) html->status = mn_buf_put(&html->buf, data, len);
}

void mn_html_raw(mn_html *html, const char *markup)
{
    put(html, markup, strlen(markup));
}

void mn_html_rawf(mn_html *html, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    mn_html_raw(html, text);
}

/* What stands for a byte that cannot stand for itself; NULL: it can. */
static const char *instead(char picture[16], unsigned char c, bool utf8)
{
    if (c == '&') return "&amp;";
    if (c == '<') return "&lt;";
    if (c == '>') return "&gt;";
    if (c == '"') return "&quot;";
    if (c == '\'') return "&#39;";
    if (c >= 0x80) return utf8 ? NULL : "&#xFFFD;";
    if ((c >= 0x20 && c != 0x7F) || c == '\n' || c == '\t') return NULL;
    snprintf(picture, 16, "&#x%X;", c == 0x7F ? 0x2421u : 0x2400u + c);
    return picture;
}

void mn_html_text(mn_html *html, const char *text, size_t len)
{
    json_t *whole = json_stringn(text, len); /* NULL where it is not UTF-8 */
    char picture[16];
    size_t run = 0;
    for (size_t i = 0; i < len; i++) {
        const char *other = instead(picture, (unsigned char)text[i], whole != NULL);
        if (!other) continue;
        put(html, text + run, i - run);
        mn_html_raw(html, other);
        run = i + 1;
    }
    put(html, text + run, len - run);
    json_decref(whole);
}

void mn_html_word(mn_html *html, const char *text)
{
    mn_html_text(html, text, strlen(text));
}

static void put_digits(mn_html *html, const char *digits)
{
    for (const char *c = digits; *c; c++) {
        if (*c == '-')
            mn_html_raw(html, "\xE2\x88\x92");
        else
            put(html, *c == ',' ? "." : c, 1);
    }
}

void mn_html_num(mn_html *html, double x, int digits)
{
    char text[400];
    if (isinf(x)) {
        mn_html_raw(html, x > 0 ? "\xE2\x88\x9E" : "\xE2\x88\x92\xE2\x88\x9E");
        return;
    }
    snprintf(text, sizeof text, "%.*f", digits, x);
    bool zero = strspn(text, "-0.,") == strlen(text); /* no minus before a zero */
    put_digits(html, text + (zero && *text == '-'));
}

void mn_html_count(mn_html *html, double x)
{
    char text[400];
    int n = snprintf(text, sizeof text, "%.0f", x);
    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0 && text[i - 1] != '-') mn_html_raw(html, "\xE2\x80\xAF");
        put(html, text + i, 1);
    }
}
