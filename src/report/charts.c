#include "report/charts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { WIDTH = 460, HEIGHT = 300, MOST_DOTS = 200, MOST_BARS = 64 };

/* A row: the group's number, and n numbers. */
static mn_status put_row(mn_buf *data, size_t group, const double *x, size_t n)
{
    MN_TRY(mn_buf_printf(data, "%zu", group + 1));
    for (size_t i = 0; i < n; i++) {
        MN_TRY(mn_buf_puts(data, "\t"));
        MN_TRY(mn_gnuplot_number(data, x[i]));
    }
    return mn_buf_puts(data, "\n");
}

static mn_status end_group(mn_buf *data, const mn_comparison *c, size_t group)
{
    return group + 1 < c->n ? mn_buf_puts(data, "\n\n") : MN_OK;
}

/* ---- numbers ---------------------------------------------------------------------------------------------------- */

static mn_status return_data(mn_buf *data, const mn_comparison *c)
{
    MN_TRY(mn_buf_puts(data, "group\tstep\treturn\tlow\thigh\n"));
    for (size_t i = 0; i < c->n; i++) {
        for (size_t step = 0; step < c->groups[i].steps; step++) {
            mn_estimate x = mn_group_return(&c->groups[i], step);
            MN_TRY(put_row(data, i, (double[]){(double)step, x.mean, x.mean - x.error, x.mean + x.error}, 4));
        }
        MN_TRY(end_group(data, c, i));
    }
    return MN_OK;
}

static mn_status nats_data(mn_buf *data, const mn_comparison *c)
{
    MN_TRY(mn_buf_puts(data, "group\tstep\tnats\tmost\tbudget\n"));
    for (size_t i = 0; i < c->n; i++) {
        const mn_group *g = &c->groups[i];
        for (size_t step = 0; step < g->steps; step++) {
            double most = 0;
            for (size_t r = 0; r < g->n; r++) most = fmax(most, g->runs[r]->steps[step].nats_max);
            MN_TRY(put_row(
                data, i, (double[]){(double)step, mn_group_nats(g, step).mean, most, g->runs[0]->steps[step].budget_nats}, 4));
        }
        MN_TRY(end_group(data, c, i));
    }
    return MN_OK;
}

/* Long episodes in equal bars of several tokens each, so that a page can show them. */
static size_t tokens_a_bar(const mn_comparison *c)
{
    size_t most = 0;
    for (size_t i = 0; i < c->n; i++)
        for (size_t r = 0; r < c->groups[i].n; r++)
            if (c->groups[i].runs[r]->T > most) most = c->groups[i].runs[r]->T;
    return (most + MOST_BARS - 1) / MOST_BARS;
}

static size_t longest(const mn_group *g)
{
    size_t most = 0;
    for (size_t r = 0; r < g->n; r++)
        if (g->runs[r]->T > most) most = g->runs[r]->T;
    return most;
}

/* Mean nats of tokens from .. to - 1, over the runs. */
static double nats_between(const mn_group *g, size_t from, size_t to)
{
    double sum = 0;
    for (size_t r = 0; r < g->n; r++)
        for (size_t t = from; t < to && t < g->runs[r]->T; t++) sum += g->runs[r]->position[t];
    return sum / (double)(to - from) / (double)g->n;
}

static mn_status position_data(mn_buf *data, const mn_comparison *c)
{
    size_t width = tokens_a_bar(c);
    if (!width) return MN_OK; /* no episode of a trained step is logged */
    MN_TRY(mn_buf_puts(data, "group\tfrom\tto\tnats\n"));
    for (size_t i = 0; i < c->n; i++) {
        const mn_group *g = &c->groups[i];
        for (size_t from = 0; from < longest(g); from += width)
            MN_TRY(put_row(data, i, (double[]){(double)from, (double)(from + width), nats_between(g, from, from + width)}, 3));
        MN_TRY(end_group(data, c, i));
    }
    return MN_OK;
}

static mn_status frontier_data(mn_buf *data, const mn_comparison *c)
{
    MN_TRY(mn_buf_puts(data, "group\tnats\treturn\tnats_error\treturn_error\n"));
    for (size_t i = 0; i < c->n; i++) {
        const mn_group *g = &c->groups[i];
        MN_TRY(put_row(data, i, (double[]){g->nats.mean, g->after.mean, g->nats.error, g->after.error}, 4));
    }
    return MN_OK;
}

/* ---- scripts ---------------------------------------------------------------------------------------------------- */

static mn_status begin_script(mn_buf *s, const char *x, const char *y, const mn_buf *data)
{
    MN_TRY(mn_gnuplot_begin(s, WIDTH, HEIGHT, x, y));
    MN_TRY(mn_buf_puts(s, "$d << EOD\n"));
    const char *rows = strchr(data->data, '\n') + 1; /* without the headings */
    MN_TRY(mn_buf_puts(s, rows));
    return mn_buf_puts(s, "EOD\n");
}

