/* A tree for a terminal. */
#include <string.h>

#include "base/buf.h"
#include "report/tree_rows.h"

enum { OTHERS = sizeof "  others 0.50" - 1 };

/* Columns: characters of UTF-8. */
static size_t columns(const char *text)
{
    size_t n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

/* A symbol as it is shown: what would move the cursor, or not be seen, is written out. */
static mn_status put_symbol(mn_buf *buf, const mn_model *bct, int32_t id)
{
    const char *text = mn_model_piece(bct, id, NULL);
    if (!*text) return mn_buf_puts(buf, "''");
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7F)
            MN_TRY(mn_buf_printf(buf, "\\x%02X", c));
        else
            MN_TRY(c == ' ' ? mn_buf_puts(buf, "\xE2\x90\xA3") : mn_buf_put(buf, text, 1));
    }
    return MN_OK;
}

/* ---- labels: branches and a symbol --------------------------------------------------------------------------------- */

static mn_status put_branches(mn_buf *buf, const mn_tree_rows *rows, size_t row)
{
    const mn_tree_row *r = &rows->rows[row];
    if (r->depth > 1) {
        MN_TRY(put_branches(buf, rows, r->parent));
        buf->len -= strlen("\xE2\x94\x9C\xE2\x94\x80 "); /* the parent's own branch, which goes on or does not */
        MN_TRY(mn_buf_puts(buf, rows->rows[r->parent].last ? "   " : "\xE2\x94\x82  "));
    }
    return mn_buf_puts(buf, r->last ? "\xE2\x94\x94\xE2\x94\x80 " : "\xE2\x94\x9C\xE2\x94\x80 ");
}

static mn_status put_label(mn_buf *buf, const mn_tree_rows *rows, size_t row, const mn_model *bct)
{
    const mn_tree_row *r = &rows->rows[row];
    if (!r->depth) return mn_buf_puts(buf, "\xC2\xB7");
    MN_TRY(put_branches(buf, rows, row));
    if (r->leaves > 1) return mn_buf_printf(buf, "%zu others", r->leaves);
    return put_symbol(buf, bct, r->context[r->depth - 1]);
}

static mn_status make_label(mn_buf *label, const mn_tree_rows *rows, size_t row, const mn_model *bct)
{
    mn_buf_clear(label);
    return put_label(label, rows, row, bct);
}

/* ---- what comes next ----------------------------------------------------------------------------------------------- */

typedef struct drawer {
    mn_buf *out, label, word;
    const mn_tree_rows *rows;
    const mn_model *bct;
    double *p;    /* [A] */
    int32_t *ids; /* [A] */
    size_t width, label_columns;
} drawer;

/* The likeliest of the symbols that followed, as many as the line has room for, and what all others have. */
static mn_status put_predictions(drawer *d, const mn_tree_row *r, size_t used, mn_err *err)
{
    size_t A = mn_model_alphabet(d->bct), fit = d->width / 8, k = A < fit ? A : fit; /* "  a 0.50" */
    double rest = 1, never = .5 / ((double)r->n + .5 * (double)A);
    MN_TRY(mn_tree_predictions(d->p, d->bct, r->context, r->depth, err));
    mn_tree_likeliest(d->ids, k, d->p, A);
    for (size_t i = 0; i < k && d->p[d->ids[i]] > never; i++) {
        double p = d->p[d->ids[i]];
        mn_buf_clear(&d->word);
        MN_TRY(mn_buf_puts(&d->word, "  "));
        MN_TRY(put_symbol(&d->word, d->bct, d->ids[i]));
        MN_TRY(mn_buf_printf(&d->word, " %.2f", p));
        used += columns(d->word.data);
        if (i && used + OTHERS > d->width) break;
        MN_TRY(mn_buf_put(d->out, d->word.data, d->word.len));
        rest -= p;
    }
    return rest > never / 2 ? mn_buf_printf(d->out, "  others %.2f", rest) : MN_OK;
}

static mn_status put_row(drawer *d, size_t row, mn_err *err)
{
    const mn_tree_row *r = &d->rows->rows[row];
    MN_TRY(make_label(&d->label, d->rows, row, d->bct));
    MN_TRY(mn_buf_puts(d->out, d->label.data));
    if (r->leaves) {
        size_t at = columns(d->label.data), n = d->out->len;
        MN_TRY(mn_buf_printf(d->out, "%*s %10llu", at < d->label_columns ? (int)(d->label_columns - at) : 0, "",
                             (unsigned long long)r->n));
        at += d->out->len - n;
        MN_TRY(r->n ? put_predictions(d, r, at, err) : mn_buf_puts(d->out, "  never seen"));
    }
    return mn_buf_puts(d->out, "\n");
}

static mn_status draw(drawer *d, const mn_tree *tree, mn_err *err)
{
    for (size_t i = 0; i < d->rows->n; i++) {
        MN_TRY(make_label(&d->label, d->rows, i, d->bct));
        size_t n = columns(d->label.data);
        if (n > d->label_columns && n <= d->width / 2) d->label_columns = n;
    }
    for (size_t i = 0; i < d->rows->n; i++) MN_TRY(put_row(d, i, err));
    if (d->rows->leaves < tree->leaves)
        return mn_buf_printf(d->out, "... and %zu more leaves\n", tree->leaves - d->rows->leaves);
    return MN_OK;
}

mn_status mn_tree_text(char **out, const mn_tree *tree, const mn_model *bct, size_t width, size_t lines, mn_err *err)
{
    mn_buf buf = {0};
    mn_tree_rows rows;
    size_t A = mn_model_alphabet(bct);
    MN_TRY(mn_tree_rows_of(&rows, tree, bct, lines ? lines : 1, err));
    drawer d = {.out = &buf, .rows = &rows, .bct = bct, .width = width};
    d.p = mn_alloc(A, sizeof *d.p);
    d.ids = mn_alloc(A, sizeof *d.ids);
    mn_status status = d.p && d.ids ? draw(&d, tree, err) : MN_ERR_MEMORY;
    if (status == MN_ERR_MEMORY) status = mn_fail(err, MN_ERR_MEMORY, "out of memory");
    if (status == MN_OK)
        *out = buf.data;
    else
        mn_buf_free(&buf);
    mn_buf_free(&d.label);
    mn_buf_free(&d.word);
    free(d.p);
    free(d.ids);
    free(rows.rows);
    return status;
}
