/* The charts of the classroom's page. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/classroom_tour.h"
#include "report/page.h"

enum { WIDTH = 460, HEIGHT = 300, MOST_LINES = 3 };
/* Each colour means the same in all charts: the first series' number. */
enum { TO_BASE = 0, BY_IMITATOR = 1, BY_PESSIMIST = 2, TO_TEACHER = 3, HELP = 4 };

typedef struct line {
    const char *name, *style; /* style: gnuplot's */
    size_t colour, n;
    double x[MN_TOUR_TURNS], y[MN_TOUR_TURNS];
} line;

typedef struct chart {
    const char *name, *title, *x, *y, *more; /* more: lines of the script */
    char sees[400];                          /* what one sees */
    size_t n;
    line lines[MOST_LINES];
} chart;

#define CURVE "linespoints lw 2 pt 7 ps .45"
#define DASHED "lines lw 1.4 dt (6,4)"
#define BOXES "boxes fs transparent solid .75 noborder"
#define FIXED(x, digits) mn_tour_fixed((char[24]){0}, x, digits)

static line *add_line(chart *c, const char *name, const char *style, size_t colour)
{
    line *l = &c->lines[c->n++];
    *l = (line){.name = name, .style = style, .colour = colour};
    return l;
}

static void add_point(line *l, double x, double y)
{
    l->x[l->n] = x;
    l->y[l->n++] = y;
}

/* ---- what they show ------------------------------------------------------------------------------------------------- */

static const char *const agents[MN_TOUR_BASES] = {"agent held to the imitator", "agent held to the pessimist"};
static const size_t agent_colours[MN_TOUR_BASES] = {BY_IMITATOR, BY_PESSIMIST};

static void frontier(chart *c, const mn_tour *tour, bool to_teacher)
{
    for (int base = 0; base < MN_TOUR_BASES; base++) {
        line *l = add_line(c, agents[base], CURVE, agent_colours[base]);
        for (size_t i = 0; i < MN_TOUR_BUDGETS; i++) {
            const mn_tour_figures *f = &tour->frontier[base][i];
            add_point(l, to_teacher ? f->kl_demonstrator : f->kl_base, f->value);
        }
    }
}

static void to_base(chart *c, const mn_tour *tour)
{
    *c = (chart){
        "frontier-base", "What is spent", "nats from what the agent is held to", "reward", "set xrange [0:*]\n", "", 0, {{0}}};
    frontier(c, tour, false);
    snprintf(
        c->sees, sizeof c->sees,
        "The best reward for each budget. Counted from what each agent is held to, both keep within it: nothing here shows "
        "that one of the two is a flatterer.");
}

static void to_teacher(chart *c, const mn_tour *tour)
{
    const mn_tour_figures *a = &tour->spent[MN_TOUR_IMITATOR][MN_TOUR_MAIN], *b = &tour->spent[MN_TOUR_PESSIMIST][MN_TOUR_MAIN];
    *c = (chart){
        "frontier-teacher", "What is let through", "nats from the teacher", "reward", "set xrange [0:*]\n", "", 0, {{0}}};
    frontier(c, tour, true);
    snprintf(
        c->sees, sizeof c->sees,
        "The same agents, counted from the teacher: for a budget of 5 nats the imitator lets %s through, the pessimist %s.",
        FIXED(a->kl_demonstrator, 1), FIXED(b->kl_demonstrator, 1));
}

static void exchanges(chart *c, const mn_tour_figures *f, const char *base)
{
    line *spent = add_line(c, base, BOXES, TO_BASE), *through = add_line(c, "nats from the teacher", CURVE, TO_TEACHER);
    for (size_t t = 0; t < MN_TOUR_TURNS; t++) {
        add_point(spent, (double)t + 1, f->per_turn[t][0]);
        add_point(through, (double)t + 1, f->per_turn[t][1]);
    }
}

#define EXCHANGES                                                                     \
    "set xrange [.4:20.6]\nset yrange [0:9]\nset xtics 4\nset boxwidth .75\n"         \
    "set arrow from 16.5,0 to 16.5,9 nohead lw 1.2 dt (6,4) lc rgb " MN_GNUPLOT_MUTED \
    "\nset label 'never shown' at 16.3,8.5 right textcolor rgb " MN_GNUPLOT_MUTED "\n"

