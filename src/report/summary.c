/* What a run amounts to, for a program that wants to say it in words. */
#include <string.h>

#include "report/results.h"

/* The lines of an episode, "Teacher: ..." each, as they were said. */
static mn_status write_lines(mn_buf *out, const mn_episode *e, const char *const roles[2])
{
    bool begins = true;
    MN_TRY(mn_buf_puts(out, ""));
    for (size_t t = 0; t < e->T; t++) {
        const char *piece = e->text.data + e->at[t];
        size_t len = e->at[t + 1] - e->at[t], keep = len;
        const char *newline = memchr(piece, '\n', len);
        if (newline) keep = (size_t)(newline - piece);
        if (begins) MN_TRY(mn_buf_printf(out, "%s%s:", out->len ? "\n" : "", roles[e->speaker[t]]));
        begins = newline || (t + 1 < e->T && e->speaker[t + 1] != e->speaker[t]);
        MN_TRY(mn_buf_put(out, piece, keep));
    }
    return MN_OK;
}

static mn_status fill(mn_summary *out, const mn_result *run, mn_err *err)
{
    mn_comparison c;
    mn_buf lines[2] = {{0}, {0}};
    mn_status status = mn_compare(&c, run, 1, err);
    if (status == MN_OK) {
        const mn_group *g = &c.groups[0];
        *out = (mn_summary){.steps = run->n - 1,
                            .before = g->before.mean,
                            .before_se = g->before.error,
                            .after = g->after.mean,
                            .after_se = g->after.error,
                            .nats = g->nats.mean,
                            .most_nats = g->most_nats,
                            .budget_nats = g->budget_nats,
                            .tokens_per_s = g->tokens_per_s};
        for (int i = 0; i < 2 && status == MN_OK; i++)
            if (run->n_shown[i]) status = write_lines(&lines[i], &run->shown[i][0], run->roles);
        if (status != MN_OK) (void)mn_fail(err, status, "out of memory");
        out->lines_before = lines[0].data;
        out->lines_after = lines[1].data;
    }
    mn_comparison_free(&c);
    if (status != MN_OK) mn_summary_free(out);
    return status;
}

mn_status mn_summarise(mn_summary *out, const char *dir, mn_err *err)
{
    mn_result run;
    *out = (mn_summary){0};
    mn_status status = mn_result_open(&run, dir, err);
    if (status == MN_OK) status = fill(out, &run, err);
    mn_result_free(&run);
    return status;
}

void mn_summary_free(mn_summary *summary)
{
    free(summary->lines_before);
    free(summary->lines_after);
    *summary = (mn_summary){0};
}
