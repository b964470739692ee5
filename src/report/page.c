#include "report/page.h"

#include <math.h>
#include <string.h>

#include "report/transcript.h"

enum { OPEN_PAIRS = 4 };

static void put_estimate(mn_html *html, mn_estimate x, int digits)
{
    mn_html_num(html, x.mean, digits);
    mn_html_raw(html, "\xE2\x80\xAF\xC2\xB1\xE2\x80\xAF");
    mn_html_num(html, x.error, digits);
}

static void put_dot(mn_html *html, size_t group)
{
    mn_html_rawf(html, "<span class=dot style=\"background:var(--s%zu)\"></span>", group % MN_SERIES);
}

/* ---- the result in words ---------------------------------------------------------------------------------------- */

static const mn_group *best(const mn_comparison *c)
{
    const mn_group *g = &c->groups[0];
    for (size_t i = 1; i < c->n; i++)
        if (c->groups[i].gain.mean > g->gain.mean) g = &c->groups[i];
    return g;
}

/* A budget as people write it: 10, 2.5. */
static void put_budget(mn_html *html, double nats)
{
    mn_html_num(html, nats, nats == floor(nats) ? 0 : 2);
}

static void put_title(mn_html *html, const mn_comparison *c)
{
    const mn_group *g = best(c);
    mn_html_raw(html, "Return ");
    mn_html_num(html, g->before.mean, 3);
    mn_html_raw(html, " \xE2\x86\x92 ");
    mn_html_num(html, g->after.mean, 3);
    if (isfinite(g->budget_nats)) {
        mn_html_raw(html, " within ");
        put_budget(html, g->budget_nats);
        mn_html_raw(html, " nats");
    }
    if (c->n > 1) mn_html_rawf(html, ", the most of %zu settings", c->n);
}

static void put_gain(mn_html *html, const mn_group *g)
{
    double z = mn_z_score(g->gain.mean, 0, g->gain.error);
    mn_html_raw(html, ": ");
    put_estimate(html, g->gain, 3);
    mn_html_raw(html, g->n > 1 ? " over the seeds, " : ", ");
    if (!isfinite(z)) {
        mn_html_raw(html, "without any spread. ");
        return;
    }
    mn_html_num(html, fabs(z), 1);
    mn_html_raw(html, fabs(z) < 2 ? " standard errors, so no clear change. " : " standard errors. ");
}

static void put_spending(mn_html *html, const mn_group *g)
{
    mn_html_raw(html, "It spends <b>");
    mn_html_num(html, g->nats.mean, 2);
    mn_html_raw(html, "</b> nats an episode");
    if (isfinite(g->budget_nats)) {
        mn_html_raw(html, " of the <b>");
        put_budget(html, g->budget_nats);
        mn_html_raw(html, "</b> it may; the most that any episode spent is ");
        mn_html_num(html, g->most_nats, 3);
    }
    mn_html_raw(html, ".");
    if (g->tokens_per_s > 0) {
        mn_html_raw(html, " Trained at ");
        mn_html_count(html, g->tokens_per_s);
        mn_html_raw(html, " tokens a second.");
    }
}

static void put_lead(mn_html *html, const mn_comparison *c)
{
    const mn_group *g = best(c);
    const mn_result *run = g->runs[0];
    mn_html_raw(html, "<p class=lead>");
    if (c->n > 1) {
        mn_html_raw(html, "With ");
        mn_html_word(html, g->label);
        mn_html_raw(html, " and after");
    } else {
        mn_html_raw(html, "After");
    }
    mn_html_rawf(html, " %zu steps of PPO the agent, as the ", g->steps - 1);
    mn_html_word(html, run->roles[0]);
    mn_html_raw(html, ", brings the mean reward of the ");
    mn_html_word(html, run->roles[1]);
    mn_html_raw(html, " from <b>");
    put_estimate(html, g->before, 3);
    mn_html_raw(html, "</b> under the base policy to <b>");
    put_estimate(html, g->after, 3);
    mn_html_raw(html, "</b>");
    put_gain(html, g);
    put_spending(html, g);
    mn_html_raw(html, "</p>\n");
}

/* ---- the table of results --------------------------------------------------------------------------------------- */

static void put_cell(mn_html *html, mn_estimate x, int digits)
{
    mn_html_raw(html, "<td>");
    put_estimate(html, x, digits);
    mn_html_raw(html, "</td>");
}

