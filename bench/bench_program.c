/* The universe of programs: enumeration to 24 bits and an exact update on 10^4 symbols, CPU time of one core. Limit: 10 s
 * together. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "mightnt.h"

enum { SYMBOLS = 10000, RUNS = 3 };

static double seconds(clock_t since)
{
    return (double)(clock() - since) / CLOCKS_PER_SEC;
}

/* Draws with probabilities on the grid (hard: no mix is ever refuted) or the world copied (easy). */
static void fill(int32_t *ids, size_t A, bool hard)
{
    mn_rng rng = mn_rng_split(1, A, 1000);
    for (size_t i = 0; i < SYMBOLS; i++) ids[i] = hard || i % 2 ? (int32_t)mn_rng_below(&rng, A) : i ? ids[i - 1] : 0;
}

static int measure(size_t A, bool hard)
{
    static int32_t ids[SYMBOLS];
    fill(ids, A, hard);
    for (int run = 0; run < RUNS; run++) {
        mn_err err;
        mn_model *model;
        clock_t t = clock();
        if (mn_program_new(&model, A, 24, &err) != MN_OK) return fprintf(stderr, "%s\n", err.message), 1;
        double enumerated = seconds(t);
        t = clock();
        if (mn_program_learn(model, ids, SYMBOLS, 1, &err) != MN_OK) return fprintf(stderr, "%s\n", err.message), 1;
        printf("%zu symbols, %s: %zu programs, %zu behaviours: %.2f s; %d symbols: %.2f s; evidence %.3f nats\n", A,
               hard ? "random" : "copied", mn_program_count(model), mn_program_members(model), enumerated, SYMBOLS, seconds(t),
               mn_program_log_evidence(model));
        mn_model_free(model);
    }
    return 0;
}

int main(void)
{
    int status = 0;
    for (size_t A = 2; A <= 4; A++) status |= measure(A, true) | measure(A, false);
    return status;
}
