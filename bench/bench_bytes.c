/* The byte model on files: bits a byte, ideal code length, of weighting and of switching, and KB of CPU time a second: the median of 5.
 *   bench_bytes DEPTH FILE... */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/file.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void must(mn_status status, const mn_err *err)
{
    if (status == MN_OK) return;
    fprintf(stderr, "%s\n", err->message);
    exit(mn_exit_status(status));
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Bits a byte; *rate: KB a second. */
static double code_length(double *rate, double *lp, const mn_buf *file, size_t depth, bool switching)
{
    enum { ROUNDS = 5 };
    double seconds[ROUNDS], bits = 0;
    mn_err err;
    for (int i = 0; i < ROUNDS; i++) {
        mn_model *model;
        double from = now();
        must(mn_bytes_new(&model, &(mn_bytes_opts){.depth = depth, .switching = switching}, &err), &err);
        must(mn_bytes_learn(model, lp, (const unsigned char *)file->data, file->len, true, &err), &err);
        seconds[i] = now() - from;
        mn_model_free(model);
    }
    qsort(seconds, ROUNDS, sizeof *seconds, by_size);
    *rate = (double)file->len / 1000 / seconds[ROUNDS / 2];
    for (size_t t = 0; t < file->len; t++) bits -= lp[t] / log(2);
    return bits / (double)file->len;
}

int main(int argc, char **argv)
{
    int64_t depth;
    if (argc < 3 || mn_text_int(&depth, argv[1]) != MN_OK || depth < 0)
        return fprintf(stderr, "bench_bytes DEPTH FILE...\n"), 2;
    printf("file\tbytes\tweighting_bits\tweighting_KB_s\tswitching_bits\tswitching_KB_s\n");
    for (int k = 2; k < argc; k++) {
        mn_buf file = {0};
        mn_err err;
        double rate[2], bits[2], *lp;
        must(mn_file_read(&file, argv[k], &err), &err);
        if (!(lp = malloc((file.len + 1) * sizeof *lp))) return 4;
        for (int s = 0; s < 2; s++) bits[s] = code_length(&rate[s], lp, &file, (size_t)depth, s);
        printf("%s\t%zu\t%.4f\t%.0f\t%.4f\t%.0f\n", argv[k], file.len, bits[0], rate[0], bits[1], rate[1]);
        free(lp);
        mn_buf_free(&file);
    }
    return 0;
}
