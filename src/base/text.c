#define _GNU_SOURCE /* strtod_l */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <string.h>

#include "base/base.h"

mn_status mn_text_int(int64_t *out, const char *text)
{
    const char *digits = text + (*text == '-' || *text == '+');
    if (!*digits || strspn(digits, "0123456789") != strlen(digits)) return MN_ERR_INPUT;
    errno = 0;
    long long value = strtoll(text, NULL, 10);
    if (errno || value < INT64_MIN || value > INT64_MAX) return MN_ERR_NUM;
    *out = value;
    return MN_OK;
}

/* "inf" after an optional sign, with or without a dot: 1 or -1, else 0. */
static int infinity(const char *text)
{
    int sign = *text == '-' ? -1 : 1;
    text += *text == '-' || *text == '+';
    text += *text == '.';
    return strcmp(text, "inf") == 0 ? sign : 0;
}

mn_status mn_text_num(double *out, const char *text)
{
    int inf = infinity(text);
    if (inf) return *out = inf > 0 ? INFINITY : -INFINITY, MN_OK;
    if (!*text || strspn(text, "0123456789+-.eE") != strlen(text)) return MN_ERR_INPUT;
    locale_t plain = newlocale(LC_ALL_MASK, "C", NULL); /* the host program may have set a decimal comma */
    if (!plain) return MN_ERR_MEMORY;
    char *end;
    errno = 0;
    double value = strtod_l(text, &end, plain);
    int failed = errno;
    freelocale(plain);
    if (*end || end == text) return MN_ERR_INPUT;
    if (failed == ERANGE && (isinf(value) || value == 0)) return MN_ERR_NUM; /* subnormal numbers are numbers */
    *out = value;
    return MN_OK;
}

/* Edits (insert, delete, replace) that turn a into b, row by row (Wagner and Fischer 1974); m and n are the lengths. */
static size_t edits(const char *a, size_t m, const char *b, size_t n)
{
    enum { LONGEST = 63 };
    if (m > LONGEST || n > LONGEST) return SIZE_MAX;
    size_t row[LONGEST + 1];
    for (size_t j = 0; j <= n; j++) row[j] = j;
    for (size_t i = 1; i <= m; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t least = corner + (a[i - 1] != b[j - 1]);
            if (row[j] + 1 < least) least = row[j] + 1;
            if (row[j - 1] + 1 < least) least = row[j - 1] + 1;
            corner = row[j];
            row[j] = least;
        }
    }
    return row[n];
}

const char *mn_text_nearest(const char *text, const char *const *names, size_t n)
{
    const char *nearest = NULL;
    size_t length = strlen(text), least = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        size_t distance = edits(text, length, names[i], strlen(names[i]));
        if (distance < least && distance <= (length + 2) / 3) least = distance, nearest = names[i];
    }
    return nearest;
}
