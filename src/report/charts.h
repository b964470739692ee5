/* The page's charts: numbers as TSV, drawn by gnuplot as SVG that goes into the page. */
#ifndef MN_CHARTS_H
#define MN_CHARTS_H

#include "report/gnuplot.h"
#include "report/results.h"

typedef enum mn_chart_kind { MN_CHART_RETURN, MN_CHART_NATS, MN_CHART_POSITION, MN_CHART_FRONTIER, MN_CHARTS } mn_chart_kind;

/* name: of the data file without .tsv. data: TSV with a line of headings; groups are numbered from 1 and set apart by two empty
 * lines (gnuplot's data sets). svg: inline markup whose colours are the CSS variables --axis, --muted, --grid and --s0 .. --s7.
 * Both empty where there is nothing to draw. */
typedef struct mn_chart {
    const char *name;
    mn_buf data, svg;
} mn_chart;

/* Computes and draws charts [MN_CHARTS]. Free them also after a failure. MN_ERR_IO: gnuplot is missing or failed (with its
 * first line); MN_ERR_MEMORY. One process of gnuplot a chart; the same bytes for the same numbers and gnuplot. */
MN_CHECKED mn_status mn_charts_draw(mn_chart charts[MN_CHARTS], const mn_comparison *comparison, mn_err *err);
void mn_charts_free(mn_chart charts[MN_CHARTS]);

#endif
