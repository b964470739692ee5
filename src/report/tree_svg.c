/* A tree as a picture: branches from left to right, and beside each leaf a bar of what comes next. */
#include <math.h>

#include "base/file.h"
#include "report/html.h"
#include "report/tree_rows.h"

enum {
    MOST_ROWS = 1000,
    LEAST = 660, /* width that the heading needs */
    COLOURS = 8,
    MARGIN = 28,
    ROW = 26,   /* height of a leaf */
    TOP = 108,  /* where the first leaf is */
    COUNT = 72, /* width of a count */
    BAR = 320,
    LETTER = 8,  /* width of one */
    LONGEST = 24 /* letters that a name has room for */
};

static const char style[] =
    ":root{color-scheme:light "
    "dark;--paper:#fbfaf8;--ink:#1d1f24;--soft:#5c6370;--line:#b9bec7;--s0:#2563a8;--s1:#c8553d;--s2:#2f8f6b;"
    "--s3:#8a5fb0;--s4:#b7862b;--s5:#3d93b4;--s6:#a0486f;--s7:#667085}"
    "@media(prefers-color-scheme:dark){:root{--paper:#15171b;--ink:#e6e6e3;--soft:#a0a6b0;--line:#4a505a;--s0:#74aeea;--s1:#"
    "f0917a;"
    "--s2:#66c8a0;--s3:#bd9ae0;--s4:#dcb560;--s5:#80c9e6;--s6:#dc8fb2;--s7:#a6aebb}}"
    "svg{background:var(--paper)}text{font:13px system-ui,-apple-system,\"Segoe UI\",Roboto,sans-serif;fill:var(--ink);"
    "dominant-baseline:central}.h{font-size:16px;font-weight:600}.s{fill:var(--soft)}.n{text-anchor:end;"
    "font-variant-numeric:tabular-nums;fill:var(--soft)}.b{fill:var(--paper);text-anchor:middle;font-size:12px}.e{text-anchor:"
    "middle}.e,.l{paint-order:stroke;stroke:var(--paper);"
    "stroke-width:4}"
    "path{fill:none;stroke:var(--line);stroke-width:1.5}.d{stroke-dasharray:1 4;stroke-width:1}circle{fill:var(--ink)}"
    ".c0{fill:var(--s0)}.c1{fill:var(--s1)}.c2{fill:var(--s2)}.c3{fill:var(--s3)}.c4{fill:var(--s4)}.c5{fill:var(--s5)}"
    ".c6{fill:var(--s6)}.c7{fill:var(--s7)}";

typedef struct picture {
    mn_html html;
    const mn_tree *tree;
    const mn_model *bct;
    mn_tree_rows rows;
    double *y; /* [rows] */
    double *p; /* [A] */
    int32_t coloured[COLOURS];
    size_t n_coloured; /* symbols of a colour of their own; the others, where there are, share the last */
    size_t lines;      /* leaves drawn, one a line */
    double step, bar;  /* from depth to depth; where bars begin */
} picture;

static size_t letters_of(const picture *pic, int32_t id)
{
    size_t n = 0;
    for (const char *text = mn_model_piece(pic->bct, id, NULL); *text; text++) n += ((unsigned char)*text & 0xC0) != 0x80;
    return n < LONGEST ? n : LONGEST;
}

static void put_symbol(picture *pic, int32_t id)
{
    size_t len;
    const char *text = mn_model_piece(pic->bct, id, &len);
    mn_html_text(&pic->html, text, len);
}

static double key_width(const picture *pic, size_t colour)
{
    return 32 + LETTER * (double)letters_of(pic, pic->coloured[colour]);
}

static double x_of(const picture *pic, size_t depth)
{
    return MARGIN + pic->step * (double)depth;
}

/* ---- layout -------------------------------------------------------------------------------------------------------- */

/* Leaves one below the other; a branching half-way between its first and its last child. */
static void place(picture *pic)
{
    const mn_tree_rows *rows = &pic->rows;
    size_t deepest = 0, longest = 8;
    for (size_t i = 0; i < rows->n; i++) {
        size_t letters = rows->rows[i].depth ? letters_of(pic, rows->rows[i].context[rows->rows[i].depth - 1]) : 0;
        if (letters > longest) longest = letters;
        pic->y[i] = rows->rows[i].leaves ? TOP + ROW * (double)pic->lines++ : NAN;
        if (rows->rows[i].depth > deepest) deepest = rows->rows[i].depth;
    }
    for (size_t i = rows->n; i-- > 1;) { /* a cut tree may have a branching without children: it stands at the end */
        if (isnan(pic->y[i])) pic->y[i] = TOP + ROW * (double)pic->lines;
        double *above = &pic->y[rows->rows[i].parent];
        if (isnan(*above) || rows->rows[i].last) *above = pic->y[i];
    }
    for (size_t i = rows->n; i-- > 1;) { /* first children come last here */
        const mn_tree_row *r = &rows->rows[i];
        if (i == r->parent + 1) pic->y[r->parent] = (pic->y[r->parent] + pic->y[i]) / 2;
    }
    double width = LETTER * (double)longest;
    pic->step = deepest > 6 ? fmax(12, 6 * width / (double)deepest) : width;
    pic->bar = x_of(pic, deepest) + width + COUNT;
}

