#include "report/transcript.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Class q1 begins at the first of these, and so on; below it a token is not coloured. */
static const double bounds[] = {.01, .03, .1, .3, 1, 3};
static const char *const words[] = {".01", ".03", ".1", ".3", "1", "3"};
enum { CLASSES = sizeof bounds / sizeof *bounds };

void mn_transcript_legend(mn_html *html)
{
    mn_html_raw(html, "<p class=legend>Nats charged for a token, from");
    for (size_t i = 0; i < CLASSES; i++) mn_html_rawf(html, " <span class=q%zu>%s</span>", i + 1, words[i]);
    mn_html_raw(html, " <span class=hint>Point at a token, or tap it, for its numbers.</span></p>\n");
}

int mn_transcript_class(double nats)
{
    int class = 0;
    while (class < CLASSES && nats >= bounds[class]) class++;
    return class;
}

/* ---- a token ---------------------------------------------------------------------------------------------------- */

/* The part of the piece that the conversation keeps: up to its first newline; at the beginning of a turn without spaces. */
static void put_piece(mn_html *html, const char *piece, size_t len, bool first)
{
    const char *newline = memchr(piece, '\n', len);
    size_t keep = newline ? (size_t)(newline - piece) : len;
    for (; first && keep && *piece == ' '; keep--) piece++;
    mn_html_text(html, piece, keep);
    if (newline)
        mn_html_raw(html, "<b>\xE2\x81\xA0\xE2\x86\xB5</b>");
    else if (!len)
        mn_html_raw(html, "<b>\xE2\x81\xA0\xE2\x88\x8E</b>"); /* the end of generation has no text */
}

static void put_number(mn_html *html, const char *name, double x)
{
    mn_html_rawf(html, "%s ", name);
    mn_html_num(html, x, 4);
}

static void put_token(mn_html *html, const mn_episode *e, size_t t, bool first)
{
    const char *piece = e->text.data + e->at[t];
    size_t len = e->at[t + 1] - e->at[t];
    if (e->speaker[t] != 0) {
        put_piece(html, piece, len, first);
        return;
    }
    int class = mn_transcript_class(e->nats[t]);
    mn_html_raw(html, "<span ");
    if (class) mn_html_rawf(html, "class=q%d ", class);
    mn_html_raw(html, "title=\"");
    put_number(html, "lp_policy", e->lp_policy[t]);
    put_number(html, "  lp_base", e->lp_base[t]);
    put_number(html, "  nats", e->nats[t]);
    mn_html_raw(html, "\">");
    put_piece(html, piece, len, first);
    mn_html_raw(html, "</span>");
}

/* ---- an episode ------------------------------------------------------------------------------------------------- */

static void put_reward(mn_html *html, const mn_episode *e, size_t t)
{
    for (size_t i = 0; i < e->n_rewards; i++) {
        if (e->rewards[i].t != t) continue;
        mn_html_raw(html, " <span class=reward>reward ");
        mn_html_num(html, e->rewards[i].value, 3);
        mn_html_raw(html, "</span>");
    }
}

/* Whose turn ends where: at a change of speaker, or with the episode. */
static void put_turn(mn_html *html, const mn_result *result, const mn_episode *e, size_t from, size_t to)
{
    mn_html_rawf(html, "<div class=\"turn %s\"><span class=role>", e->speaker[from] ? "world" : "agent");
    mn_html_word(html, result->roles[e->speaker[from]]);
    mn_html_raw(html, "</span> <span class=said dir=auto>");
    for (size_t t = from; t < to; t++) put_token(html, e, t, t == from);
    mn_html_raw(html, "</span>");
    put_reward(html, e, to - 1);
    mn_html_raw(html, "</div>\n");
}

static void put_episode(mn_html *html, const mn_result *result, const mn_episode *e)
{
    mn_html_raw(html, "<article><h4>");
    if (e->step)
        mn_html_rawf(html, "Trained, step %zu", e->step);
    else
        mn_html_raw(html, "Base policy");
    mn_html_rawf(html, ", episode %llu</h4><p class=facts>return <b>", (unsigned long long)e->number);
    mn_html_num(html, e->value, 3);
    mn_html_raw(html, "</b>, <b>");
    mn_html_num(html, e->spent_nats, 2);
    if (isfinite(e->budget_nats) && e->step) {
        mn_html_raw(html, "</b> of ");
        mn_html_num(html, e->budget_nats, e->budget_nats == floor(e->budget_nats) ? 0 : 2);
        mn_html_raw(html, " nats");
    } else {
        mn_html_raw(html, "</b> nats");
    }
    if (e->opening) mn_html_rawf(html, ", opens with line %lld of the transcripts", (long long)e->opening);
    mn_html_raw(html, "</p>\n");
    for (size_t from = 0, t = 1; t <= e->T; t++) {
        if (t < e->T && e->speaker[t] == e->speaker[from]) continue;
        put_turn(html, result, e, from, t);
        from = t;
    }
    mn_html_raw(html, "</article>\n");
}

void mn_transcript_pairs(mn_html *html, const mn_result *result, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        for (int which = 0; which < 2; which++) {
            if (i < result->n_shown[which])
                put_episode(html, result, &result->shown[which][i]);
            else
                mn_html_raw(html, "<article class=none></article>\n");
        }
}
