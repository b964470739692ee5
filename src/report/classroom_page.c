/* The classroom's page. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "report/classroom_tour.h"
#include "report/page.h"

static void put_title(mn_html *html, const mn_tour *tour)
{
    mn_html_rawf(html, "%d nats from the imitator, ", MN_TOUR_BUDGET);
    mn_html_num(html, tour->spent[MN_TOUR_IMITATOR][MN_TOUR_MAIN].kl_demonstrator, 0);
    mn_html_raw(html, " from the teacher");
}

static void put_lead(mn_html *html, const mn_tour *tour)
{
    const mn_tour_figures *f = &tour->spent[MN_TOUR_IMITATOR][MN_TOUR_MAIN];
    mn_html_raw(
        html,
        "<p class=lead>A teacher, who praises right answers only, is trusted. An imitator has learnt from 200 of its lessons, "
        "each of 16 exchanges. An agent is to teach for 20 exchanges and is rewarded when the student is happy. It may differ "
        "from "
        "the imitator by 5 nats a lesson, and keeps to that. But nobody has shown the imitator what comes after the 16th "
        "exchange, and <b>there the agent turns into a flatterer</b>, which answers everything with praise: in ");
    mn_html_rawf(html, "%zu of %d lessons. That costs it ", tour->flattered, MN_TOUR_SAMPLED);
    mn_html_num(html, mn_tour_sum(f, 0, MN_TOUR_SHOWN, MN_TOUR_SHOWN + 2), 1);
    mn_html_raw(html, " nats, once; and its lessons are ");
    mn_html_num(html, f->kl_demonstrator, 0);
    mn_html_raw(
        html,
        " nats from the teacher\xE2\x80\x99s. Held to a <b>pessimistic</b> imitator, which does only what every credible "
        "imitator would do, it <b>asks the teacher for help</b> there instead.</p>\n"
        "<p class=note>A nat is the unit of KL divergence, the mean of ln(probability under the agent / probability under the "
        "other). 8 nats are what it takes to do for certain what the other does once in 3,000 times. Reward: 1 for a student "
        "who thanks, .7 right, .5 quiet, .2 wrong, .1 confused; the mean over the lesson. All figures are exact optima, "
        "computed, "
        "not learnt, but for the count of sampled lessons.</p>\n");
}

/* ---- the table ------------------------------------------------------------------------------------------------------ */

static void put_cell(mn_html *html, double x, int digits)
{
    mn_html_raw(html, "<td>");
    mn_html_num(html, x, digits);
    mn_html_raw(html, "</td>");
}

static void put_row(mn_html *html, const char *name, const mn_tour_figures *f)
{
    mn_html_rawf(html, "<tr><td>%s</td>", name);
    put_cell(html, f->value, 3);
    put_cell(html, f->kl_base, 2);
    put_cell(html, f->kl_demonstrator, 1);
    put_cell(html, mn_tour_sum(f, 1, MN_TOUR_SHOWN, MN_TOUR_TURNS), 1);
    put_cell(html, mn_tour_sum(f, 3, 0, MN_TOUR_SHOWN), 1);
    put_cell(html, mn_tour_sum(f, 3, MN_TOUR_SHOWN, MN_TOUR_TURNS), 1);
    mn_html_raw(html, "</tr>\n");
}

static void put_table(mn_html *html, const mn_tour *tour)
{
    mn_html_raw(
        html,
        "<div class=scroll><table id=results class=narrow>\n<thead><tr><th>Who teaches</th><th>Reward</th><th>Nats from its "
        "base</th><th>Nats from the teacher</th><th>of these after 16</th><th>Help in 1\xE2\x80\x93"
        "16</th><th>in 17\xE2\x80\x93"
        "20</th></tr></thead>\n<tbody>\n");
    put_row(html, "Imitator", &tour->idle[MN_TOUR_IMITATOR][MN_TOUR_MAIN]);
    put_row(html, "Agent held to the imitator", &tour->spent[MN_TOUR_IMITATOR][MN_TOUR_MAIN]);
    put_row(html, "Pessimist", &tour->idle[MN_TOUR_PESSIMIST][MN_TOUR_MAIN]);
    put_row(html, "Agent held to the pessimist", &tour->spent[MN_TOUR_PESSIMIST][MN_TOUR_MAIN]);
    mn_html_raw(html, "</tbody></table></div>\n");
}

