/* Reward by a model's judgement: after the conversation, the turn and a question, how much likelier is one answer than another?
 *   d = ln p(yes | context, turn, question) - ln p(no | context, turn, question), reward = 1 / (1 + exp(-d / scale))
 * The probability of an answer of several symbols is the product of theirs. */
#ifndef MN_JUDGE_H
#define MN_JUDGE_H

#include "base/buf.h"
#include "world/reward.h"

/* Symbols of context at most, question and answer included: a longer context keeps its tail. A turn costs a prefill of all of
 * it (one core, 135M parameters: .2 s for 60 symbols, 12 s for 1024), and more would also take much memory for its keys. */
enum { MN_JUDGE_POSITIONS = 1024 };

/* What is judged by; shared. yes, no: [n_yes], [n_no]. */
typedef struct mn_judge {
    mn_model *model;      /* borrowed */
    const char *question; /* borrowed */
    double scale;
    int32_t *yes, *no;
    size_t n_yes, n_no, room; /* room: symbols before the answers */
    size_t n_start;           /* symbols that the model itself puts at the start */
} mn_judge;

/* scale > 0. MN_ERR_INPUT where the answers are empty or the same symbols, or leave no room in the model's positions. */
MN_CHECKED mn_status mn_judge_open(mn_judge *judge, mn_model *model, const char *question, const char *yes, const char *no,
                                   double scale, mn_err *err);
void mn_judge_close(mn_judge *judge);

/* One thread's place on the model. Start from {0}. */
typedef struct mn_seat {
    mn_worker *worker;
    mn_session *session;
    double *lp; /* [A] */
    mn_buf text;
    int32_t *ids; /* [cap] */
    size_t cap;
} mn_seat;

MN_CHECKED mn_status mn_seat_open(mn_seat *seat, const mn_judge *judge, mn_err *err);
void mn_seat_close(mn_seat *seat);

/* *value in [0,1]. Computed anew from the start each time, so it depends on the turn alone. The text is context, turn and
 * question, with a space between context and turn where there is none. Where it is too long, symbols are dropped from its
 * beginning (never the model's own start symbols) until it fits. MN_ERR_NUM where neither answer is possible, and what the
 * model's session gives. */
MN_CHECKED mn_status mn_judge_turn(double *value, mn_seat *seat, const mn_judge *judge, const mn_turn *turn, mn_err *err);

#endif
