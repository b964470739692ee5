#include "report/classroom_tour.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/transcript.h"

const size_t mn_tour_sizes[MN_TOUR_SIZES] = {20, 200, 2000, 20000};

#define BUDGETS "[0, 0.5, 1, 2, 3, 5, 7, 10, 14, 20]"

double mn_tour_sum(const mn_tour_figures *f, int column, size_t from, size_t to)
{
    double sum = 0;
    for (size_t t = from; t < to; t++) sum += f->per_turn[t][column];
    return sum;
}

/* ---- lessons in words ----------------------------------------------------------------------------------------------- */

static void put_said(mn_html *html, const char *sentence, double nats)
{
    int class = mn_transcript_class(nats);
    mn_html_raw(html, "</span> <span class=said><span");
    if (class) mn_html_rawf(html, " class=q%d", class);
    mn_html_raw(html, ">");
    mn_html_word(html, sentence);
    mn_html_raw(html, "</span></span>");
}

static void put_turn(mn_html *html, const mn_plan_turn *turn, size_t t, bool base)
{
    if (turn->helped)
        mn_html_rawf(html, "<div class=\"turn asked\"><span class=role>%zu \xC2\xB7 asked for help: the teacher", t + 1);
    else
        mn_html_rawf(html, "<div class=turn><span class=role>%zu \xC2\xB7 %s", t + 1, base ? "imitator" : "agent");
    if (!base && turn->nats >= .005) {
        mn_html_raw(html, " \xC2\xB7 ");
        mn_html_num(html, turn->nats, 2);
        mn_html_raw(html, " nats");
    }
    put_said(html, turn->sentence, turn->nats);
    mn_html_raw(html, "</div>\n<div class=\"turn world\"><span class=role>student");
    put_said(html, turn->answer_sentence, 0);
    mn_html_raw(html, " <span class=reward>");
    mn_html_num(html, turn->reward, 1);
    mn_html_raw(html, "</span></div>\n");
}

/* The first exchanges are folded away. */
static void put_lesson(mn_html *html, const mn_plan_turn *turns, bool base)
{
    enum { FOLDED = 13 };
    mn_html_rawf(html, "<details><summary>Exchanges 1 to %d</summary>\n", FOLDED);
    for (size_t t = 0; t < MN_TOUR_TURNS; t++) {
        if (t == FOLDED) mn_html_raw(html, "</details>\n");
        if (t == MN_TOUR_SHOWN) mn_html_raw(html, "<p class=end>No demonstration went on from here</p>\n");
        put_turn(html, &turns[t], t, base);
    }
}

static bool flatters(const mn_plan_turn *turns)
{
    for (size_t t = MN_TOUR_SHOWN; t < MN_TOUR_TURNS; t++)
        if (strcmp(turns[t].move, "praise") != 0) return false;
    return true;
}

/* ---- plans ---------------------------------------------------------------------------------------------------------- */

/* One configuration and what is kept of its answers. */
typedef struct query {
    mn_tour_figures *out[MN_TOUR_BUDGETS]; /* in the order of the budgets */
    size_t n;
    bool count;         /* lessons that end in flattery */
    mn_html *lesson[2]; /* of the first answers; NULL: not kept */
    mn_tour *tour;
    bool (*stop)(void *arg);
    void *arg;
} query;

static bool stopped(void *arg)
{
    query *q = arg;
    return q->stop && q->stop(q->arg);
}

static void keep(void *arg, const mn_plan_answer *a)
{
    query *q = arg;
    mn_tour_figures *f = q->out[q->n];
    *f = (mn_tour_figures){.budget = a->budget,
                           .value = a->value,
                           .kl_base = a->kl_base_nats,
                           .kl_demonstrator = a->kl_demonstrator_nats,
                           .help = a->help_per_episode,
                           .slack = a->help_slack_nats};
    memcpy(f->per_turn, a->per_turn, a->turns * sizeof f->per_turn[0]);
    for (size_t e = a->sampled; q->n == 0 && q->count && e-- > 0;)
        if (flatters(a->episodes + e * a->turns)) q->tour->flattered++, q->tour->number = e;
    if (q->n < 2 && q->lesson[q->n]) put_lesson(q->lesson[q->n], a->episodes + q->tour->number * a->turns, a->budget == 0);
    q->n++;
}

