/* Symbol files of every format. The first byte chooses format, alphabet and how much is read at a time. */
#include "fuzz.h" /* first: it asks for memfd_create */

#include <string.h>

/* All symbols; what counts is that none is out of place. Returns how many, -1 where it fails. */
static long read_all(const mn_symbols_opts *opts, size_t cap)
{
    int32_t ids[64];
    long total = 0;
    size_t n = 1;
    bool begins;
    mn_symbols *s;
    mn_err err = {0};
    mn_status status = mn_symbols_open(&s, opts, &err);
    if (status == MN_OK) {
        size_t A = mn_symbols_alphabet(s);
        REQUIRE(A >= 2 && A <= 65536);
        while (n && (status = mn_symbols_next(s, ids, cap, &n, &begins, &err)) == MN_OK) {
            REQUIRE(n <= cap && (total || !n || begins));
            for (size_t i = 0; i < n; i++) REQUIRE(ids[i] >= 0 && (size_t)ids[i] < A && *mn_symbols_name(s, ids[i]));
            total += (long)n;
        }
        mn_symbols_free(s);
    }
    REQUIRE(status == MN_OK || status == MN_ERR_INPUT || status == MN_ERR_USAGE);
    REQUIRE(status == MN_OK || (*err.message && !strchr(err.message, '\n')));
    return status == MN_OK ? total : -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const alphabets[] = {NULL, "01", "a,b \xC3\xA4"};
    char path[40];
    if (!size) return 0;
    unsigned choice = data[0];
    int fd = fuzz_file(path, data + 1, size - 1);
    mn_symbols_opts opts = {.path = path, .format = (mn_symbols_format)(choice % 5), .alphabet = alphabets[choice / 5 % 3]};
    long some = read_all(&opts, 1 + choice / 15 % 4), all = read_all(&opts, 64);
    REQUIRE(some == all);
    close(fd);
    return 0;
}
