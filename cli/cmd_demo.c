/* mightnt demo: the claim, computed in a classroom; then the main job from end to end, small: train, audit, show. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "options.h"

enum { WIDTH = 56, LINE = 80, PATH = 4096 };

#define PROMPT "A conversation between a teacher and a student about fractions. Each speaks one short line at a time."

/* ---- the classroom -------------------------------------------------------------------------------------------------- */

/* Words in lines of LINE columns, from column `indent` on, where the first line begins; text: ASCII. */
static void print_words(const char *text, int indent)
{
    int column = indent;
    while (*text) {
        int length = (int)strcspn(text, " ");
        if (column > indent && column + 1 + length > LINE) printf("\n%*s", column = indent, "");
        column += printf(column > indent ? " %.*s" : "%.*s", length, text);
        text += length + (text[length] == ' ');
    }
    putchar('\n');
}

static mn_status run_classroom(const char *dir, size_t threads, mn_err *err)
{
    char page[PATH];
    mn_claim claims[MN_CLAIMS];
    if (mkdir(dir, 0777) != 0 && errno != EEXIST) {
        *err = (mn_err){.code = MN_ERR_IO};
        snprintf(err->message, sizeof err->message, "%s: cannot be made: %s", dir, strerror(errno));
        return MN_ERR_IO;
    }
    snprintf(page, sizeof page, "%s/classroom.html", dir);
    mn_status status = mn_classroom_page(page, claims, threads, cli_interrupted, NULL, err);
    if (status == MN_OK) print_words("The classroom, where everything can be computed: what an imitator lets through", 0);
    for (int i = 0; status == MN_OK && i < MN_CLAIMS; i++) {
        printf("\n%d  ", i + 1);
        print_words(claims[i].claim, 3);
        printf("   ");
        print_words(claims[i].figures, 3);
    }
    if (status == MN_OK) printf("\npage     %s\n", page);
    fflush(stdout);
    mn_claims_free(claims);
    return status;
}

/* ---- the language model --------------------------------------------------------------------------------------------- */

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
    static const char *const sets[] = {"steps=50",
                                       "episodes=64",
                                       "base_episodes=256",
                                       "log_every=50",
                                       "world.tokens=48",
                                       "regularizer.budget_nats=10",
                                       "world.prompt=" PROMPT};
    char marker[PATH + 16];
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

static mn_status run_model(const char *dir, size_t threads, mn_err *err)
{
    char run_dir[PATH], page[PATH];
    mn_summary summary;
    mn_audit audit;
    snprintf(run_dir, sizeof run_dir, "%s/run", dir);
    snprintf(page, sizeof page, "%s/report.html", dir);
    mn_status status = run(run_dir, threads, page, &summary, &audit, err);
    if (status != MN_OK) return status;
    print_result(&summary, &audit, page);
    mn_summary_free(&summary);
    return MN_OK;
}

int cmd_demo(int argc, char **argv)
{
    static const mn_verb verb = {
        "demo", "[-o DIR]", "the claim computed in a classroom; then SmolLM2 trained, audited and shown",
        "mightnt demo -o demo-run\n"
        "mightnt demo --classroom",
        "The classroom takes seconds, the language model some minutes. Each leaves a page in DIR, and the\n"
        "training its run in DIR/run; where there is one it goes on with it. Remove DIR to begin anew.\n"};
    const char *dir = "demo-run";
    int64_t threads = 0;
    bool classroom = false;
    const mn_option options[] = {
        {"out", 'o', "DIR", "where the pages and the run go (default: demo-run)", MN_OPT_STR, &dir},
        {"classroom", 0, NULL, "only the classroom", MN_OPT_FLAG, &classroom},
        {"threads", 0, "N", "worker threads (default: one a core)", MN_OPT_INT, &threads},
    };
    int status = mn_options_parse(&verb, options, sizeof options / sizeof *options, argc, argv, NULL, 0, NULL);
    if (status) return status;
    if ((status = cli_check_threads(&verb, threads))) return status;
    if (strlen(dir) > PATH - 100) return mn_cli_usage(&verb, "--out: the path is too long");
    mn_err err = {0};
    cli_catch_signals();
    if (run_classroom(dir, (size_t)threads, &err) != MN_OK) return mn_cli_fail(&err);
    if (!classroom && run_model(dir, (size_t)threads, &err) != MN_OK) return mn_cli_fail(&err);
    return 0;
}