static void put_number_cell(mn_html *html, double x, int digits)
{
    mn_html_raw(html, "<td>");
    mn_html_num(html, x, digits);
    mn_html_raw(html, "</td>");
}

static void put_run_row(mn_html *html, const mn_group *g, const mn_result *run)
{
    mn_estimate before = {run->steps[0].value, run->steps[0].value_se}, after = mn_result_after(run, g->tail);
    double most = 0;
    for (size_t i = 0; i < run->n; i++) most = fmax(most, run->steps[i].nats_max);
    mn_html_rawf(html, "<tr class=sub><td>seed %lld</td><td></td>", (long long)run->seed);
    put_cell(html, before, 3);
    put_cell(html, after, 3);
    put_cell(html, (mn_estimate){after.mean - before.mean, hypot(before.error, after.error)}, 3);
    mn_html_raw(html, "<td></td>");
    put_number_cell(html, mn_result_nats(run, g->tail).mean, 2);
    put_number_cell(html, most, 3);
    mn_html_raw(html, "<td>");
    if (run->seconds > 0) mn_html_count(html, run->tokens / run->seconds);
    mn_html_raw(html, "</td></tr>\n");
}

static void put_group_row(mn_html *html, const mn_group *g, size_t index)
{
    mn_html_raw(html, "<tr><td>");
    put_dot(html, index);
    mn_html_word(html, g->label);
    mn_html_rawf(html, "</td><td>%zu</td>", g->n);
    put_cell(html, g->before, 3);
    put_cell(html, g->after, 3);
    put_cell(html, g->gain, 3);
    put_number_cell(html, mn_z_score(g->gain.mean, 0, g->gain.error), 1);
    put_number_cell(html, g->nats.mean, 2);
    put_number_cell(html, g->most_nats, 3);
    mn_html_raw(html, "<td>");
    if (g->tokens_per_s > 0) mn_html_count(html, g->tokens_per_s);
    mn_html_raw(html, "</td></tr>\n");
    for (size_t r = 0; g->n > 1 && r < g->n; r++) put_run_row(html, g, g->runs[r]);
}

