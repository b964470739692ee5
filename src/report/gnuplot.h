/* gnuplot as a child process: a script in, SVG for inlining out. */
#ifndef MN_GNUPLOT_H
#define MN_GNUPLOT_H

#include "base/buf.h"

enum { MN_SERIES = 8 }; /* colours; series i has colour i modulo this */

/* Colours as scripts write them; on the page they are the variables --axis, --muted, --grid and --s0 .. --s7. */
#define MN_GNUPLOT_AXIS "\"#000001\""
#define MN_GNUPLOT_MUTED "\"#000002\""
#define MN_GNUPLOT_GRID "\"#000003\""
/* Of a series, for "#%06x". */
static inline unsigned mn_gnuplot_colour(size_t series)
{
    return 4 + (unsigned)(series % MN_SERIES);
}

/* A number as every reader of scripts and TSV takes it, whatever the locale. */
MN_CHECKED mn_status mn_gnuplot_number(mn_buf *buf, double x);
/* The beginning of a script: the drawing's size, its axes and what they are called. */
MN_CHECKED mn_status mn_gnuplot_begin(mn_buf *script, int width, int height, const char *x, const char *y);

/* Runs gnuplot, found on PATH, without anybody's settings, on a script [len] that draws one SVG on its standard output; appends
 * the drawing to svg as one <svg> element of width x height units: no namespaces, ids, titles or definitions (points are <use>
 * of #gpPt6), its colours as variables. MN_ERR_IO: gnuplot is missing or failed. */
MN_CHECKED mn_status mn_gnuplot_svg(mn_buf *svg, const char *script, size_t len, int width, int height, mn_err *err);

#endif