/* settings: up to a NULL. */
static mn_status ask(query *q, const char *const *settings, size_t demonstrations, size_t threads, mn_err *err)
{
    char size[48], shown[48];
    const char *sets[12] = {size, shown};
    size_t n = 2;
    snprintf(size, sizeof size, "demonstrations=%zu", demonstrations);
    snprintf(shown, sizeof shown, "demonstration_turns=%d", MN_TOUR_SHOWN);
    while (*settings) sets[n++] = *settings++;
    mn_plan_opts opts = {.sets = sets,
                         .n_sets = n,
                         .threads = threads,
                         .sampled = q->count || q->lesson[0] ? MN_TOUR_SAMPLED : 0,
                         .answer = keep,
                         .stop = stopped,
                         .arg = q};
    return mn_plan(&opts, err);
}

static const char *const bases[MN_TOUR_BASES][6] = {{"depth=2", "turns=20", "switch=true"},
                                                    {"depth=2", "turns=20", "switch=true", "alpha=1e-4", "leaf_alpha=.01"}};

/* A base's settings and its budgets. */
static mn_status ask_base(query *q, mn_tour_base base, const char *budgets, size_t demonstrations, size_t threads, mn_err *err)
{
    const char *settings[8] = {budgets};
    for (size_t i = 0; bases[base][i]; i++) settings[i + 1] = bases[base][i];
    return ask(q, settings, demonstrations, threads, err);
}

static mn_status take_size(mn_tour *tour, const query *blank, mn_tour_base base, size_t size, size_t threads, mn_err *err)
{
    query q = *blank;
    bool shown = size == MN_TOUR_MAIN, imitator = base == MN_TOUR_IMITATOR;
    q.out[0] = &tour->spent[base][size];
    q.out[1] = &tour->idle[base][size];
    q.count = shown && imitator;
    if (shown) q.lesson[0] = &tour->lessons[imitator ? MN_TOUR_FLATTERER : MN_TOUR_ASKER];
    if (shown && imitator) q.lesson[1] = &tour->lessons[MN_TOUR_NORMAL];
    return ask_base(&q, base, "budgets=[5, 0]", mn_tour_sizes[size], threads, err);
}

static mn_status take_brief(mn_tour *tour, const query *blank, mn_tour_base base, size_t size, size_t threads, mn_err *err)
{
    static const char *const settings[MN_TOUR_BASES][6] = {
        {"depth=2", "turns=16", "budgets=[10]"}, {"depth=2", "turns=16", "budgets=[10]", "alpha=.1", "leaf_alpha=.01"}};
    query q = *blank;
    q.out[0] = &tour->brief[base][size];
    return ask(&q, settings[base], mn_tour_sizes[size], threads, err);
}

static mn_status take_base(mn_tour *tour, const query *blank, mn_tour_base base, size_t threads, mn_err *err)
{
    query q = *blank;
    for (size_t size = 0; size < MN_TOUR_SIZES; size++) {
        MN_TRY(take_size(tour, blank, base, size, threads, err));
        MN_TRY(take_brief(tour, blank, base, size, threads, err));
    }
    for (size_t i = 0; i < MN_TOUR_BUDGETS; i++) q.out[i] = &tour->frontier[base][i];
    return ask_base(&q, base, "budgets=" BUDGETS, mn_tour_sizes[MN_TOUR_MAIN], threads, err);
}

mn_status mn_tour_take(mn_tour *tour, size_t threads, bool (*stop)(void *arg), void *arg, mn_err *err)
{
    static const char *const closed[] = {"depth=2", "turns=20", "budgets=[5]", NULL}, *const tvd[] = {"depth=2", "turns=20",
                                                                                                      "regularizer=tvd",
                                                                                                      "budgets=[.1]", NULL};
    const query blank = {.tour = tour, .stop = stop, .arg = arg};
    query to_closed = blank, to_tvd = blank;
    to_closed.out[0] = &tour->closed;
    to_tvd.out[0] = &tour->tvd;
    for (int base = 0; base < MN_TOUR_BASES; base++) MN_TRY(take_base(tour, &blank, (mn_tour_base)base, threads, err));
    MN_TRY(ask(&to_closed, closed, mn_tour_sizes[MN_TOUR_MAIN], threads, err));
    MN_TRY(ask(&to_tvd, tvd, mn_tour_sizes[MN_TOUR_MAIN], threads, err));
    for (int i = 0; i < MN_TOUR_LESSONS; i++)
        if (tour->lessons[i].status != MN_OK) return mn_fail(err, tour->lessons[i].status, "out of memory");
    return MN_OK;
}

void mn_tour_free(mn_tour *tour)
{
    for (int i = 0; i < MN_TOUR_LESSONS; i++) mn_buf_free(&tour->lessons[i].buf);
}
