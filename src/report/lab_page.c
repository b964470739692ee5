/* The laboratory's page: every claim, its formula, its figures and margins, and the command that made them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "report/page.h"

enum { WIDTH = 560, HEIGHT = 330, MOST_ROWS = 24 };

/* ---- data ------------------------------------------------------------------------------------------------------ */

/* NAN: an empty cell. */
static mn_status put_number(mn_buf *buf, double x)
{
    return isnan(x) ? MN_OK : mn_gnuplot_number(buf, x);
}

static mn_status put_table(mn_buf *data, const mn_lab *lab)
{
    MN_TRY(mn_buf_puts(data, lab->heading));
    for (size_t c = 0; c < lab->columns; c++) MN_TRY(mn_buf_printf(data, "\t%s", lab->headings[c]));
    for (size_t r = 0; r < lab->rows; r++) {
        MN_TRY(mn_buf_printf(data, "\n%s", lab->row[r].label));
        for (size_t c = 0; c < lab->columns; c++) {
            MN_TRY(mn_buf_puts(data, "\t"));
            MN_TRY(put_number(data, lab->row[r].values[c]));
        }
    }
    return mn_buf_puts(data, "\n");
}

/* ---- charts ---------------------------------------------------------------------------------------------------- */

static size_t group_length(const mn_lab *lab, size_t r)
{
    const char *colon = strstr(lab->row[r].label, ": ");
    return colon ? (size_t)(colon - lab->row[r].label) : strlen(lab->row[r].label);
}

static bool same_group(const mn_lab *lab, size_t r, size_t q)
{
    size_t len = group_length(lab, r);
    return len == group_length(lab, q) && memcmp(lab->row[r].label, lab->row[q].label, len) == 0;
}

/* The first rows of the groups: first: [MN_SERIES]. Those beyond that have no line. */
static size_t find_groups(size_t *first, const mn_lab *lab)
{
    size_t n = 0;
    for (size_t r = 0; r < lab->rows; r++) {
        size_t i = 0;
        while (i < n && !same_group(lab, first[i], r)) i++;
        if (i == n && n < MN_SERIES) first[n++] = r;
    }
    return n;
}

static bool can_be_drawn(const mn_lab *lab, double x, double y)
{
    return isfinite(x) && isfinite(y) && (!lab->log_x || x > 0) && (!lab->log_y || y > 0);
}

/* Blocks of data, one for each group and line, and what plots them. */
static mn_status put_lines(mn_buf *script, const mn_lab *lab, const size_t *first, size_t groups)
{
    mn_buf plots = {0};
    mn_status status = MN_OK;
    for (size_t i = 0; i < groups * lab->n_lines && status == MN_OK; i++) {
        size_t y = lab->lines[i % lab->n_lines], points = 0;
        status = mn_buf_printf(script, "$d%zu << EOD\n", i);
        for (size_t r = 0; r < lab->rows && status == MN_OK; r++) {
            const double *v = lab->row[r].values;
            if (!same_group(lab, first[i / lab->n_lines], r) || !can_be_drawn(lab, v[lab->x], v[y])) continue;
            points++;
            status = put_number(script, v[lab->x]);
            if (status == MN_OK) status = mn_buf_puts(script, "\t");
            if (status == MN_OK) status = put_number(script, v[y]);
            if (status == MN_OK) status = mn_buf_puts(script, "\n");
        }
        if (status == MN_OK) status = mn_buf_puts(script, "EOD\n");
        if (status == MN_OK && points)
            status = mn_buf_printf(&plots, "%s$d%zu with %s lw 2%s pt 7 ps .45 lc rgb \"#%06x\"", plots.len ? ", " : "plot ", i,
                                   lab->dots ? "points" : "linespoints", i % lab->n_lines ? " dt (6,4)" : "",
                                   mn_gnuplot_colour(i / lab->n_lines));
    }
    if (status == MN_OK) status = mn_buf_printf(script, "%s\n", plots.len ? plots.data : "");
    mn_buf_free(&plots);
    return status;
}

