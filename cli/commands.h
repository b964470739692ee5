/* The verbs: one cmd_*.c each. argv[0] is the verb's own name; returns the exit status, stdout not yet flushed. */
#ifndef MN_COMMANDS_H
#define MN_COMMANDS_H

#include <stdbool.h>
#include <stdint.h>

int cmd_demo(int argc, char **argv);
int cmd_train(int argc, char **argv);
int cmd_audit(int argc, char **argv);
int cmd_imitate(int argc, char **argv);
int cmd_score(int argc, char **argv);
int cmd_budget(int argc, char **argv);
int cmd_plan(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_lab(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_help(int argc, char **argv);
int cmd_version(int argc, char **argv);

/* Ctrl-C and SIGTERM are noted, and end the work in order (a second one ends it at once). */
void cli_catch_signals(void);
bool cli_interrupted(void *arg);
/* 0, or the exit status after one line on stderr: --threads is 0 to 1024. */
struct mn_verb;
int cli_check_threads(const struct mn_verb *verb, int64_t threads);
/* The shortest decimal that reads back as the same double; infinities as our JSON has them. */
void cli_print_number(double x);

#endif
