/* The program: finds the verb and runs it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "options.h"

typedef struct command {
    const char *name;
    int (*fn)(int argc, char **argv);
    const char *summary;
} command;

static const command commands[] = {
    {"demo", cmd_demo, "trains, audits and shows an agent on SmolLM2, in some minutes"},
    {"train", cmd_train, "trains an agent by PPO that cannot overspend its KL budget"},
    {"audit", cmd_audit, "replays a run's log and checks every number in it"},
    {"imitate", cmd_imitate, "fits Bayesian context trees to symbols: the likeliest trees and how likely"},
    {"score", cmd_score, "predicts symbols one after another: log-loss, errors, what comes next"},
    {"budget", cmd_budget, "tilts base policies towards scores as far as a budget of nats allows"},
    {"plan", cmd_plan, "computes the optimal agent of a small world under each budget"},
    {"report", cmd_report, "writes a page of what runs came to"},
    {"lab", cmd_lab, "the paper's statements as experiments that can fail"},
    {"bench", cmd_bench, "measures this machine beside the project's limits"},
    {"help", cmd_help, "explains a verb"},
    {"version", cmd_version, "prints the version"},
};

enum { COMMANDS = sizeof commands / sizeof *commands };

static const command *find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(name, commands[i].name) == 0) return &commands[i];
    return NULL;
}

static int unknown(const char *name)
{
    const char *names[COMMANDS];
    for (size_t i = 0; i < COMMANDS; i++) names[i] = commands[i].name;
    const char *nearest = mn_text_nearest(name, names, COMMANDS);
    if (nearest) return mn_cli_usage(NULL, "unknown verb '%s' (did you mean %s?)", name, nearest);
    return mn_cli_usage(NULL, "unknown verb '%s'", name);
}

static int overview(void)
{
    printf("mightnt %s: reinforcement learning on a base policy under a KL budget that cannot be exceeded\n\n"
           "Usage: mightnt VERB [ARGUMENTS]\n\n",
           MN_VERSION);
    for (size_t i = 0; i < COMMANDS; i++) printf("  %-10s %s\n", commands[i].name, commands[i].summary);
    printf("\n`mightnt help VERB` or `mightnt VERB --help` explains one, with an example.\n"
           "Exit status: 0 done, 1 a check failed, 2 wrong use, 3 bad input, 4 a resource failed, 130 interrupted.\n");
    return 0;
}

int cmd_help(int argc, char **argv)
{
    static const mn_verb verb = {"help", "[VERB]", "explains a verb, or lists them all", "mightnt help version", NULL};
    const char *name;
    size_t n;
    int status = mn_options_parse(&verb, NULL, 0, argc, argv, &name, 1, &n);
    if (status) return status;
    if (!n) return overview();
    const command *found = find(name);
    if (!found) return unknown(name);
    return found->fn(2, (char *[]){(char *)found->name, "--help", NULL});
}

int cmd_version(int argc, char **argv)
{
    static const mn_verb verb = {"version", "", "prints the version", "mightnt version", NULL};
    int status = mn_options_parse(&verb, NULL, 0, argc, argv, NULL, 0, NULL);
    if (status) return status;
    printf("mightnt %s\n", MN_VERSION);
    return 0;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a reader that leaves is a failed write like any other: mn_cli_finish tells */
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) return mn_cli_finish(overview());
    const command *found = find(strcmp(argv[1], "--version") == 0 ? "version" : argv[1]);
    return mn_cli_finish(found ? found->fn(argc - 1, argv + 1) : unknown(argv[1]));
}
