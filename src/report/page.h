/* The page: everything a reader sees, in one file. */
#ifndef MN_PAGE_H
#define MN_PAGE_H

#include <limits.h>

#include "report/charts.h"
#include "report/html.h"

/* Style and script of the page. */
extern const char mn_page_style[], mn_page_script[];

/* The beginning of a page, up to its headline; kicker: what kind of page, in our words; title: markup. */
void mn_page_begin(mn_html *html, const char *kicker, const char *title);
/* The same with a title that was put together; it is freed, and a failure of it becomes the page's. */
void mn_page_begin_with(mn_html *html, const char *kicker, mn_html *title);
/* What a reader should know before believing the numbers: a list, or nothing. runs: [n]. */
void mn_notes_put(mn_html *html, const mn_comparison *comparison, const mn_result *runs, size_t n);
/* The whole page; runs: [n]; data: where the charts' numbers lie, as the reader of the page would write it. */
void mn_page_put(mn_html *html, const mn_comparison *comparison, const mn_result *runs, size_t n,
                 const mn_chart charts[MN_CHARTS], const char *data);

/* The folder for a page's data: its path without its ending, and "-data". MN_ERR_IO: too long. */
MN_CHECKED mn_status mn_page_folder(char out[PATH_MAX], const char *page, mn_err *err);
/* Writes data as name.tsv into the folder, which is made where it is not there. MN_ERR_IO. */
MN_CHECKED mn_status mn_page_data(const char *folder, const char *name, const mn_buf *data, mn_err *err);

#endif
