/* gnuplot as a child process: a script in, SVG for inlining out. */
#ifndef MN_GNUPLOT_H
#define MN_GNUPLOT_H

#include "base/buf.h"

/* Runs gnuplot, found on PATH, without anybody's settings, on a script [len] that draws one SVG on its standard output; appends
 * the drawing to svg as one <svg> element of width x height units: no namespaces, ids, titles or definitions (points are <use>
 * of #gpPt6), and each colour "#0000nn" of the script as variable names[nn - 1]. MN_ERR_IO: gnuplot is missing or failed. */
MN_CHECKED mn_status mn_gnuplot_svg(mn_buf *svg, const char *script, size_t len, int width, int height,
                                    const char *const *names, size_t n_names, mn_err *err);

#endif