static void by_imitator(chart *c, const mn_tour *tour)
{
    const mn_tour_figures *f = &tour->spent[MN_TOUR_IMITATOR][MN_TOUR_MAIN];
    *c = (chart){"exchanges-imitator", "When: held to the imitator", "exchange", "nats", EXCHANGES, "", 0, {{0}}};
    exchanges(c, f, "nats from the imitator");
    snprintf(
        c->sees, sizeof c->sees,
        "One spike of %s nats where the demonstrations end, then next to nothing; and from there on every exchange is %s to "
        "%s nats from the teacher.",
        FIXED(mn_tour_sum(f, 0, MN_TOUR_SHOWN, MN_TOUR_SHOWN + 2), 1), FIXED(f->per_turn[MN_TOUR_SHOWN][1], 1),
        FIXED(f->per_turn[MN_TOUR_TURNS - 1][1], 1));
}

static void by_pessimist(chart *c, const mn_tour *tour)
{
    const mn_tour_figures *f = &tour->spent[MN_TOUR_PESSIMIST][MN_TOUR_MAIN];
    *c = (chart){"exchanges-pessimist", "When: held to the pessimist", "exchange", "nats", EXCHANGES, "", 0, {{0}}};
    exchanges(c, f, "nats from the pessimist");
    line *help = add_line(c, "probability of asking for help", CURVE, HELP);
    for (size_t t = 0; t < MN_TOUR_TURNS; t++) add_point(help, (double)t + 1, f->per_turn[t][3]);
    snprintf(
        c->sees, sizeof c->sees,
        "No spike: after exchange 16 there is nothing to buy. The agent asks for help every time (probability %s) and what "
        "happens is the teacher's own doing.",
        FIXED(f->per_turn[MN_TOUR_TURNS - 1][3], 2));
}

static void more_data(chart *c, const mn_tour *tour)
{
    *c = (chart){"more-data",
                 "More data",
                 "demonstrations",
                 "nats from the teacher",
                 "set logscale x\nset format x '%g'\nset xrange [14:28000]\nset yrange [0:42]\n",
                 "",
                 0,
                 {{0}}};
    for (int base = 0; base < MN_TOUR_BASES; base++) {
        line *l = add_line(c, agents[base], CURVE, agent_colours[base]);
        for (size_t i = 0; i < MN_TOUR_SIZES; i++) add_point(l, (double)mn_tour_sizes[i], tour->spent[base][i].kl_demonstrator);
    }
    line *budget = add_line(c, "the budget", DASHED, TO_BASE);
    for (size_t i = 0; i < MN_TOUR_SIZES; i++) add_point(budget, (double)mn_tour_sizes[i], MN_TOUR_BUDGET);
    snprintf(
        c->sees, sizeof c->sees,
        "A hundred times the demonstrations change nothing: %s nats with 200, %s with 20,000. What was never shown is not in "
        "them. The pessimist stays below the budget.",
        FIXED(tour->spent[0][1].kl_demonstrator, 1), FIXED(tour->spent[0][3].kl_demonstrator, 1));
}

static void less_help(chart *c, const mn_tour *tour)
{
    *c = (chart){"help",
                 "Help",
                 "demonstrations",
                 "times a lesson",
                 "set logscale x\nset format x '%g'\nset xrange [14:28000]\nset yrange [0:16]\n",
                 "",
                 0,
                 {{0}}};
    line *shown = add_line(c, "in exchanges 1 to 16", CURVE, HELP), *never = add_line(c, "in exchanges 17 to 20", DASHED, HELP);
    for (size_t i = 0; i < MN_TOUR_SIZES; i++) {
        const mn_tour_figures *f = &tour->idle[MN_TOUR_PESSIMIST][i];
        add_point(shown, (double)mn_tour_sizes[i], mn_tour_sum(f, 3, 0, MN_TOUR_SHOWN));
        add_point(never, (double)mn_tour_sizes[i], mn_tour_sum(f, 3, MN_TOUR_SHOWN, MN_TOUR_TURNS));
    }
    snprintf(
        c->sees, sizeof c->sees,
        "What the pessimist itself asks for: %s times in the demonstrated exchanges with 20 demonstrations, %s with 20,000; "
        "after them always.",
        FIXED(shown->y[0], 1), FIXED(shown->y[MN_TOUR_SIZES - 1], 1));
}

