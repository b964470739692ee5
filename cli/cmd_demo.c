/* mightnt demo: the main job from end to end, small: train, audit, show. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "options.h"

enum { WIDTH = 56 };

#define PROMPT "A conversation between a teacher and a student about fractions. Each speaks one short line at a time."

/* Prints the next part of *text that fits into a column, cut at a space or a line end; moves *text past it. */
static void print_column(const char **text)
{
    size_t length = 0, cut = 0, columns = 0;
    const char *t = *text ? *text : "";
    for (; t[length] && t[length] != '\n' && columns < WIDTH; length++) {
        if (t[length] == ' ') cut = length;
        if (((unsigned char)t[length] & 0xC0) != 0x80) columns++;
    }
    if (t[length] && t[length] != '\n') {
        while (((unsigned char)t[length] & 0xC0) == 0x80) length--; /* not in the middle of a character */
        if (cut) length = cut;
    }
    columns = 0;
    for (size_t i = 0; i < length; i++) {
        putchar((unsigned char)t[i] < 0x20 || t[i] == 0x7F ? ' ' : t[i]);
        if (((unsigned char)t[i] & 0xC0) != 0x80) columns++;
    }
    printf("%*s", (int)(WIDTH - columns), "");
    *text = t + length + (t[length] == ' ' || t[length] == '\n');
}

static void print_pair(const char *left, const char *right)
{
    printf("\n  %-*s  %s\n", WIDTH, "before (the base)", "after (the trained agent)");
    while ((left && *left) || (right && *right)) {
        fputs("  ", stdout);
        print_column(&left);
        fputs("  ", stdout);
        print_column(&right);
        putchar('\n');
    }
}

static void print_result(const mn_summary *s, const mn_audit *a, const char *page)
{
    double error = hypot(s->before_se, s->after_se);
    printf("\nreturn   %.3f +- %.3f before, %.3f +- %.3f after %zu steps", s->before, s->before_se, s->after, s->after_se,
           s->steps);
    if (error > 0) printf(" (%+.1f standard errors)", (s->after - s->before) / error);
    putchar('\n');
    printf("nats     %.2f an episode; never more than %.6f of the %g allowed\n", s->nats, s->most_nats, s->budget_nats);
    printf("audit    %zu episodes, %zu tokens replayed: %zu differences\n", a->episodes, a->tokens, a->differences);
    if (s->tokens_per_s > 0) printf("speed    %.0f tokens a second\n", s->tokens_per_s);
    print_pair(s->lines_before, s->lines_after);
    printf("\npage     %s\n", page);
}

static void progress(void *arg, const mn_progress *p)
{
    (void)arg;
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[Kstep %zu/%zu  return %.3f (base %.3f)  nats %.2f  %.0f tokens/s  %.0f s left", p->step,
                p->steps, p->value, p->base_value, p->nats, p->tokens_per_s, p->seconds_left);
    else if (p->step % 10 == 0)
        fprintf(stderr, "step %zu/%zu  return %.3f (base %.3f)  nats %.2f  %.0f s left\n", p->step, p->steps, p->value,
                p->base_value, p->nats, p->seconds_left);
}

static void audit_found(void *arg, const char *line)
{
    (void)arg;
    fprintf(stderr, "mightnt: %s\n", line);
}

static mn_status run(const char *dir, size_t threads, const char *page, mn_summary *summary, mn_audit *audit, mn_err *err)
{
    static const char *const sets[] = {"steps=36",
                                       "episodes=64",
                                       "base_episodes=192",
                                       "log_every=36",
                                       "world.tokens=48",
                                       "regularizer.budget_nats=10",
                                       "world.prompt=" PROMPT};
    char marker[4096];
    snprintf(marker, sizeof marker, "%s/run.json", dir);
    mn_train_opts train = {.sets = sets,
                           .n_sets = sizeof sets / sizeof *sets,
                           .dir = dir,
                           .resume = access(marker, F_OK) == 0,
                           .threads = threads,
                           .command = "mightnt demo",
                           .progress = progress,
                           .stop = cli_interrupted};
    mn_audit_opts check = {.dir = dir, .threads = threads, .found = audit_found, .stop = cli_interrupted};
    fprintf(stderr, "A teacher and a student, both spoken by SmolLM2-135M. The teacher learns to make the student's lines\n"
                    "sound happy, and may spend 10 nats of KL an episode on it. Training (some minutes) ...\n");
    mn_status status = mn_train(&train, err);
    if (status != MN_OK) return status;
    fprintf(stderr, "%sAuditing: every logged token is played again ...\n", isatty(STDERR_FILENO) ? "\r\033[K" : "");
    status = mn_audit_run(audit, &check, err);
    if (status == MN_OK) status = mn_report(page, &dir, 1, err);
    return status == MN_OK ? mn_summarise(summary, dir, err) : status;
}

int cmd_demo(int argc, char **argv)
{
    static const mn_verb verb = {"demo", "[-o DIR]", "trains, audits and shows an agent on SmolLM2, in some minutes",
                                 "mightnt demo -o demo-run",
                                 "Goes on with the run in DIR where there is one; remove DIR to begin anew.\n"};
    const char *dir = "demo-run";
    int64_t threads = 0;
    const mn_option options[] = {
        {"out", 'o', "DIR", "the run directory (default: demo-run)", MN_OPT_STR, &dir},
        {"threads", 0, "N", "worker threads (default: one a core)", MN_OPT_INT, &threads},
    };
    int status = mn_options_parse(&verb, options, sizeof options / sizeof *options, argc, argv, NULL, 0, NULL);
    if (status) return status;
    if ((status = cli_check_threads(&verb, threads))) return status;
    char page[4096];
    mn_summary summary;
    mn_audit audit;
    mn_err err = {0};
    snprintf(page, sizeof page, "%s/report.html", dir);
    cli_catch_signals();
    if (run(dir, (size_t)threads, page, &summary, &audit, &err) != MN_OK) return mn_cli_fail(&err);
    print_result(&summary, &audit, page);
    mn_summary_free(&summary);
    return 0;
}
