/* The options of a verb: one table is parser and help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../cli/options.c"

static const mn_verb verb = {"try", "FILE", "tries", "mightnt try x", NULL};

typedef struct given {
    bool json;
    const char *output;
    double limit;
    int64_t seed;
    mn_strings sets;
    const char *positional[2];
    size_t n;
} given;

static int parse(given *got, const char *const *words)
{
    const mn_option options[] = {
        {"json", 0, NULL, "prints JSON", MN_OPT_FLAG, &got->json},
        {"output", 'o', "DIR", "writes there", MN_OPT_STR, &got->output},
        {"limit", 0, "NATS", "a limit", MN_OPT_NUM, &got->limit},
        {"seed", 0, "N", "a seed", MN_OPT_INT, &got->seed},
        {"set", 0, "KEY=VALUE", "sets", MN_OPT_STRS, &got->sets},
    };
    int argc = 0;
    while (words[argc]) argc++;
    return mn_options_parse(&verb, options, 5, argc, (char **)words, got->positional, 2, &got->n);
}

#define PARSE(got, ...) parse(got, (const char *const[]){"try", __VA_ARGS__, NULL})

static void options_and_arguments_mix(void **state)
{
    (void)state;
    given got = {.seed = 7};
    assert_int_equal(PARSE(&got, "a", "--set", "x=1", "-o", "-dir", "--limit=-.5e1", "--set=y=2", "--json", "--", "--seed"), 0);
    assert_true(got.json && got.limit == -5 && got.seed == 7 && got.n == 2 && got.sets.n == 2);
    assert_string_equal(got.output, "-dir");
    assert_string_equal(got.positional[0], "a");
    assert_string_equal(got.positional[1], "--seed");
    assert_string_equal(got.sets.items[0], "x=1");
    assert_string_equal(got.sets.items[1], "y=2");
    free(got.sets.items);
    got = (given){0};
    assert_int_equal(PARSE(&got, "--seed", "-3", "-", "--limit", "inf", "--limit", "2", "--output="), 0);
    assert_true(got.seed == -3 && got.limit == 2 && got.n == 1);
    assert_string_equal(got.positional[0], "-");
    assert_string_equal(got.output, "");
}

static void wrong_options_are_refused(void **state)
{
    (void)state;
    const char *bad[] = {"--seed=1.5",
                         "--seed=",
                         "--seed= 1",
                         "--seed=0x10",
                         "--seed=9223372036854775808",
                         "--limit=nan",
                         "--limit=1e999",
                         "--limit=1e-999",
                         "--limit=0x1p3",
                         "--limit=1,5",
                         "--limit=1 ",
                         "--json=yes",
                         "--limit",
                         "-o",
                         "--lim=1",
                         "-x",
                         "-odir",
                         "--",
                         "--="};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        given got = {0};
        int expected = strcmp(bad[i], "--") == 0 ? 0 : 2;
        assert_int_equal(PARSE(&got, bad[i]), expected);
    }
    given got = {0};
    assert_int_equal(PARSE(&got, "a", "b", "c"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_arguments_mix),
        cmocka_unit_test(wrong_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