static mn_status return_script(mn_buf *s, const mn_comparison *c)
{
    if (c->same_world) {
        MN_TRY(mn_buf_puts(s, "base = "));
        MN_TRY(mn_gnuplot_number(s, c->base.mean));
        MN_TRY(mn_buf_puts(s, "\nset label 'base' at graph 1, first base right offset 0,-.6 textcolor rgb " MN_GNUPLOT_MUTED
                              "\n"));
    }
    MN_TRY(mn_buf_puts(s, "plot "));
    for (size_t i = 0; i < c->n; i++)
        MN_TRY(mn_buf_printf(s,
                             "$d index %zu using 2:4:5 with filledcurves lc rgb \"#%06x\" fs transparent solid .18 noborder, ",
                             i, mn_gnuplot_colour(i)));
    if (c->same_world) MN_TRY(mn_buf_puts(s, "base with lines lw 1.2 dt (6,4) lc rgb " MN_GNUPLOT_MUTED ", "));
    for (size_t i = 0; i < c->n; i++)
        MN_TRY(mn_buf_printf(s, "$d index %zu using 2:3 with lines lw 2 lc rgb \"#%06x\"%s", i, mn_gnuplot_colour(i),
                             i + 1 < c->n ? ", " : "\n"));
    return MN_OK;
}

static mn_status nats_script(mn_buf *s, const mn_comparison *c)
{
    MN_TRY(mn_buf_puts(s, "set yrange [0:*]\nset offsets 0,0,graph .06,0\nplot "));
    for (size_t i = 0; i < c->n; i++) {
        if (isfinite(c->groups[i].budget_nats))
            MN_TRY(mn_buf_printf(s, "$d index %zu using 2:5 with lines lw 1.2 dt (6,4) lc rgb \"#%06x\", ", i,
                                 mn_gnuplot_colour(i)));
        if (c->n == 1) MN_TRY(mn_buf_puts(s, "$d index 0 using 2:4 with lines lw 1 lc rgb " MN_GNUPLOT_MUTED ", "));
        MN_TRY(mn_buf_printf(s, "$d index %zu using 2:3 with lines lw 2 lc rgb \"#%06x\"%s", i, mn_gnuplot_colour(i),
                             i + 1 < c->n ? ", " : "\n"));
    }
    return MN_OK;
}

static mn_status position_script(mn_buf *s, const mn_comparison *c)
{
    MN_TRY(mn_buf_puts(s, "set yrange [0:*]\nset xrange [0:*]\nset offsets 0,0,graph .04,0\nplot "));
    if (c->n == 1)
        return mn_buf_printf(
            s, "$d using (($2+$3)/2):4:(($3-$2)*.86) with boxes lc rgb \"#%06x\" fs transparent solid .8 noborder\n",
            mn_gnuplot_colour(0));
    for (size_t i = 0; i < c->n; i++)
        MN_TRY(mn_buf_printf(s, "$d index %zu using (($2+$3)/2):4 with lines lw 2 lc rgb \"#%06x\"%s", i, mn_gnuplot_colour(i),
                             i + 1 < c->n ? ", " : "\n"));
    return MN_OK;
}

/* The steps of a lone run, thinned, as dots: the way it took. */
static mn_status put_path(mn_buf *s, const mn_group *g)
{
    size_t every = (g->steps + MOST_DOTS - 1) / MOST_DOTS;
    MN_TRY(mn_buf_puts(s, "$path << EOD\n"));
    for (size_t step = 0; step < g->steps; step += every) {
        MN_TRY(mn_gnuplot_number(s, mn_group_nats(g, step).mean));
        MN_TRY(mn_buf_puts(s, "\t"));
        MN_TRY(mn_gnuplot_number(s, mn_group_return(g, step).mean));
        MN_TRY(mn_buf_puts(s, "\n"));
    }
    return mn_buf_puts(s, "EOD\n");
}

/* One run of a group as a small point. */
static mn_status put_runs(mn_buf *s, const mn_comparison *c)
{
    MN_TRY(mn_buf_puts(s, "$runs << EOD\n"));
    for (size_t i = 0; i < c->n; i++)
        for (size_t r = 0; r < c->groups[i].n; r++) {
            const mn_group *g = &c->groups[i];
            MN_TRY(mn_gnuplot_number(s, mn_result_nats(g->runs[r], g->tail).mean));
            MN_TRY(mn_buf_puts(s, "\t"));
            MN_TRY(mn_gnuplot_number(s, mn_result_after(g->runs[r], g->tail).mean));
            MN_TRY(mn_buf_printf(s, "\t%u\n", mn_gnuplot_colour(i)));
        }
    return mn_buf_puts(s, "EOD\n");
}

