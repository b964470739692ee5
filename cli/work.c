/* What verbs have in common: working for long, and printing numbers. */
#include <math.h>
#include <signal.h>
#include <stdio.h>

#include "commands.h"
#include "options.h"

static volatile sig_atomic_t interrupted;

static void on_signal(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

/* The first Ctrl-C ends the run in order; a second one at once. */
void cli_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool cli_interrupted(void *arg)
{
    (void)arg;
    return interrupted;
}

int cli_check_threads(const mn_verb *verb, int64_t threads)
{
    if (threads >= 0 && threads <= 1024) return 0;
    return mn_cli_usage(verb, "--threads: expected 1 to 1024, or 0 for one a core");
}

void cli_print_number(double x)
{
    char text[40];
    double back;
    if (isinf(x)) {
        printf(x > 0 ? "\"inf\"" : "\"-inf\"");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (mn_text_num(&back, text) == MN_OK && back == x) break;
    }
    printf("%s", text);
}