static mn_status put_script(mn_buf *s, const mn_lab *lab, const size_t *first, size_t groups)
{
    MN_TRY(mn_gnuplot_begin(s, WIDTH, HEIGHT, lab->x_title, lab->y_title));
    MN_TRY(mn_buf_printf(s, "set offsets 0, 0, graph .04, graph .04\n%s%s",
                         lab->log_x ? "set logscale x\nset format x '%g'\n" : "",
                         lab->log_y ? "set logscale y\nset format y '%g'\n" : ""));
    return put_lines(s, lab, first, groups);
}

static mn_status draw(mn_buf *svg, const mn_lab *lab, const size_t *first, size_t groups, mn_err *err)
{
    mn_buf script = {0};
    mn_status status = put_script(&script, lab, first, groups);
    if (status != MN_OK)
        (void)mn_fail(err, status, "out of memory");
    else
        status = mn_gnuplot_svg(svg, script.data, script.len, WIDTH, HEIGHT, err);
    mn_buf_free(&script);
    return status;
}

/* ---- the page -------------------------------------------------------------------------------------------------- */

/* Six digits, as short as they are. */
static void put_value(mn_html *html, double x, int digits)
{
    char text[32];
    if (isnan(x)) return;
    if (!isfinite(x)) {
        mn_html_num(html, x, 0);
        return;
    }
    snprintf(text, sizeof text, "%.*g", digits, x);
    for (const char *c = text; *c; c++) mn_html_raw(html, *c == '-' ? "\xE2\x88\x92" : (char[]){*c, 0});
}

static void put_checks(mn_html *html, const mn_lab *lab)
{
    mn_html_raw(html, "<div class=scroll><table class=narrow>\n<thead><tr><th>Checked</th><th>Value</th><th></th><th>Limit</th>"
                      "<th>Margin</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < lab->checks; i++) {
        const mn_lab_check *c = &lab->check[i];
        bool most = c->relation == MN_LAB_AT_MOST;
        mn_html_raw(html,
                    c->holds ? "<tr><td class=words>" : "<tr class=grave><td class=words>");
        mn_html_word(html, c->what);
        mn_html_raw(html, "</td><td>");
        put_value(html, c->value, 6);
        mn_html_raw(html, most ? "</td><td>\xE2\x89\xA4</td><td>" : "</td><td>\xE2\x89\xA5</td><td>");
        put_value(html, c->limit, 6);
        mn_html_raw(html, "</td><td>");
        if (isfinite(c->limit) && isfinite(c->value)) put_value(html, most ? c->limit - c->value : c->value - c->limit, 3);
        mn_html_raw(html, "</td></tr>\n");
    }
    mn_html_raw(html, "</tbody></table></div>\n");
}

static void put_rows(mn_html *html, const mn_lab *lab)
{
    bool folded = lab->rows > MOST_ROWS;
    if (folded) mn_html_rawf(html, "<details><summary>All %zu rows</summary>\n", lab->rows);
    mn_html_raw(html, "<div class=scroll><table>\n<thead><tr><th>");
    mn_html_word(html, lab->heading);
    for (size_t c = 0; c < lab->columns; c++) {
        mn_html_raw(html, "</th><th>");
        mn_html_word(html, lab->headings[c]);
    }
    mn_html_raw(html, "</th></tr></thead>\n<tbody>\n");
    for (size_t r = 0; r < lab->rows; r++) {
        mn_html_raw(html, "<tr><td>");
        mn_html_word(html, lab->row[r].label);
        for (size_t c = 0; c < lab->columns; c++) {
            mn_html_raw(html, "</td><td>");
            put_value(html, lab->row[r].values[c], 6);
        }
        mn_html_raw(html, "</td></tr>\n");
    }
    mn_html_raw(html, "</tbody></table></div>\n");
    if (folded) mn_html_raw(html, "</details>\n");
}

static void put_figure(mn_html *html, const mn_lab *lab, const mn_buf *svg, const size_t *first, size_t groups)
{
    mn_html_rawf(html, "<figure id=chart-%s>\n", lab->kind->name);
    mn_html_raw(html, svg->data);
    mn_html_raw(html, "<figcaption><ul class=keys>");
    for (size_t i = 0; i < groups; i++) {
        mn_html_rawf(html, "<li><span class=dot style=\"background:var(--s%zu)\"></span>", i);
        mn_html_text(html, lab->row[first[i]].label, group_length(lab, first[i]));
        mn_html_raw(html, "</li>");
    }
    mn_html_raw(html, "</ul>");
    if (lab->n_lines == 2) {
        mn_html_raw(html, "<p>Solid: ");
        mn_html_word(html, lab->headings[lab->lines[0]]);
        mn_html_raw(html, "; dashed: ");
        mn_html_word(html, lab->headings[lab->lines[1]]);
        mn_html_raw(html, ".</p>");
    }
    mn_html_raw(html, "</figcaption></figure>\n");
}

