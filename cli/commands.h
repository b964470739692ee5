/* The verbs: one cmd_*.c each. argv[0] is the verb's own name; returns the exit status, stdout not yet flushed. */
#ifndef MN_COMMANDS_H
#define MN_COMMANDS_H

int cmd_budget(int argc, char **argv);
int cmd_help(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_version(int argc, char **argv);

#endif
