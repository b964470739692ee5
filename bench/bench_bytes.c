/* The byte model on files, with weighting and with switching: bits a byte (ideal code length), KB learnt a second of CPU time
 * (median of 5 rounds), and microseconds for a prediction of all 256 bytes.
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

/* Microseconds a prediction, along the first 2000 bytes of the file that the model has learnt. */
static double predicting(mn_model *model, const mn_buf *file)
{
    size_t n = file->len < 2000 ? file->len : 2000;
    mn_worker *worker;
    mn_session *s;
    mn_err err;
    double lp[256], from, spent = 0;
    must(mn_worker_new(&worker, model, 1, 2000, &err), &err);
    must(mn_session_begin(&s, worker, &err), &err);
    for (size_t t = 0; t < n; t++) {
        int32_t id = (unsigned char)file->data[t];
        from = now();
        must(mn_session_predict(s, lp, &err), &err);
        spent += now() - from;
        must(mn_session_append(s, &id, 1, &err), &err);
    }
    mn_worker_free(worker);
    return 1e6 * spent / (double)n;
}

typedef struct figures {
    double bits, rate, predict_us;
} figures;

static figures measure(double *lp, const mn_buf *file, size_t depth, bool switching)
{
    enum { ROUNDS = 5 };
    double seconds[ROUNDS];
    figures f = {0};
    mn_err err;
    for (int i = 0; i < ROUNDS; i++) {
        mn_model *model;
        double from = now();
        must(mn_bytes_new(&model, &(mn_bytes_opts){.depth = depth, .switching = switching}, &err), &err);
        must(mn_bytes_learn(model, lp, (const unsigned char *)file->data, file->len, true, &err), &err);
        seconds[i] = now() - from;
        f.predict_us = predicting(model, file);
        mn_model_free(model);
    }
    qsort(seconds, ROUNDS, sizeof *seconds, by_size);
    f.rate = (double)file->len / 1000 / seconds[ROUNDS / 2];
    for (size_t t = 0; t < file->len; t++) f.bits -= lp[t] / log(2) / (double)file->len;
    return f;
}

int main(int argc, char **argv)
{
    int64_t depth;
    if (argc < 3 || mn_text_int(&depth, argv[1]) != MN_OK || depth < 0)
        return fprintf(stderr, "bench_bytes DEPTH FILE...\n"), 2;
    printf("file\tbytes\tmodel\tbits_per_byte\tlearn_KB_s\tpredict_us\n");
    for (int k = 2; k < argc; k++) {
        mn_buf file = {0};
        mn_err err;
        double *lp;
        must(mn_file_read(&file, argv[k], &err), &err);
        if (!(lp = malloc((file.len + 1) * sizeof *lp))) return 4;
        for (int s = 0; s < 2; s++) {
            figures f = measure(lp, &file, (size_t)depth, s);
            printf("%s\t%zu\t%s\t%.4f\t%.0f\t%.1f\n", argv[k], file.len, s ? "switching" : "weighting", f.bits, f.rate,
                   f.predict_us);
        }
        free(lp);
        mn_buf_free(&file);
    }
    return 0;
}
