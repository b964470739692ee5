/* What fuzzers share: input as a file. Built with -DMN_SANITIZE=...,fuzzer-no-link by clang, each fuzz_NAME.c is a libFuzzer
 * program; else it is a test that replays the files of corpus/NAME (replay.c). */
#ifndef MN_FUZZ_H
#define MN_FUZZ_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mightnt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                          \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                \
        }                                                                           \
    } while (0)

/* A file in memory with these bytes, and its path; close(fd) removes it. */
static inline int fuzz_file(char path[40], const void *data, size_t size)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    REQUIRE(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
    snprintf(path, 40, "/proc/self/fd/%d", fd);
    return fd;
}

#endif
