/* Context trees: evidence and predictions, sums to 1, sessions that learn and forget, what is refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "predict/bct.h"

#define TRY(call) assert_int_equal((call), MN_OK)

static mn_model *new_tree(size_t A, size_t D, double beta, int32_t start)
{
    mn_model *m;
    TRY(mn_bct_new(&m, &(mn_bct_opts){.A = A, .D = D, .beta = beta, .start = start}, NULL));
    return m;
}

static bool near(double a, double b, double relative)
{
    return fabs(a - b) <= relative * fmax(fabs(a), fabs(b));
}

/* As the R package BCT 1.2 has them. */
static void known_values(void **state)
{
    (void)state;
    const int32_t x[] = {1, 0, 1, 0, 0, 1, 0, 0, 1, 1, 1, 0, 1, 0};
    double lp[14], next[2], sum = 0;
    mn_model *m = new_tree(2, 2, .5, -1);
    TRY(mn_bct_predict_all(m, lp, NULL, next, x, 8, true, NULL));
    assert_true(near(exp(next[0]), 33. / 70, 1e-14) && near(exp(next[1]), 37. / 70, 1e-14));
    TRY(mn_bct_predict_all(m, lp + 8, NULL, NULL, x + 8, 6, false, NULL));
    for (size_t i = 2; i < 14; i++) sum += lp[i];
    assert_true(near(sum, -9.89501297383246, 1e-14));
    assert_true(near(mn_bct_log_evidence(m), -9.89501297383246, 1e-14));
    assert_true(mn_bct_symbols(m) == 14 && mn_bct_predicted(m) == 12 && mn_bct_contexts(m) == 7);
    mn_model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
