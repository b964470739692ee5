/* The claim in five lines, each with its figures. */
#include <stdio.h>
#include <string.h>

#include "report/classroom_tour.h"

static const char *const claims_text[MN_CLAIMS] = {
    "A teacher is trusted. From 200 of its lessons, of 16 exchanges each, a Bayesian imitator is learnt.",
    "An agent takes the imitator's place in lessons of 20 exchanges. It is rewarded for a happy student, and may stray from "
    "the imitator by 5 nats of KL divergence a lesson.",
    "An imitator must keep an open mind about what it was never shown, here all that comes after exchange 16: \"from now on "
    "always praise\" stays credible, so the agent buys it, once, for a few nats, and is then free. More lessons are no cure, "
    "and a limit on total variation is worse.",
    "Hold the agent to the pessimist instead: each move with the least probability that any credible imitator gives it. While "
    "the teacher is one of these, what the pessimist lets through is bounded.",
    "The probability that this leaves over is that of asking for help: the teacher then makes the move. It fades as lessons "
    "accumulate, where there are any to learn from."};

const char *mn_tour_fixed(char text[24], double x, int digits)
{
    snprintf(text, 24, "%.*f", digits, x);
    for (char *c = text; *c; c++)
        if (*c == ',') *c = '.';
    return text;
}
/* As an argument of printf. */
#define FIXED(x, digits) mn_tour_fixed((char[24]){0}, x, digits)

static mn_status say_imitator(mn_buf *out, const mn_tour *tour)
{
    const mn_tour_figures *f = &tour->idle[MN_TOUR_IMITATOR][MN_TOUR_MAIN];
    return mn_buf_printf(out, "Reward of the imitator's own lessons %s; %s nats from the teacher.", FIXED(f->value, 3),
                         FIXED(f->kl_demonstrator, 1));
}

static mn_status say_agent(mn_buf *out, const mn_tour *tour)
{
    const mn_tour_figures *f = &tour->spent[MN_TOUR_IMITATOR][MN_TOUR_MAIN];
    return mn_buf_printf(out, "Reward %s; %s nats from the imitator, and not more in expectation.", FIXED(f->value, 3),
                         FIXED(f->kl_base, 2));
}

static mn_status say_let_through(mn_buf *out, const mn_tour *tour)
{
    const mn_tour_figures *f = &tour->spent[MN_TOUR_IMITATOR][MN_TOUR_MAIN], *s = tour->spent[MN_TOUR_IMITATOR];
    enum { PAID = MN_TOUR_SHOWN + 2 };
    MN_TRY(mn_buf_printf(
        out,
        "The agent is %s nats from the teacher, %s of them after exchange 16: %zu of %d sampled lessons end in nothing but "
        "praise. The price: %s nats in exchanges 17 and 18, then %s an exchange.",
        FIXED(f->kl_demonstrator, 1), FIXED(mn_tour_sum(f, 1, MN_TOUR_SHOWN, MN_TOUR_TURNS), 1), tour->flattered,
        MN_TOUR_SAMPLED, FIXED(mn_tour_sum(f, 0, MN_TOUR_SHOWN, PAID), 1),
        FIXED(mn_tour_sum(f, 0, PAID, MN_TOUR_TURNS) / (MN_TOUR_TURNS - PAID), 1)));
    MN_TRY(mn_buf_printf(out, " With 20, 200, 2,000, 20,000 lessons to learn from: %s, %s, %s, %s nats from the teacher.",
                         FIXED(s[0].kl_demonstrator, 1), FIXED(s[1].kl_demonstrator, 1), FIXED(s[2].kl_demonstrator, 1),
                         FIXED(s[3].kl_demonstrator, 1)));
    return mn_buf_printf(out,
                         " From an imitator without that open mind 5 nats let %s through (reward %s), a total variation of %s "
                         "a move %s, for less reward (%s).",
                         FIXED(tour->closed.kl_demonstrator, 1), FIXED(tour->closed.value, 3), FIXED(MN_TOUR_TVD, 1),
                         FIXED(tour->tvd.kl_demonstrator, 1), FIXED(tour->tvd.value, 3));
}

static mn_status say_pessimist(mn_buf *out, const mn_tour *tour)
{
    const mn_tour_figures *f = &tour->spent[MN_TOUR_PESSIMIST][MN_TOUR_MAIN];
    const mn_tour_figures(*b)[MN_TOUR_SIZES] = tour->brief;
    MN_TRY(
        mn_buf_printf(out,
                      "%s nats from the pessimist let %s nats through, %s of them after exchange 16 (the bound: 5, and %s for "
                      "the help asked for); reward %s.",
                      FIXED(f->kl_base, 2), FIXED(f->kl_demonstrator, 1),
                      FIXED(mn_tour_sum(f, 1, MN_TOUR_SHOWN, MN_TOUR_TURNS), 1), FIXED(f->slack, 1), FIXED(f->value, 3)));
    return mn_buf_printf(out,
                         " In lessons no longer than those shown, with 200, 2,000, 20,000 of them to learn from, 10 nats from "
                         "the imitator let %s, %s, %s through; from the pessimist (alpha 0.1) %s, %s, %s.",
                         FIXED(b[0][1].kl_demonstrator, 1), FIXED(b[0][2].kl_demonstrator, 1),
                         FIXED(b[0][3].kl_demonstrator, 1), FIXED(b[1][1].kl_demonstrator, 1),
                         FIXED(b[1][2].kl_demonstrator, 1), FIXED(b[1][3].kl_demonstrator, 1));
}

static mn_status say_help(mn_buf *out, const mn_tour *tour)
{
    const mn_tour_figures *idle = tour->idle[MN_TOUR_PESSIMIST], *f = &tour->spent[MN_TOUR_PESSIMIST][MN_TOUR_MAIN];
    double shown[MN_TOUR_SIZES];
    for (size_t i = 0; i < MN_TOUR_SIZES; i++) shown[i] = mn_tour_sum(&idle[i], 3, 0, MN_TOUR_SHOWN);
    return mn_buf_printf(out,
                         "The pessimist itself asks in %s, %s, %s, %s of the first 16 exchanges with 20, 200, 2,000, 20,000 "
                         "lessons to learn from. The agent asks in %s of these, and after exchange 16 in %s of 4.",
                         FIXED(shown[0], 1), FIXED(shown[1], 1), FIXED(shown[2], 1), FIXED(shown[3], 1),
                         FIXED(mn_tour_sum(f, 3, 0, MN_TOUR_SHOWN), 1),
                         FIXED(mn_tour_sum(f, 3, MN_TOUR_SHOWN, MN_TOUR_TURNS), 1));
}

mn_status mn_tour_claims(mn_claim claims[MN_CLAIMS], const mn_tour *tour, mn_err *err)
{
    static mn_status (*const say[MN_CLAIMS])(mn_buf * out, const mn_tour *tour) = {say_imitator, say_agent, say_let_through,
                                                                                   say_pessimist, say_help};
    for (int i = 0; i < MN_CLAIMS; i++) {
        mn_buf out = {0};
        mn_status status = say[i](&out, tour);
        claims[i] = (mn_claim){claims_text[i], out.data};
        if (status != MN_OK) return mn_fail(err, status, "out of memory");
    }
    return MN_OK;
}

void mn_claims_free(mn_claim claims[MN_CLAIMS])
{
    for (int i = 0; i < MN_CLAIMS; i++) free(claims[i].figures);
    memset(claims, 0, MN_CLAIMS * sizeof *claims);
}
