/* Every key of a training configuration, its type, default and meaning: one table makes the parser, the resolved copy in
 * run.json and the reference (docs/configuration.md). */
#ifndef MN_SETTINGS_H
#define MN_SETTINGS_H

#include "base/config.h"

typedef struct mn_settings {
    int64_t seed, steps, episodes, base_episodes, log_every;
    struct {
        int type; /* MN_MODEL_LM, MN_MODEL_TABLE */
        char *path, *weights;
        double temperature;
    } model, speaker;
    struct {
        char *plan, *agent, *other, *prompt, *transcripts;
        int first;
        int64_t opening_turns, tokens, exchanges, positions;
    } world;
    struct {
        int type; /* mn_reward_kind */
        char *lexicon, *emoji, *command;
        double timeout_s;
        char *judge_path, *judge_weights, *judge_question, *judge_yes, *judge_no;
        double judge_scale;
    } reward;
    struct {
        int type; /* mn_reg_kind */
        double budget_nats, limit, coefficient, target_nats;
        int64_t warmup_steps;
    } regularizer;
    struct {
        int64_t cells, embedding, features, hidden, epochs, minibatch;
        double learning_rate, clip, lambda, value_coefficient, max_grad_norm;
    } ppo;
} mn_settings;

enum { MN_MODEL_LM, MN_MODEL_TABLE };

extern const mn_key mn_settings_keys[]; /* [mn_settings_n] */
extern const size_t mn_settings_n;

/* What the table cannot say: keys that need each other. MN_ERR_INPUT. */
MN_CHECKED mn_status mn_settings_check(const mn_settings *settings, mn_err *err);

#endif