static void put_experiment(mn_html *html, const mn_lab *lab, const mn_buf *svg, const size_t *first, size_t groups)
{
    mn_html_rawf(html, "<section id=%s><h2>", lab->kind->name);
    mn_html_word(html, lab->kind->title);
    mn_html_raw(html,
                lab->holds ? ": holds</h2>\n<p class=lead>" : ": <span class=grave>does not hold</span></h2>\n<p class=lead>");
    mn_html_word(html, lab->kind->claim);
    mn_html_raw(html, "</p>\n<p class=scroll><code>");
    mn_html_word(html, lab->kind->formula);
    mn_html_raw(html, "</code></p>\n");
    put_figure(html, lab, svg, first, groups);
    mn_html_raw(html, "<p>");
    mn_html_word(html, lab->finding);
    mn_html_raw(html, "</p>\n");
    put_checks(html, lab);
    put_rows(html, lab);
    mn_html_rawf(html, "<p class=note><code>mightnt lab %s", lab->kind->name);
    mn_html_word(html, lab->set);
    mn_html_raw(html, "</code></p></section>\n");
}

static void put_head(mn_html *html, const mn_lab *const *labs, size_t n)
{
    size_t held = 0;
    for (size_t i = 0; i < n; i++) held += labs[i]->holds;
    mn_page_begin(html, "the laboratory", "The paper in numbers");
    mn_html_raw(
        html,
        "<p class=lead>The statements of Cohen, Hutter, Bengio and Russell, \xE2\x80\x9CRL, But Don\xE2\x80\x99t Do Anything I "
        "Wouldn\xE2\x80\x99t "
        "Do\xE2\x80\x9D (arXiv 2410.06213), each computed in a class of all short programs, where it can fail. ");
    mn_html_rawf(html, "<b>%zu of %zu</b> hold.</p>\n<ul class=keys>", held, n);
    for (size_t i = 0; i < n; i++) {
        mn_html_rawf(html, "<li><a href=\"#%s\">", labs[i]->kind->name);
        mn_html_word(html, labs[i]->kind->title);
        mn_html_raw(html, "</a></li>");
    }
    mn_html_raw(html, "</ul>\n");
}

static mn_status put_one(mn_html *html, const mn_lab *lab, const char *folder, mn_err *err)
{
    mn_buf data = {0}, svg = {0};
    size_t first[MN_SERIES], groups = find_groups(first, lab);
    mn_status status = draw(&svg, lab, first, groups, err);
    if (status == MN_OK && put_table(&data, lab) != MN_OK) status = mn_fail(err, MN_ERR_MEMORY, "out of memory");
    if (status == MN_OK) status = mn_page_data(folder, lab->kind->name, &data, err);
    if (status == MN_OK) put_experiment(html, lab, &svg, first, groups);
    mn_buf_free(&data);
    mn_buf_free(&svg);
    return status;
}

mn_status mn_lab_page(const char *path, const mn_lab *const *labs, size_t n, mn_err *err)
{
    char folder[PATH_MAX];
    mn_html html = {0};
    MN_TRY(mn_page_folder(folder, path, err));
    put_head(&html, labs, n);
    mn_status status = MN_OK;
    for (size_t i = 0; status == MN_OK && i < n; i++) status = put_one(&html, labs[i], folder, err);
    mn_html_raw(&html, "<footer class=note>The tables lie beside this page as TSV. What is exact and what is not: "
                       "docs/theory.md.</footer>\n</main>\n</body>\n</html>\n");
    if (status == MN_OK && html.status != MN_OK) status = mn_fail(err, html.status, "out of memory");
    if (status == MN_OK) status = mn_file_write_atomic(path, html.buf.data, html.buf.len, err);
    mn_buf_free(&html.buf);
    return status;
}
