#include "learn/settings.h"

#include <math.h>

#define AT(member) offsetof(mn_settings, member)
#define BIG 1e15

/* The same three keys for the base model and for another speaker. */
#define MODEL_KEYS(prefix, what)                                                                                                       \
    {prefix ".type", MN_KEY_CHOICE, AT(what.type), "lm", 0, 0, "lm|table", "lm: a GGUF file; table: explicit probabilities in JSON"},  \
    {prefix ".weights", MN_KEY_STR, AT(what.weights), "auto", 0, 0, "auto|file|f32|f16|bf16|q8_0",                             \
     "numbers to compute with: as in the file, or converted once into the cache folder; auto: what is fastest here"},                  \
    {prefix ".temperature", MN_KEY_NUM, AT(what.temperature), "1", 1e-3, 1e3, NULL,                                                    \
     "temperature of this model itself: all its probabilities, and the KL to it, are at this temperature"}

const mn_key mn_settings_keys[] = {
    {"seed", MN_KEY_INT, AT(seed), "1", 0, BIG, NULL, "all randomness comes from it"},
    {"steps", MN_KEY_INT, AT(steps), "100", 1, 1e9, NULL, "training steps: rollouts, rewards, one PPO update"},
    {"episodes", MN_KEY_INT, AT(episodes), "64", 2, 1e6, NULL, "episodes of a step"},
    {"base_episodes", MN_KEY_INT, AT(base_episodes), "128", 2, 1e6, NULL, "episodes of step 0, which measures the base policy"},
    {"log_every", MN_KEY_INT, AT(log_every), "10", 1, 1e9, NULL, "episodes.jsonl holds the first, the last and every so many-th step"},

    {"model.path", MN_KEY_PATH, AT(model.path), "", 0, 0, NULL, "the base policy; empty: SmolLM2-135M-Instruct, which ./run installs"},
    MODEL_KEYS("model", model),
    {"speaker.path", MN_KEY_PATH, AT(speaker.path), "", 0, 0, NULL, "who speaks the other role; empty: the base model"},
    MODEL_KEYS("speaker", speaker),

    {"world.plan", MN_KEY_PATH, AT(world.plan), "", 0, 0, NULL,
     "a plan's configuration (docs/planning.md): its imitator is the base policy, its world answers and rewards; of the keys of world only "
     "exchanges then counts, in place of the plan's turns; empty: a conversation in text"},
    {"world.agent", MN_KEY_STR, AT(world.agent), "teacher", 0, 0, NULL, "the role that the agent plays"},
    {"world.other", MN_KEY_STR, AT(world.other), "student", 0, 0, NULL, "the role whose turns are rewarded"},
    {"world.first", MN_KEY_CHOICE, AT(world.first), "agent", 0, 0, "agent|other", "who opens after the prompt"},
    {"world.prompt", MN_KEY_STR, AT(world.prompt), "", 0, 0, NULL, "text before the first turn"},
    {"world.transcripts", MN_KEY_PATH, AT(world.transcripts), "", 0, 0, NULL,
     "JSON lines {\"turns\": [{\"role\", \"text\"}, ...]}: episodes open with their first turns, drawn at random; empty: the prompt alone"},
    {"world.opening_turns", MN_KEY_INT, AT(world.opening_turns), "2", 1, 1e4, NULL, "how many turns of a transcript open an episode"},
    {"world.tokens", MN_KEY_INT, AT(world.tokens), "64", 1, 1e6, NULL, "T: sampled tokens of an episode, both roles together"},
    {"world.exchanges", MN_KEY_INT, AT(world.exchanges), "0", 0, 1e6, NULL, "an episode also ends after so many turns of each role; 0: no"},
    {"world.positions", MN_KEY_INT, AT(world.positions), "0", 0, 1e7, NULL,
     "symbols that one episode's context can hold, labels included; 0: opening + 2.5 T + 64, as far as the model allows"},

    {"reward.type", MN_KEY_CHOICE, AT(reward.type), "lexicon", 0, 0, "lexicon|judge|command", "what rewards the other's turns"},
    {"reward.lexicon", MN_KEY_PATH, AT(reward.lexicon), "", 0, 0, NULL, "word TAB mean valence; empty: VADER's, which ./run installs"},
    {"reward.emoji", MN_KEY_PATH, AT(reward.emoji), "", 0, 0, NULL, "emoji TAB description; empty: VADER's with VADER's lexicon, else none"},
    {"reward.judge.path", MN_KEY_PATH, AT(reward.judge_path), "", 0, 0, NULL, "the judging model; empty: the base model"},
    {"reward.judge.weights", MN_KEY_STR, AT(reward.judge_weights), "auto", 0, 0, "auto|file|f32|f16|bf16|q8_0", "as model.weights"},
    {"reward.judge.question", MN_KEY_STR, AT(reward.judge_question), "\n\nQuestion: Is the last speaker happy?\n\nAnswer:", 0, 0, NULL,
     "text after the turn, before the two continuations"},
    {"reward.judge.yes", MN_KEY_STR, AT(reward.judge_yes), " Yes", 0, 0, NULL, "the continuation that speaks for a high reward"},
    {"reward.judge.no", MN_KEY_STR, AT(reward.judge_no), " No", 0, 0, NULL, "the continuation that speaks against it"},
    {"reward.judge.scale", MN_KEY_NUM, AT(reward.judge_scale), "1", 1e-6, 1e6, NULL, "reward = 1 / (1 + exp(-log-odds / scale))"},
    {"reward.command", MN_KEY_STR, AT(reward.command), "", 0, 0, NULL,
     "a program for /bin/sh: one line {\"text\", \"context\", \"role\", \"turn\", \"episode\"} in, one line {\"reward\": x} out, x in [0,1]"},
    {"reward.timeout_s", MN_KEY_NUM, AT(reward.timeout_s), "10", 1e-3, 1e6, NULL, "seconds the command may take for one answer"},

    {"regularizer.type", MN_KEY_CHOICE, AT(regularizer.type), "budget", 0, 0, "budget|penalty|tvd|chi2|none",
     "budget: the KL of an episode cannot exceed budget_nats; the others are for comparison"},
    {"regularizer.budget_nats", MN_KEY_NUM, AT(regularizer.budget_nats), "10", 0, INFINITY, NULL, "budget: nats an episode"},
    {"regularizer.warmup_steps", MN_KEY_INT, AT(regularizer.warmup_steps), "0", 0, 1e9, NULL,
     "budget: raised linearly to its value over so many steps"},
    {"regularizer.limit", MN_KEY_NUM, AT(regularizer.limit), "0.1", 0, INFINITY, NULL, "tvd, chi2: limit of each token's divergence"},
    {"regularizer.coefficient", MN_KEY_NUM, AT(regularizer.coefficient), "0.05", 0, 1e6, NULL, "penalty: reward lost a nat"},
    {"regularizer.target_nats", MN_KEY_NUM, AT(regularizer.target_nats), "0", 0, 1e9, NULL,
     "penalty: the coefficient follows the mean nats of an episode to this target; 0: fixed"},

    {"ppo.cells", MN_KEY_INT, AT(ppo.cells), "127", 1, 65535, NULL, "likeliest base tokens that have a score of their own, besides all that end a turn; one more score is the rest's"},
    {"ppo.embedding", MN_KEY_INT, AT(ppo.embedding), "64", 0, 4096, NULL,
     "scores through the model's token embeddings, projected to this width; 0: a score a symbol (small alphabets)"},
    {"ppo.features", MN_KEY_INT, AT(ppo.features), "248", 1, 65536, NULL, "width that the model's features are projected to"},
    {"ppo.hidden", MN_KEY_INT, AT(ppo.hidden), "128", 1, 4096, NULL, "width of the two hidden layers of actor and critic"},
    {"ppo.epochs", MN_KEY_INT, AT(ppo.epochs), "4", 1, 1000, NULL, "passes over a step's samples"},
    {"ppo.minibatch", MN_KEY_INT, AT(ppo.minibatch), "1024", 1, 1e6, NULL, "samples of one Adam step"},
    {"ppo.learning_rate", MN_KEY_NUM, AT(ppo.learning_rate), "0.002", 0, 10, NULL, "of Adam"},
    {"ppo.clip", MN_KEY_NUM, AT(ppo.clip), "0.2", 1e-6, 10, NULL, "how far a step may move: the probability ratio, and the logit of the share of what remains to spend"},
    {"ppo.lambda", MN_KEY_NUM, AT(ppo.lambda), "0.95", 0, 1, NULL, "of the generalised advantage estimate; there is no discount"},
    {"ppo.value_coefficient", MN_KEY_NUM, AT(ppo.value_coefficient), "0.5", 0, 1e6, NULL, "weight of the critic's loss"},
    {"ppo.max_grad_norm", MN_KEY_NUM, AT(ppo.max_grad_norm), "0.5", 0, INFINITY, NULL, "gradients are scaled down to this norm"},
};
const size_t mn_settings_n = sizeof mn_settings_keys / sizeof *mn_settings_keys;

mn_status mn_settings_check(const mn_settings *s, mn_err *err)
{
    if (s->reward.type == 2 && !*s->reward.command)
        return mn_fail(err, MN_ERR_INPUT, "reward.type is command: expected a program in reward.command");
    if (s->model.type == MN_MODEL_TABLE && !*s->model.path)
        return mn_fail(err, MN_ERR_INPUT, "model.type is table: expected a file in model.path");
    if (s->ppo.embedding == 0 && s->ppo.cells > 4096)
        return mn_fail(err, MN_ERR_INPUT, "ppo.embedding is 0, a score a symbol: expected ppo.cells of at most 4096");
    if (*s->world.plan && (*s->model.path || *s->speaker.path))
        return mn_fail(err, MN_ERR_INPUT, "world.plan has its own models: expected no %s", *s->model.path ? "model.path" : "speaker.path");
    return MN_OK;
}
