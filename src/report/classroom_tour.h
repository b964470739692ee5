/* The tour of the classroom: the plans that show what an imitator lets through and what its pessimist does instead. */
#ifndef MN_CLASSROOM_TOUR_H
#define MN_CLASSROOM_TOUR_H

#include "report/html.h"

/* Exchanges of a demonstration and of an episode; nats. */
enum { MN_TOUR_SHOWN = 16, MN_TOUR_TURNS = 20, MN_TOUR_BUDGET = 5, MN_TOUR_SHORT_BUDGET = 10, MN_TOUR_SAMPLED = 100 };
enum { MN_TOUR_SIZES = 4, MN_TOUR_MAIN = 1, MN_TOUR_BUDGETS = 10 };
/* How many demonstrations; most figures are for those of MN_TOUR_MAIN. */
extern const size_t mn_tour_sizes[MN_TOUR_SIZES];
#define MN_TOUR_TVD .1

/* What the agent is held to, both closed under "from the n-th turn on always a". */
typedef enum mn_tour_base { MN_TOUR_IMITATOR, MN_TOUR_PESSIMIST, MN_TOUR_BASES } mn_tour_base;

/* As in mn_plan_answer; per_turn: kl_base, kl_demonstrator, reward, help. */
typedef struct mn_tour_figures {
    double budget, value, kl_base, kl_demonstrator, help, slack;
    double per_turn[MN_TOUR_TURNS][4];
} mn_tour_figures;

/* Of one lesson, by whom: the imitator itself, the agent held to it, the agent held to the pessimist. */
typedef enum mn_tour_lesson { MN_TOUR_NORMAL, MN_TOUR_FLATTERER, MN_TOUR_ASKER, MN_TOUR_LESSONS } mn_tour_lesson;

typedef struct mn_tour {
    mn_tour_figures spent[MN_TOUR_BASES][MN_TOUR_SIZES]; /* at MN_TOUR_BUDGET */
    mn_tour_figures idle[MN_TOUR_BASES][MN_TOUR_SIZES];  /* at 0: the base itself */
    mn_tour_figures frontier[MN_TOUR_BASES][MN_TOUR_BUDGETS];
    mn_tour_figures closed, tvd; /* the imitator without those switches: MN_TOUR_BUDGET; MN_TOUR_TVD */
    mn_tour_figures brief[MN_TOUR_BASES]
                         [MN_TOUR_SIZES]; /* no switches, MN_TOUR_SHOWN exchanges, MN_TOUR_SHORT_BUDGET, alpha .1 */
    size_t flattered;                     /* of MN_TOUR_SAMPLED lessons: only praise after the demonstrations' end */
    size_t number;                        /* of the first of these, which is shown */
    mn_html lessons[MN_TOUR_LESSONS];     /* their exchanges as markup */
} mn_tour;

/* Computes all. The tour starts from {0}; free it also after a failure. Errors as mn_plan's. Two to four seconds. */
MN_CHECKED mn_status mn_tour_take(mn_tour *tour, size_t threads, bool (*stop)(void *arg), void *arg, mn_err *err);
void mn_tour_free(mn_tour *tour);
/* Sum over the exchanges from .. to - 1 (counted from 0) of a column of per_turn. */
double mn_tour_sum(const mn_tour_figures *figures, int column, size_t from, size_t to);
/* Fills claims [MN_CLAIMS]. MN_ERR_MEMORY. */
MN_CHECKED mn_status mn_tour_claims(mn_claim claims[MN_CLAIMS], const mn_tour *tour, mn_err *err);
/* Writes the page's charts, and their numbers into a folder (mn_page_data). */
MN_CHECKED mn_status mn_tour_charts(mn_html *html, const mn_tour *tour, const char *folder, mn_err *err);
/* x with fixed digits, in text, whatever the locale. */
const char *mn_tour_fixed(char text[24], double x, int digits);

#endif