/* ---- drawing -------------------------------------------------------------------------------------------------------- */

static mn_status put_points(mn_buf *out, const line *l)
{
    for (size_t i = 0; i < l->n; i++) {
        MN_TRY(mn_gnuplot_number(out, l->x[i]));
        MN_TRY(mn_buf_puts(out, "\t"));
        MN_TRY(mn_gnuplot_number(out, l->y[i]));
        MN_TRY(mn_buf_puts(out, "\n"));
    }
    return MN_OK;
}

/* Lines apart by two empty ones, each with its name as a comment. */
static mn_status put_data(mn_buf *data, const chart *c)
{
    MN_TRY(mn_buf_printf(data, "%s\t%s\n", c->x, c->y));
    for (size_t i = 0; i < c->n; i++) {
        MN_TRY(mn_buf_printf(data, "%s# %s\n", i ? "\n\n" : "", c->lines[i].name));
        MN_TRY(put_points(data, &c->lines[i]));
    }
    return MN_OK;
}

static mn_status put_script(mn_buf *script, const chart *c)
{
    MN_TRY(mn_gnuplot_begin(script, WIDTH, HEIGHT, c->x, c->y));
    for (size_t i = 0; i < c->n; i++) {
        MN_TRY(mn_buf_printf(script, "$d%zu << EOD\n", i));
        MN_TRY(put_points(script, &c->lines[i]));
        MN_TRY(mn_buf_puts(script, "EOD\n"));
    }
    MN_TRY(mn_buf_puts(script, c->more));
    for (size_t i = 0; i < c->n; i++)
        MN_TRY(mn_buf_printf(script, "%s$d%zu with %s lc rgb \"#%06x\"", i ? ", " : "plot ", i, c->lines[i].style,
                             mn_gnuplot_colour(c->lines[i].colour)));
    return mn_buf_puts(script, "\n");
}

static void put_figure(mn_html *html, const chart *c, const mn_buf *svg)
{
    mn_html_rawf(html, "<figure id=chart-%s><figcaption><b>%s</b></figcaption>\n", c->name, c->title);
    mn_html_raw(html, svg->data);
    mn_html_raw(html, "<figcaption><ul class=keys>");
    for (size_t i = 0; i < c->n; i++)
        mn_html_rawf(html, "<li><span class=dot style=\"background:var(--s%zu)\"></span>%s%s</li>", c->lines[i].colour,
                     c->lines[i].name, strcmp(c->lines[i].style, DASHED) == 0 ? " (dashed)" : "");
    mn_html_raw(html, "</ul><p>");
    mn_html_word(html, c->sees);
    mn_html_raw(html, "</p></figcaption></figure>\n");
}

static mn_status draw(mn_html *html, const chart *c, const char *folder, mn_err *err)
{
    mn_buf script = {0}, data = {0}, svg = {0};
    mn_status status = put_script(&script, c);
    if (status == MN_OK) status = put_data(&data, c);
    if (status != MN_OK) mn_fail(err, status, "out of memory");
    if (status == MN_OK) status = mn_gnuplot_svg(&svg, script.data, script.len, WIDTH, HEIGHT, err);
    if (status == MN_OK) status = mn_page_data(folder, c->name, &data, err);
    if (status == MN_OK) put_figure(html, c, &svg);
    mn_buf_free(&script);
    mn_buf_free(&data);
    mn_buf_free(&svg);
    return status;
}

mn_status mn_tour_charts(mn_html *html, const mn_tour *tour, const char *folder, mn_err *err)
{
    static void (*const fill[])(chart * c, const mn_tour *tour) = {to_base,      to_teacher, by_imitator,
                                                                   by_pessimist, more_data,  less_help};
    mn_html_raw(html, "<div class=charts>\n");
    for (size_t i = 0; i < sizeof fill / sizeof *fill; i++) {
        chart c;
        fill[i](&c, tour);
        MN_TRY(draw(html, &c, folder, err));
    }
    mn_html_raw(html, "</div>\n");
    return MN_OK;
}
