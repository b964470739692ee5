/* Runs a fuzzer's function on every file of the folders given: none may crash. */
#include "fuzz.h" /* first: it asks for memfd_create */

#include <dirent.h>
#include <string.h>

static void replay(const char *folder, const char *name)
{
    static uint8_t data[1 << 20];
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    REQUIRE(f);
    size_t size = fread(data, 1, sizeof data, f);
    fclose(f);
    uint8_t *exact = malloc(size ? size : 1); /* so that reading past its end is seen */
    REQUIRE(exact);
    memcpy(exact, data, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

int main(int argc, char **argv)
{
    size_t n = 0;
    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);
        REQUIRE(folder);
        for (struct dirent *entry; (entry = readdir(folder));)
            if (entry->d_name[0] != '.') replay(argv[i], entry->d_name), n++;
        closedir(folder);
    }
    printf("%zu files\n", n);
    return n ? 0 : 1;
}
