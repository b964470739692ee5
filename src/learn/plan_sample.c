#include "learn/plan_sample.h"

void mn_plan_sample(mn_plan_turn *turns, const mn_plan_graph *g, const mn_plan_policy *policy, const mn_classroom *world,
                    uint64_t seed, uint64_t episode)
{
    mn_rng rng = mn_rng_split(seed, episode, MN_STREAM_TOKEN), words = mn_rng_split(seed, episode, MN_STREAM_SENTENCE);
    size_t s = g->from[0];
    for (size_t t = 0; t < g->T; t++) {
        size_t at = policy->first[t] + s - g->from[t], move = mn_draw(policy->pi + at * g->W, g->M + 1, mn_rng_uniform(&rng));
        double u = mn_rng_uniform(&rng); /* drawn also where it is not needed, so that what follows stays comparable */
        bool helped = move == g->M;
        if (helped) move = mn_draw(g->mu + s * g->M, g->M, u);
        size_t edge = (helped ? g->helped : g->edge)[s * g->M + move],
               o = mn_draw(g->p + g->row[edge] * g->O, g->O, mn_rng_uniform(&rng));
        int32_t said = world->moves[move], answer = world->answers[o];
        const char *sentence = mn_classroom_sentence(world, said, mn_rng_uniform(&words));
        turns[t] = (mn_plan_turn){.move = mn_classroom_name(world, said),
                                  .sentence = sentence,
                                  .answer = mn_classroom_name(world, answer),
                                  .answer_sentence = mn_classroom_sentence(world, answer, mn_rng_uniform(&words)),
                                  .helped = helped,
                                  .nats = policy->kl[at],
                                  .reward = world->reward[answer]};
        s = g->next[edge * g->O + o];
    }
}