/* The symbols most likely at the root have the colours. */
static mn_status choose_colours(picture *pic, mn_err *err)
{
    size_t A = mn_model_alphabet(pic->bct);
    pic->n_coloured = A <= COLOURS ? A : COLOURS - 1;
    MN_TRY(mn_tree_predictions(pic->p, pic->bct, NULL, 0, err));
    mn_tree_likeliest(pic->coloured, pic->n_coloured, pic->p, A);
    return MN_OK;
}

/* ---- drawing ------------------------------------------------------------------------------------------------------- */

static void put_heading(picture *pic)
{
    mn_html *h = &pic->html;
    double at = MARGIN, posterior = exp(pic->tree->log_posterior);
    mn_html_rawf(h, "<text class=\"h\" x=\"%d\" y=\"28\">Context tree, posterior ", MARGIN);
    if (posterior < .0001) mn_html_raw(h, "below ");
    mn_html_num(h, fmax(posterior, .0001), 4);
    mn_html_rawf(h, "</text><text class=\"s\" x=\"%d\" y=\"50\">", MARGIN);
    mn_html_count(h, (double)mn_bct_symbols(pic->bct));
    mn_html_rawf(h, " symbols of %zu, depth %zu; most recent symbol first; how often seen, and what comes next</text>",
                 mn_model_alphabet(pic->bct), mn_bct_depth(pic->bct));
    for (size_t i = 0; i < pic->n_coloured; i++) {
        mn_html_rawf(h, "<circle class=\"c%zu\" cx=\"%.0f\" cy=\"74\" r=\"5\"/><text x=\"%.0f\" y=\"74\">", i, at + 5, at + 15);
        put_symbol(pic, pic->coloured[i]);
        mn_html_raw(h, "</text>");
        at += key_width(pic, i);
    }
    if (pic->n_coloured < mn_model_alphabet(pic->bct))
        mn_html_rawf(h, "<circle class=\"c%d\" cx=\"%.0f\" cy=\"74\" r=\"5\"/><text x=\"%.0f\" y=\"74\">others</text>",
                     COLOURS - 1, at + 5, at + 15);
}

static void put_segment(picture *pic, double *at, double y, double p, size_t colour, int32_t symbol)
{
    mn_html *h = &pic->html;
    double width = BAR * p;
    mn_html_rawf(h, "<rect class=\"c%zu\" x=\"", colour);
    mn_html_num(h, *at, 1);
    mn_html_rawf(h, "\" y=\"%.0f\" width=\"", y - 9);
    mn_html_num(h, fmax(width - 1, .5), 1);
    mn_html_raw(h, "\" height=\"18\" rx=\"2\"><title>");
    if (symbol >= 0)
        put_symbol(pic, symbol);
    else
        mn_html_raw(h, "others");
    mn_html_raw(h, " ");
    mn_html_num(h, p, 4);
    mn_html_raw(h, "</title></rect>");
    if (symbol >= 0 && width > LETTER * (double)letters_of(pic, symbol) + 4) {
        mn_html_raw(h, "<text class=\"b\" x=\"");
        mn_html_num(h, *at + width / 2, 1);
        mn_html_rawf(h, "\" y=\"%.0f\">", y);
        put_symbol(pic, symbol);
        mn_html_raw(h, "</text>");
    }
    *at += width;
}

static mn_status put_bar(picture *pic, const mn_tree_row *r, double y, mn_err *err)
{
    double at = pic->bar, rest = 1;
    MN_TRY(mn_tree_predictions(pic->p, pic->bct, r->context, r->depth, err));
    for (size_t i = 0; i < pic->n_coloured; i++) {
        double p = pic->p[pic->coloured[i]];
        put_segment(pic, &at, y, p, i, pic->coloured[i]);
        rest -= p;
    }
    if (pic->n_coloured < mn_model_alphabet(pic->bct)) put_segment(pic, &at, y, fmax(rest, 0), COLOURS - 1, -1);
    return MN_OK;
}