static void put_results(mn_html *html, const mn_comparison *c)
{
    mn_html_raw(html, "<div class=scroll><table id=results>\n<thead><tr><th>Setting</th><th>Seeds</th><th>Base "
                      "return</th><th>Trained return</th>"
                      "<th>Gain</th><th>in std. errors</th><th>Nats an episode</th><th>Most "
                      "nats</th><th>Tokens/s</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < c->n; i++) put_group_row(html, &c->groups[i], i);
    mn_html_raw(
        html,
        "</tbody></table></div>\n<p class=note>\xC2\xB1 is one standard error: over seeds where there are several, else over "
        "episodes. Trained: mean of the last tenth of the steps.</p>\n");
}

/* ---- charts ----------------------------------------------------------------------------------------------------- */

static const char *caption(mn_chart_kind kind, const mn_comparison *c)
{
    switch (kind) {
    case MN_CHART_RETURN:
        return "Mean of each step's episodes; band: one standard error. Step 0 is the base policy.";
    case MN_CHART_NATS:
        return c->n == 1 ? "Mean spent (thick), the most that an episode spent (thin), and the budget (dashed)."
                         : "Mean spent, and the budget (dashed).";
    case MN_CHART_POSITION:
        return "Where in the episode the budget goes: mean charge of each token, in the last logged step.";
    default:
        return c->n == 1 ? "What return costs: a dot a step; the large one, with its errors, is the mean of the last tenth."
                         : "What return costs: large points are means of the last tenth with their errors, small ones the "
                           "single runs.";
    }
}

static void put_charts(mn_html *html, const mn_comparison *c, const mn_chart charts[MN_CHARTS], const char *data)
{
    static const char *const titles[MN_CHARTS] = {"Return by step", "Nats by step", "Nats by position", "Frontier"};
    mn_html_raw(html, "<h2>Training</h2>\n");
    if (c->n > 1) {
        mn_html_raw(html, "<ul class=keys>");
        for (size_t i = 0; i < c->n; i++) {
            mn_html_raw(html, "<li>");
            put_dot(html, i);
            mn_html_word(html, c->groups[i].label);
            mn_html_raw(html, "</li>");
        }
        mn_html_raw(html, "</ul>\n");
    }
    mn_html_raw(html, "<div class=charts>\n");
    for (int i = 0; i < MN_CHARTS; i++) {
        if (!charts[i].svg.len) continue;
        mn_html_rawf(html, "<figure id=chart-%s><figcaption><b>%s</b></figcaption>\n", charts[i].name, titles[i]);
        mn_html_raw(html, charts[i].svg.data);
        mn_html_rawf(html, "<figcaption><p>%s</p></figcaption></figure>\n", caption((mn_chart_kind)i, c));
    }
    mn_html_raw(html, "</div>\n<p class=note>The numbers of the charts lie in <code>");
    mn_html_word(html, data);
    mn_html_raw(html, "/</code> as TSV.</p>\n");
}

/* ---- transcripts ------------------------------------------------------------------------------------------------ */

static void put_pairs(mn_html *html, const mn_result *run, size_t from, size_t to)
{
    mn_html_raw(html, "<div class=pairs>\n<p class=side>Base policy</p><p class=side>Trained agent</p>\n");
    mn_transcript_pairs(html, run, from, to);
    mn_html_raw(html, "</div>\n");
}

static void put_group_transcripts(mn_html *html, const mn_comparison *c, size_t index)
{
    const mn_group *g = &c->groups[index];
    const mn_result *run = g->runs[0];
    size_t most = run->n_shown[0] > run->n_shown[1] ? run->n_shown[0] : run->n_shown[1];
    size_t first = c->n > 1 ? OPEN_PAIRS / 2 : OPEN_PAIRS;
    if (first > most) first = most;
    if (c->n > 1 || g->n > 1) {
        mn_html_raw(html, "<h3>");
        put_dot(html, index);
        mn_html_word(html, g->label);
        mn_html_rawf(html, ", seed %lld</h3>\n", (long long)run->seed);
    }
    const char *prompt = mn_result_setting(run, "world.prompt");
    if (*prompt && (!index || !c->same_world)) {
        mn_html_raw(html, "<blockquote>");
        mn_html_word(html, prompt);
        mn_html_raw(html, "</blockquote>\n");
    }
    put_pairs(html, run, 0, first);
    if (first == most) return;
    mn_html_rawf(html, "<details><summary>%zu more</summary>\n", most - first);
    put_pairs(html, run, first, most);
    mn_html_raw(html, "</details>\n");
}

static void put_transcripts(mn_html *html, const mn_comparison *c)
{
    mn_html_raw(html, "<h2>Transcripts</h2>\n<p class=note>The first episodes of step 0, which is the base policy itself, "
                      "beside the first of "
                      "the last logged step: not chosen. After each scored turn stands its reward.</p>\n");
    mn_transcript_legend(html);
    for (size_t i = 0; i < c->n; i++) put_group_transcripts(html, c, i);
}

/* ---- settings and runs ------------------------------------------------------------------------------------------ */

static bool same_in_all(const mn_comparison *c, const char *key)
{
    for (size_t i = 1; i < c->n; i++)
        if (strcmp(mn_result_setting(c->groups[i].runs[0], key), mn_result_setting(c->groups[0].runs[0], key)) != 0)
            return false;
    return true;
}

static void put_setting(mn_html *html, const mn_comparison *c, const char *key)
{
    bool same = same_in_all(c, key);
    mn_html_raw(html, "<tr><td>");
    mn_html_word(html, key);
    mn_html_raw(html, "</td>");
    for (size_t i = 0; i < (same ? 1 : c->n); i++) {
        if (same)
            mn_html_rawf(html, "<td colspan=%zu>", c->n);
        else
            mn_html_raw(html, "<td><b>");
        mn_html_word(html, mn_result_setting(c->groups[i].runs[0], key));
        mn_html_raw(html, same ? "</td>" : "</b></td>");
    }
    mn_html_raw(html, "</tr>\n");
}

/* Keys of all groups, each where it is first met. */
static void put_settings(mn_html *html, const mn_comparison *c)
{
    const char *key;
    json_t *value;
    mn_html_raw(html, "<h2>Settings</h2>\n<details><summary>All keys</summary><div class=scroll><table class=words "
                      "id=settings>\n<thead><tr><th>Key</th>");
    for (size_t i = 0; i < c->n; i++) {
        mn_html_raw(html, "<th>");
        put_dot(html, i);
        mn_html_word(html, c->groups[i].label);
        mn_html_raw(html, "</th>");
    }
    mn_html_raw(html, "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < c->n; i++) json_object_foreach(c->groups[i].runs[0]->settings, key, value)
        {
            bool met = false;
            for (size_t k = 0; k < i && !met; k++) met = json_object_get(c->groups[k].runs[0]->settings, key) != NULL;
            if (!met) put_setting(html, c, key);
        }
    mn_html_raw(html, "</tbody></table></div></details>\n");
}

static void put_fact(mn_html *html, const mn_result *run, const char *section, const char *key, size_t most)
{
    const json_t *object = *section ? json_object_get(run->run, section) : run->run;
    const char *text = json_string_value(json_object_get(object, key));
    mn_html_raw(html, "<td>");
    if (text) mn_html_text(html, text, strnlen(text, most));
    mn_html_raw(html, "</td>");
}

static void put_runs(mn_html *html, const mn_result *runs, size_t n)
{
    mn_html_raw(
        html,
        "<h2>Runs</h2>\n<div class=scroll><table class=words id=runs>\n<thead><tr><th>Directory</th><th>Seed</th><th>Steps</th>"
        "<th>Model</th><th>Weights\xE2\x80\x99 "
        "SHA-256</th><th>Processor</th><th>Build</th><th>Command</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < n; i++) {
        mn_html_raw(html, "<tr><td>");
        mn_html_word(html, runs[i].dir);
        mn_html_rawf(html, "</td><td>%lld</td><td>%zu of %lld</td>", (long long)runs[i].seed, runs[i].n - 1,
                     (long long)runs[i].planned);
        put_fact(html, &runs[i], "model", "path", 4096);
        put_fact(html, &runs[i], "model", "weights_sha256", 16);
        put_fact(html, &runs[i], "machine", "cpu", 256);
        put_fact(html, &runs[i], "machine", "build", 256);
        put_fact(html, &runs[i], "", "command", 4096);
        mn_html_raw(html, "</tr>\n");
    }
    mn_html_raw(html, "</tbody></table></div>\n");
}

/* ---- all of it -------------------------------------------------------------------------------------------------- */

void mn_page_begin(mn_html *html, const char *kicker, const char *title)
{
    mn_html_raw(html, "<!DOCTYPE html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
                      "<meta name=viewport content=\"width=device-width,initial-scale=1\">\n"
                      "<meta http-equiv=Content-Security-Policy content=\"default-src 'none';style-src "
                      "'unsafe-inline';script-src 'unsafe-inline'\">\n"
                      "<title>");
    mn_html_raw(html, title);
    mn_html_raw(html, "</title>\n<style>\n");
    mn_html_raw(html, mn_page_style);
    mn_html_rawf(
        html,
        "</style>\n</head>\n<body>\n"
        "<svg width=0 height=0 style=\"position:absolute\" aria-hidden=true><circle id=gpPt6 r=1 fill=currentColor /></svg>\n"
        "<main>\n<p class=kicker>mightnt \xC2\xB7 %s</p>\n<h1>",
        kicker);
    mn_html_raw(html, title);
    mn_html_raw(html, "</h1>\n");
}

void mn_page_begin_with(mn_html *html, const char *kicker, mn_html *title)
{
    if (title->status == MN_OK)
        mn_page_begin(html, kicker, title->buf.data);
    else
        html->status = title->status;
    mn_buf_free(&title->buf);
}

static void put_head(mn_html *html, const mn_comparison *c)
{
    mn_html title = {0};
    put_title(&title, c);
    mn_page_begin_with(html, "training report", &title);
}

void mn_page_put(mn_html *html, const mn_comparison *c, const mn_result *runs, size_t n, const mn_chart charts[MN_CHARTS],
                 const char *data)
{
    put_head(html, c);
    put_lead(html, c);
    put_results(html, c);
    mn_notes_put(html, c, runs, n);
    put_charts(html, c, charts, data);
    put_transcripts(html, c);
    put_settings(html, c);
    put_runs(html, runs, n);
    mn_html_raw(html, "<footer>Written by mightnt " MN_VERSION ".</footer>\n</main>\n<div id=readout hidden></div>\n<script>");
    mn_html_raw(html, mn_page_script);
    mn_html_raw(html, "</script>\n</body>\n</html>\n");
}