static mn_status put_points(mn_buf *s, const mn_comparison *c)
{
    for (size_t i = 0; i < c->n; i++)
        MN_TRY(mn_buf_printf(s, "$d using 2:($1==%zu?$3:NaN):4:5 with xyerrorbars pt 7 ps .55 lw 1.4 lc rgb \"#%06x\"%s", i + 1,
                             mn_gnuplot_colour(i), i + 1 < c->n ? ", " : "\n"));
    return MN_OK;
}

/* $line: from the base through the groups in the order of their budgets. */
static mn_status put_line(mn_buf *s, const mn_comparison *c)
{
    MN_TRY(mn_buf_puts(s, "$line << EOD\n0\t"));
    MN_TRY(mn_gnuplot_number(s, c->base.mean));
    for (size_t i = 0; i < c->n; i++) {
        MN_TRY(mn_buf_puts(s, "\n"));
        MN_TRY(mn_gnuplot_number(s, c->groups[i].nats.mean));
        MN_TRY(mn_buf_puts(s, "\t"));
        MN_TRY(mn_gnuplot_number(s, c->groups[i].after.mean));
    }
    return mn_buf_puts(s, "\nEOD\n");
}

static mn_status frontier_script(mn_buf *s, const mn_comparison *c)
{
    bool line = c->n > 1 && c->same_world && c->all_budgets;
    MN_TRY(mn_buf_puts(s, "set errorbars small\nset xrange [0:*]\nset offsets 0, graph .06, graph .06, graph .06\n"));
    MN_TRY(c->n == 1 ? put_path(s, &c->groups[0]) : put_runs(s, c));
    MN_TRY(put_line(s, c));
    if (c->same_world) {
        MN_TRY(mn_buf_puts(s, "set label 'base' at 0,"));
        MN_TRY(mn_gnuplot_number(s, c->base.mean));
        MN_TRY(mn_buf_puts(s, " left offset 1,-.3 textcolor rgb " MN_GNUPLOT_MUTED "\n"));
    }
    MN_TRY(mn_buf_puts(s, "plot "));
    if (line) MN_TRY(mn_buf_puts(s, "$line with lines lw 1.2 lc rgb " MN_GNUPLOT_MUTED ", "));
    if (c->n == 1)
        MN_TRY(mn_buf_puts(s, "$path with points pt 7 ps .3 lc rgb " MN_GNUPLOT_AXIS ", "));
    else
        MN_TRY(mn_buf_puts(s, "$runs using 1:2:3 with points pt 7 ps .3 lc rgb variable, "));
    if (c->same_world) MN_TRY(mn_buf_puts(s, "$line every ::0::0 with points pt 7 ps .6 lc rgb " MN_GNUPLOT_MUTED ", "));
    return put_points(s, c);
}

/* ---- all of them ------------------------------------------------------------------------------------------------ */

static const struct {
    const char *name, *x, *y;
    mn_status (*data)(mn_buf *data, const mn_comparison *c);
    mn_status (*script)(mn_buf *script, const mn_comparison *c);
} kinds[MN_CHARTS] = {
    [MN_CHART_RETURN] = {"return", "step", "return", return_data, return_script},
    [MN_CHART_NATS] = {"nats", "step", "nats an episode", nats_data, nats_script},
    [MN_CHART_POSITION] = {"position", "token of the episode", "nats a token", position_data, position_script},
    [MN_CHART_FRONTIER] = {"frontier", "nats an episode", "return", frontier_data, frontier_script},
};

static mn_status put_script(mn_buf *script, int kind, const mn_comparison *c, const mn_buf *data)
{
    MN_TRY(begin_script(script, kinds[kind].x, kinds[kind].y, data));
    return kinds[kind].script(script, c);
}

static mn_status draw(mn_chart *chart, int kind, const mn_comparison *c, mn_err *err)
{
    mn_buf script = {0};
    chart->name = kinds[kind].name;
    if (kinds[kind].data(&chart->data, c) != MN_OK) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    if (!chart->data.len) return MN_OK;
    mn_status status = put_script(&script, kind, c, &chart->data);
    if (status != MN_OK) mn_fail(err, status, "out of memory");
    if (status == MN_OK) status = mn_gnuplot_svg(&chart->svg, script.data, script.len, WIDTH, HEIGHT, err);
    mn_buf_free(&script);
    return status;
}

mn_status mn_charts_draw(mn_chart charts[MN_CHARTS], const mn_comparison *comparison, mn_err *err)
{
    memset(charts, 0, MN_CHARTS * sizeof *charts);
    for (int kind = 0; kind < MN_CHARTS; kind++) MN_TRY(draw(&charts[kind], kind, comparison, err));
    return MN_OK;
}

void mn_charts_free(mn_chart charts[MN_CHARTS])
{
    for (int kind = 0; kind < MN_CHARTS; kind++) {
        mn_buf_free(&charts[kind].data);
        mn_buf_free(&charts[kind].svg);
    }
}
