/* What `mightnt imitate --json` says. */
#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"

/* One character, of one byte or of UTF-8. */
static bool single(const char *text)
{
    size_t n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xC0) != 0x80;
    return n == 1;
}

static bool all_single(const mn_model *bct)
{
    for (size_t a = 0; a < mn_model_alphabet(bct); a++)
        if (!single(mn_model_piece(bct, (int32_t)a, NULL))) return false;
    return true;
}

static mn_status put_alphabet(mn_buf *buf, const mn_model *bct)
{
    MN_TRY(mn_buf_puts(buf, "["));
    for (size_t a = 0; a < mn_model_alphabet(bct); a++) {
        size_t len;
        const char *text = mn_model_piece(bct, (int32_t)a, &len);
        if (a) MN_TRY(mn_buf_puts(buf, ", "));
        MN_TRY(mn_json_str(buf, text, len));
    }
    return mn_buf_puts(buf, "]");
}

static mn_status put_context(mn_buf *buf, mn_buf *word, const mn_model *bct, const int32_t *context, size_t length, bool apart)
{
    mn_buf_clear(word);
    MN_TRY(mn_buf_reserve(word, 0));
    for (size_t d = 0; d < length; d++) {
        size_t len;
        const char *text = mn_model_piece(bct, context[d], &len);
        if (d && apart) MN_TRY(mn_buf_puts(word, " "));
        MN_TRY(mn_buf_put(word, text, len));
    }
    return mn_json_str(buf, word->data, word->len);
}

static mn_status put_leaves(mn_buf *buf, const mn_model *bct, const mn_tree *tree, bool apart)
{
    const int32_t *context = tree->contexts;
    mn_buf word = {0};
    mn_status status = mn_buf_puts(buf, "[");
    for (size_t i = 0; status == MN_OK && i < tree->leaves; context += tree->lengths[i++]) {
        if (i) status = mn_buf_puts(buf, ", ");
        if (status == MN_OK) status = put_context(buf, &word, bct, context, tree->lengths[i], apart);
    }
    mn_buf_free(&word);
    return status == MN_OK ? mn_buf_puts(buf, "]") : status;
}

static mn_status put_number(mn_buf *buf, const char *key, double x)
{
    MN_TRY(mn_buf_printf(buf, ", \"%s\": ", key));
    return mn_json_num(buf, x);
}

static mn_status put_parameters(mn_buf *buf, const mn_tree *tree, size_t A)
{
    MN_TRY(mn_buf_puts(buf, ", \"parameters\": ["));
    for (size_t i = 0; i < tree->leaves; i++) {
        if (i) MN_TRY(mn_buf_puts(buf, ", "));
        MN_TRY(mn_json_nums(buf, tree->parameters + i * A, A));
    }
    return mn_buf_puts(buf, "]");
}

static mn_status put_tree(mn_buf *buf, const mn_model *bct, const mn_tree *tree, bool apart)
{
    MN_TRY(mn_buf_puts(buf, "{\"leaves\": "));
    MN_TRY(put_leaves(buf, bct, tree, apart));
    MN_TRY(put_number(buf, "posterior", exp(tree->log_posterior)));
    MN_TRY(put_number(buf, "prior", exp(tree->log_prior)));
    MN_TRY(put_number(buf, "log_likelihood_nats", tree->log_likelihood_nats));
    MN_TRY(put_number(buf, "bic", tree->bic));
    MN_TRY(put_number(buf, "aic", tree->aic));
    if (tree->parameters) MN_TRY(put_parameters(buf, tree, mn_model_alphabet(bct)));
    return mn_buf_puts(buf, "}");
}

static mn_status put_trees(mn_buf *buf, const char *key, const mn_model *bct, const mn_tree *trees, size_t n)
{
    bool apart = !all_single(bct);
    MN_TRY(mn_buf_printf(buf, ", \"%s\": [", key));
    for (size_t i = 0; i < n; i++) {
        if (i) MN_TRY(mn_buf_puts(buf, ", "));
        MN_TRY(put_tree(buf, bct, &trees[i], apart));
    }
    return mn_buf_puts(buf, "]");
}

static mn_status put_all(mn_buf *buf, const mn_model *bct, const mn_tree *trees, size_t n, const mn_tree *samples,
                         size_t n_samples)
{
    MN_TRY(mn_buf_printf(buf, "{\"symbols\": %llu, \"alphabet\": ", (unsigned long long)mn_bct_symbols(bct)));
    MN_TRY(put_alphabet(buf, bct));
    MN_TRY(mn_buf_printf(buf, ", \"depth\": %zu", mn_bct_depth(bct)));
    MN_TRY(put_number(buf, "log_evidence_nats", mn_bct_log_evidence(bct)));
    MN_TRY(put_trees(buf, "trees", bct, trees, n));
    if (n_samples) MN_TRY(put_trees(buf, "samples", bct, samples, n_samples));
    return mn_buf_puts(buf, "}");
}

mn_status mn_trees_json(char **out, const mn_model *bct, const mn_tree *trees, size_t n, const mn_tree *samples,
                        size_t n_samples, mn_err *err)
{
    mn_buf buf = {0};
    mn_status status = put_all(&buf, bct, trees, n, samples, n_samples);
    if (status == MN_OK) {
        *out = buf.data;
        return MN_OK;
    }
    mn_buf_free(&buf);
    if (status == MN_ERR_NUM) return mn_fail(err, MN_ERR_NUM, "a figure of a tree is not a number");
    return mn_fail(err, MN_ERR_MEMORY, "out of memory");
}
