/* The page: everything a reader sees, in one file. */
#ifndef MN_PAGE_H
#define MN_PAGE_H

#include "report/charts.h"
#include "report/html.h"

/* Style and script of the page. */
extern const char mn_page_style[], mn_page_script[];

/* What a reader should know before believing the numbers: a list, or nothing. runs: [n]. */
void mn_notes_put(mn_html *html, const mn_comparison *comparison, const mn_result *runs, size_t n);
/* The whole page; runs: [n]; data: where the charts' numbers lie, as the reader of the page would write it. */
void mn_page_put(mn_html *html, const mn_comparison *comparison, const mn_result *runs, size_t n,
                 const mn_chart charts[MN_CHARTS], const char *data);

#endif
