#include <math.h>

#include "report/page.h"

enum { FEW_STEPS = 10 };

/* A note opens the list if it is the first. */
static void begin_note(mn_html *html, size_t *n, bool grave)
{
    if (!(*n)++) mn_html_raw(html, "<section class=notes><h2>Mind</h2><ul>\n");
    mn_html_raw(html, grave ? "<li class=grave>" : "<li>");
}

static void name_group(mn_html *html, const mn_comparison *c, const mn_group *g)
{
    if (c->n < 2) return;
    mn_html_raw(html, "<b>");
    mn_html_word(html, g->label);
    mn_html_raw(html, ".</b> ");
}

static void note_run(mn_html *html, size_t *n, const mn_result *run)
{
    long long done = (long long)run->n - 1;
    if (done < run->planned) {
        begin_note(html, n, false);
        mn_html_word(html, run->dir);
        mn_html_rawf(html, " is not finished: %lld of %lld steps are done.</li>\n", done, (long long)run->planned);
    }
    if (run->torn) {
        begin_note(html, n, false);
        mn_html_word(html, run->dir);
        mn_html_raw(html, ": a log ends in the middle of a line, which is left out.</li>\n");
    }
}

static void note_budget(mn_html *html, size_t *n, const mn_comparison *c, const mn_group *g)
{
    if (g->overspent) {
        begin_note(html, n, true);
        name_group(html, c, g);
        mn_html_raw(html, "An episode spent more than its budget. This must never be: run <code>mightnt audit</code>.</li>\n");
    } else if (isfinite(g->budget_nats) && g->most_nats < .9 * g->budget_nats) {
        begin_note(html, n, false);
        name_group(html, c, g);
        mn_html_raw(html, "The budget never bound: the most that an episode spent is ");
        mn_html_num(html, g->most_nats, 2);
        mn_html_raw(html, " of ");
        mn_html_num(html, g->budget_nats, 2);
        mn_html_raw(html, " nats.</li>\n");
    }
}

static bool same_seed_twice(const mn_group *g)
{
    for (size_t i = 0; i < g->n; i++)
        for (size_t k = 0; k < i; k++)
            if (g->runs[i]->seed == g->runs[k]->seed) return true;
    return false;
}

static void note_group(mn_html *html, size_t *n, const mn_comparison *c, const mn_group *g)
{
    note_budget(html, n, c, g);
    if (g->steps - 1 < FEW_STEPS) {
        begin_note(html, n, false);
        name_group(html, c, g);
        mn_html_rawf(html, "Few steps: the last tenth is one step of %zu.</li>\n", g->steps - 1);
    }
    if (g->n == 1) {
        begin_note(html, n, false);
        name_group(html, c, g);
        mn_html_raw(html, "One seed: errors are over its episodes, and say nothing of how another run would end.</li>\n");
    }
    if (same_seed_twice(g)) {
        begin_note(html, n, true);
        name_group(html, c, g);
        mn_html_raw(html, "The same seed twice: those runs are no two observations, and the errors are too small.</li>\n");
    }
}

void mn_notes_put(mn_html *html, const mn_comparison *c, const mn_result *runs, size_t n)
{
    size_t notes = 0;
    for (size_t i = 0; i < c->n; i++) note_group(html, &notes, c, &c->groups[i]);
    if (!c->same_world) {
        begin_note(html, &notes, false);
        mn_html_raw(html, "The runs differ in model, world or reward, so their returns are not on one scale.</li>\n");
    }
    for (size_t i = 0; i < n; i++) note_run(html, &notes, &runs[i]);
    if (notes) mn_html_raw(html, "</ul></section>\n");
}
