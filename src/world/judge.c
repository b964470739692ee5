#include "world/judge.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

/* ---- what is shared ---- */

/* All symbols of a text, in *ids, which may grow. */
static mn_status tokenize(int32_t **ids, size_t *cap, size_t *n, const mn_model *model, const char *text, size_t len,
                          bool opening, mn_err *err)
{
    MN_TRY(mn_model_tokenize(model, *ids, *cap, n, text, len, opening, err));
    if (*n <= *cap) return MN_OK;
    int32_t *grown;
    MN_ALLOC_OR_FAIL(grown, *n, err);
    free(*ids);
    *ids = grown;
    *cap = *n;
    return mn_model_tokenize(model, *ids, *cap, n, text, len, opening, err);
}

static mn_status read_answers(mn_judge *judge, const char *yes, const char *no, mn_err *err)
{
    size_t cap[2] = {0, 0};
    MN_TRY(tokenize(&judge->yes, &cap[0], &judge->n_yes, judge->model, yes, strlen(yes), false, err));
    MN_TRY(tokenize(&judge->no, &cap[1], &judge->n_no, judge->model, no, strlen(no), false, err));
    if (!judge->n_yes || !judge->n_no)
        return mn_fail(err, MN_ERR_INPUT, "the judge's answers \"%s\" and \"%s\": expected two texts", yes, no);
    if (judge->n_yes == judge->n_no && memcmp(judge->yes, judge->no, judge->n_yes * sizeof *judge->yes) == 0)
        return mn_fail(err, MN_ERR_INPUT, "the judge's answers \"%s\" and \"%s\" are the same to the model", yes, no);
    return MN_OK;
}

static mn_status measure(mn_judge *judge, mn_err *err)
{
    size_t longest = mn_model_longest(judge->model), answer = judge->n_yes > judge->n_no ? judge->n_yes : judge->n_no, question;
    if (longest > MN_JUDGE_POSITIONS) longest = MN_JUDGE_POSITIONS;
    MN_TRY(mn_model_tokenize(judge->model, NULL, 0, &judge->n_start, "", 0, true, err));
    MN_TRY(mn_model_tokenize(judge->model, NULL, 0, &question, judge->question, strlen(judge->question), true, err));
    if (answer >= longest || question >= longest - answer)
        return mn_fail(err, MN_ERR_INPUT,
                       "the judge's question and answer take %zu symbols and leave none of the %zu to the conversation",
                       question + answer, longest);
    judge->room = longest - answer;
    return MN_OK;
}

mn_status mn_judge_open(mn_judge *judge, mn_model *model, const char *question, const char *yes, const char *no, double scale,
                        mn_err *err)
{
    *judge = (mn_judge){.model = model, .question = question, .scale = scale};
    mn_status status = read_answers(judge, yes, no, err);
    if (status == MN_OK) status = measure(judge, err);
    if (status != MN_OK) mn_judge_close(judge);
    return status;
}

void mn_judge_close(mn_judge *judge)
{
    free(judge->yes);
    free(judge->no);
    *judge = (mn_judge){0};
}

/* ---- one thread's place ---- */

mn_status mn_seat_open(mn_seat *seat, const mn_judge *judge, mn_err *err)
{
    size_t answer = judge->n_yes > judge->n_no ? judge->n_yes : judge->n_no;
    MN_TRY(mn_worker_new(&seat->worker, judge->model, 1, judge->room + answer, err));
    MN_TRY(mn_session_begin(&seat->session, seat->worker, err));
    MN_ALLOC_OR_FAIL(seat->lp, mn_model_alphabet(judge->model), err);
    return MN_OK;
}

void mn_seat_close(mn_seat *seat)
{
    mn_session_free(seat->session);
    mn_worker_free(seat->worker);
    mn_buf_free(&seat->text);
    free(seat->lp);
    free(seat->ids);
    *seat = (mn_seat){0};
}

/* The text to judge, as symbols in seat->ids. */
static mn_status lay_out(mn_seat *seat, const mn_judge *judge, const mn_turn *turn, size_t *n, mn_err *err)
{
    mn_buf *text = &seat->text;
    mn_buf_clear(text);
    mn_status status = mn_buf_put(text, turn->context, turn->context_len);
    if (status == MN_OK && turn->len && text->len && !isspace((unsigned char)text->data[text->len - 1]))
        status = mn_buf_put(text, " ", 1);
    if (status == MN_OK) status = mn_buf_put(text, turn->text, turn->len);
    if (status == MN_OK) status = mn_buf_puts(text, judge->question);
    if (status != MN_OK) return mn_fail(err, status, "out of memory");
    return tokenize(&seat->ids, &seat->cap, n, judge->model, text->data, text->len, true, err);
}

/* Adds to *lp the symbols of an answer after its first; the session's timeline is left as it was. */
static mn_status add_rest(double *lp, mn_seat *seat, const int32_t *ids, size_t n, mn_err *err)
{
    size_t before = mn_session_length(seat->session);
    for (size_t i = 1; i < n; i++) {
        MN_TRY(mn_session_append(seat->session, &ids[i - 1], 1, err));
        MN_TRY(mn_session_predict(seat->session, seat->lp, err));
        *lp += seat->lp[ids[i]];
    }
    return mn_session_rewind(seat->session, before, err);
}

mn_status mn_judge_turn(double *value, mn_seat *seat, const mn_judge *judge, const mn_turn *turn, mn_err *err)
{
    size_t n, start = judge->n_start;
    MN_TRY(lay_out(seat, judge, turn, &n, err));
    size_t dropped = n > judge->room ? n - judge->room : 0;
    MN_TRY(mn_session_rewind(seat->session, 0, err));
    MN_TRY(mn_session_append(seat->session, seat->ids, start, err));
    MN_TRY(mn_session_append(seat->session, seat->ids + start + dropped, n - start - dropped, err));
    MN_TRY(mn_session_predict(seat->session, seat->lp, err));
    double yes = seat->lp[judge->yes[0]], no = seat->lp[judge->no[0]];
    MN_TRY(add_rest(&yes, seat, judge->yes, judge->n_yes, err));
    MN_TRY(add_rest(&no, seat, judge->no, judge->n_no, err));
    if (isnan(yes - no)) return mn_fail(err, MN_ERR_NUM, "the judge finds neither of its answers possible");
    return *value = 1 / (1 + exp(-(yes - no) / judge->scale)), MN_OK;
}
