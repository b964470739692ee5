/* Transcripts: JSON lines. The first byte chooses whose turns and which text. */
#include "fuzz.h" /* first: it asks for memfd_create */

static const char *name_of(unsigned choice)
{
    static const char *const names[] = {NULL, "teacher", "move", ""};
    return names[choice % 4];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int32_t ids[3];
    size_t n = 1, A;
    bool begins;
    char path[40];
    mn_symbols *s;
    if (!size) return 0;
    int fd = fuzz_file(path, data + 1, size - 1);
    mn_symbols_opts opts = {
        .path = path, .format = MN_SYMBOLS_TRANSCRIPTS, .role = name_of(data[0]), .field = name_of(data[0] / 4)};
    mn_status status = mn_symbols_open(&s, &opts, NULL);
    REQUIRE(status == MN_OK || status == MN_ERR_INPUT);
    for (A = status == MN_OK ? mn_symbols_alphabet(s) : 0; A && n;) {
        REQUIRE(mn_symbols_next(s, ids, 3, &n, &begins, NULL) == MN_OK); /* the first reading has seen all of it */
        for (size_t i = 0; i < n; i++) REQUIRE(ids[i] >= 0 && (size_t)ids[i] < A);
    }
    if (A) mn_symbols_free(s);
    close(fd);
    return 0;
}
