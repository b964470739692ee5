/* What the verbs that work for long have in common. */
#include <signal.h>

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