static void put_branch(picture *pic, size_t row)
{
    const mn_tree_row *r = &pic->rows.rows[row];
    double y = pic->y[row], above = pic->y[r->parent], x = x_of(pic, r->depth), middle = x - pic->step / 2;
    if (r->depth)
        mn_html_rawf(&pic->html, "<path d=\"M%.0f %.0fC%.0f %.0f %.0f %.0f %.0f %.0f\"/>", x_of(pic, r->depth - 1), above,
                     middle, above, middle, y, x, y);
    if (r->leaves) mn_html_rawf(&pic->html, "<path class=\"d\" d=\"M%.0f %.0fH%.0f\"/>", x, y, pic->bar);
}

static mn_status put_node(picture *pic, size_t row, mn_err *err)
{
    const mn_tree_row *r = &pic->rows.rows[row];
    mn_html *h = &pic->html;
    double y = pic->y[row], x = x_of(pic, r->depth);
    mn_html_rawf(h, "<circle cx=\"%.0f\" cy=\"%.0f\" r=\"3\"/>", x, y);
    if (r->leaves > 1)
        mn_html_rawf(h, "<text class=\"l\" x=\"%.0f\" y=\"%.0f\">%zu others", x + 8, y, r->leaves);
    else if (r->depth) {
        mn_html_rawf(h, "<text class=\"%s\" x=\"%.0f\" y=\"%.0f\">", r->leaves ? "l" : "e", r->leaves ? x + 8 : x,
                     r->leaves ? y : y - 11);
        put_symbol(pic, r->context[r->depth - 1]);
    }
    if (r->depth || r->leaves > 1) mn_html_raw(h, "</text>");
    if (!r->leaves) return MN_OK;
    mn_html_rawf(h, "<text class=\"n\" x=\"%.0f\" y=\"%.0f\">", pic->bar - 8, y);
    mn_html_count(h, (double)r->n);
    mn_html_raw(h, "</text>");
    if (r->n) return put_bar(pic, r, y, err);
    mn_html_rawf(h, "<text class=\"s\" x=\"%.0f\" y=\"%.0f\">never seen</text>", pic->bar + 2, y);
    return MN_OK;
}

static double width_of(const picture *pic)
{
    double keys = 2 * MARGIN + LETTER * 8; /* "others" */
    for (size_t i = 0; i < pic->n_coloured; i++) keys += key_width(pic, i);
    return fmax(fmax(pic->bar + BAR + MARGIN, LEAST), keys);
}

static mn_status put_all(picture *pic, mn_err *err)
{
    mn_html *h = &pic->html;
    size_t more = pic->tree->leaves - pic->rows.leaves;
    double width = width_of(pic), end = TOP + ROW * (double)pic->lines;
    double height = end + (more ? ROW : 0);
    mn_html_rawf(h,
                 "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\"><style>",
                 width, height, width, height);
    mn_html_raw(h, style);
    mn_html_raw(h, "</style>");
    put_heading(pic);
    for (size_t i = 0; i < pic->rows.n; i++) put_branch(pic, i);
    for (size_t i = 0; i < pic->rows.n; i++) MN_TRY(put_node(pic, i, err));
    if (more) mn_html_rawf(h, "<text class=\"s\" x=\"%d\" y=\"%.0f\">and %zu more leaves</text>", MARGIN, end, more);
    mn_html_raw(h, "</svg>\n");
    return h->status == MN_OK ? MN_OK : mn_fail(err, MN_ERR_MEMORY, "out of memory");
}

static mn_status draw(picture *pic, const char *path, mn_err *err)
{
    MN_ALLOC_OR_FAIL(pic->y, pic->rows.n, err);
    MN_ALLOC_OR_FAIL(pic->p, mn_model_alphabet(pic->bct), err);
    place(pic);
    MN_TRY(choose_colours(pic, err));
    MN_TRY(put_all(pic, err));
    return mn_file_write_atomic(path, pic->html.buf.data, pic->html.buf.len, err);
}

mn_status mn_tree_svg(const char *path, const mn_tree *tree, const mn_model *bct, mn_err *err)
{
    picture pic = {.tree = tree, .bct = bct};
    MN_TRY(mn_tree_rows_of(&pic.rows, tree, bct, MOST_ROWS, err));
    mn_status status = draw(&pic, path, err);
    free(pic.rows.rows);
    free(pic.y);
    free(pic.p);
    mn_buf_free(&pic.html.buf);
    return status;
}