/* ---- the rest ------------------------------------------------------------------------------------------------------- */

static void put_claims(mn_html *html, const mn_claim claims[MN_CLAIMS])
{
    mn_html_raw(html, "<h2>The claim in five lines</h2>\n<ol class=claims>\n");
    for (int i = 0; i < MN_CLAIMS; i++) {
        mn_html_raw(html, "<li>");
        mn_html_word(html, claims[i].claim);
        mn_html_raw(html, "<p>");
        mn_html_word(html, claims[i].figures);
        mn_html_raw(html, "</p></li>\n");
    }
    mn_html_raw(html, "</ol>\n");
}

static void put_lessons(mn_html *html, const mn_tour *tour)
{
    static const char
        *const titles[MN_TOUR_LESSONS] = {"The imitator", "The agent held to the imitator", "The agent held to the pessimist"},
               *const sees[MN_TOUR_LESSONS] = {
                   "Normal teaching, as demonstrated; it goes on as before.",
                   "The same until exchange 16. Then it pays once, and praises whatever the student says.",
                   "Where the teacher was never seen, it does nothing of its own: it asks, and the teacher speaks."};
    mn_html_rawf(
        html,
        "<h2>Three lessons</h2>\n<p class=note>Sampled with the same random numbers; of %d lessons of the agent held to the "
        "imitator %zu end in nothing but praise, and this is the first of these. Marked, and written beside the exchange: "
        "what a move cost. After each answer its reward.</p>\n<div class=lessons>\n",
        MN_TOUR_SAMPLED, tour->flattered);
    for (int i = 0; i < MN_TOUR_LESSONS; i++) {
        mn_html_rawf(html, "<article><h3>%s</h3><p class=facts>%s</p>\n", titles[i], sees[i]);
        mn_html_raw(html, tour->lessons[i].buf.data);
        mn_html_raw(html, "</article>\n");
    }
    mn_html_raw(html, "</div>\n");
}

static mn_status put_page(mn_html *html, const mn_tour *tour, const mn_claim claims[MN_CLAIMS], const char *folder, mn_err *err)
{
    mn_html title = {0};
    put_title(&title, tour);
    mn_page_begin_with(html, "the classroom", &title);
    put_lead(html, tour);
    put_table(html, tour);
    mn_html_raw(html, "<h2>What was let through, when, and at what price</h2>\n");
    MN_TRY(mn_tour_charts(html, tour, folder, err));
    put_lessons(html, tour);
    put_claims(html, claims);
    mn_html_raw(html,
                "<footer>Written by mightnt " MN_VERSION
                ". The numbers of the charts lie beside this page as TSV; <code>mightnt plan</code> computes each of them "
                "(docs/planning.md).</footer>\n</main>\n</body>\n</html>\n");
    return html->status == MN_OK ? MN_OK : mn_fail(err, html->status, "out of memory");
}

mn_status mn_classroom_page(const char *path, mn_claim claims[MN_CLAIMS], size_t threads, bool (*stop)(void *arg), void *arg,
                            mn_err *err)
{
    char folder[PATH_MAX];
    mn_tour tour = {0};
    mn_html html = {0};
    memset(claims, 0, MN_CLAIMS * sizeof *claims);
    MN_TRY(mn_page_folder(folder, path, err));
    mn_status status = mn_tour_take(&tour, threads, stop, arg, err);
    if (status == MN_OK) status = mn_tour_claims(claims, &tour, err);
    if (status == MN_OK) status = put_page(&html, &tour, claims, folder, err);
    if (status == MN_OK) status = mn_file_write_atomic(path, html.buf.data, html.buf.len, err);
    mn_buf_free(&html.buf);
    mn_tour_free(&tour);
    return status;
}
