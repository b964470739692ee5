/* Rewards: by a lexicon, by a judge, by a command, and every way in which a command can fail. */
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/threads.h"
#include "world/dictionary.h"
#include "world/judge.h"
#include "world/lexicon.h"
#include "world/reward.h"

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/mightnt-reward-XXXXXX");
    return mkdtemp(folder) ? 0 : 1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

/* A new file of that name in our folder; its path, good for four calls. */
static const char *write_file(const char *name, const char *text)
{
    static char paths[4][128];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fputs(text, file) < 0, 0);
    assert_int_equal(fclose(file), 0);
    return path;
}

static void assert_near(double a, double b, double tolerance)
{
    assert_true(fabs(a - b) <= tolerance);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static mn_turn turn_of(const char *text)
{
    static const char context[] = "\n\nTeacher: Well?\n\nStudent:";
    return (mn_turn){.text = text,
                     .len = strlen(text),
                     .context = context,
                     .context_len = strlen(context),
                     .role = "student",
                     .number = 2,
                     .episode = 12};
}

static mn_scorer *scorer_of(mn_reward **reward, const mn_reward_opts *opts)
{
    mn_scorer *scorer;
    mn_err err = {0};
    assert_int_equal(mn_reward_open(reward, opts, &err), MN_OK);
    assert_int_equal(mn_scorer_new(&scorer, *reward, &err), MN_OK);
    return scorer;
}

/* ---- dictionary ---- */

static void dictionary_numbers_keys_in_order(void **state)
{
    (void)state;
    mn_dictionary d = {0};
    size_t index;
    char key[16];
    assert_true(mn_dictionary_find(&d, "", 0) == MN_ABSENT);
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < 1000; i++) {
            int len = snprintf(key, sizeof key, "%zu", i * i);
            assert_int_equal(mn_dictionary_add(&d, &index, key, (size_t)len), MN_OK);
            assert_int_equal(index, i);
        }
    assert_int_equal(d.n, 1000);
    assert_int_equal(mn_dictionary_find(&d, "1600", 4), 40);
    assert_int_equal(mn_dictionary_find(&d, "1600", 2), 4);
    assert_true(mn_dictionary_find(&d, "1600", 3) == MN_ABSENT);
    assert_int_equal(mn_dictionary_add(&d, &index, "", 0), MN_OK);
    assert_int_equal(mn_dictionary_find(&d, "", 0), 1000);
    mn_dictionary_free(&d);
}

/* ---- lexicon ---- */

static void lexicon_maps_the_compound_to_the_unit_interval(void **state)
{
    (void)state;
    mn_reward *reward;
    mn_scorer *scorer = scorer_of(&reward, &(mn_reward_opts){.kind = MN_REWARD_LEXICON});
    const struct {
        const char *text;
        double compound;
    } known[] = {
        /* from the package's own list of examples */
        {"VADER is smart, handsome, and funny.", 0.8316},
        {"VADER is VERY SMART, handsome, and FUNNY!!!", 0.9342},
        {"Today SUX!", -0.5461},
        {"Not bad at all", 0.431},
        {"Catch utf-8 emoji such as \U0001F498 and \U0001F48B and \U0001F601", 0.875},
        {"", 0},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        mn_turn turn = turn_of(known[i].text);
        double value = -1;
        assert_int_equal(mn_scorer_score(scorer, &value, &turn, NULL), MN_OK);
        assert_true(value == (known[i].compound + 1) / 2);
    }
    mn_scorer_free(scorer);
    mn_reward_free(reward);
}

static void lexicon_of_ones_own_needs_no_emoji(void **state)
{
    (void)state;
    mn_reward *reward;
    const char *path = write_file("words", "fine\t2\textra\nhot\t-0.5\r\n");
    mn_scorer *scorer = scorer_of(&reward, &(mn_reward_opts){.kind = MN_REWARD_LEXICON, .lexicon = path, .emoji = ""});
    mn_turn turn = turn_of("so fine");
    double value, x = 2 + .293;
    assert_int_equal(mn_scorer_score(scorer, &value, &turn, NULL), MN_OK);
    assert_near(value, (x / sqrt(x * x + 15) + 1) / 2, 5e-5);
    mn_scorer_free(scorer);
    mn_reward_free(reward);
    unlink(path);
}

static void lexicon_takes_memory_only_while_texts_grow(void **state)
{
    (void)state;
    mn_lexicon *lexicon;
    mn_lexicon_scratch scratch = {0};
    mn_sentiment first, again;
    const char *path = write_file("words", "fine\t2\n");
    assert_int_equal(mn_lexicon_open(&lexicon, path, "", NULL), MN_OK);
    assert_int_equal(mn_lexicon_score(&first, &scratch, lexicon, "FINE, but not fine!", 19), MN_OK);
    void *text = scratch.text.data, *lower = scratch.lower.data, *words = scratch.words;
    assert_int_equal(mn_lexicon_score(&again, &scratch, lexicon, "", 0), MN_OK);
    assert_true(again.compound == 0 && again.neutral == 0);
    assert_int_equal(mn_lexicon_score(&again, &scratch, lexicon, "FINE, but not fine!", 19), MN_OK);
    assert_memory_equal(&first, &again, sizeof first);
    assert_true(text == scratch.text.data && lower == scratch.lower.data && words == scratch.words);
    mn_lexicon_scratch_free(&scratch);
    mn_lexicon_free(lexicon);
    unlink(path);
}

static void lexicon_missing_from_the_cache_is_an_error(void **state)
{
    (void)state;
    mn_reward *reward = NULL;
    mn_err err;
    const char *before = getenv("MIGHTNT_CACHE");
    char *kept = before ? strdup(before) : NULL;
    setenv("MIGHTNT_CACHE", folder, 1);
    assert_int_equal(mn_reward_open(&reward, &(mn_reward_opts){.kind = MN_REWARD_LEXICON}, &err), MN_ERR_IO);
    assert_null(reward);
    assert_non_null(strstr(err.message, "./run build fetches it"));
    assert_non_null(strstr(err.file, "lexicon/vader_lexicon.txt"));
    if (kept)
        setenv("MIGHTNT_CACHE", kept, 1);
    else
        unsetenv("MIGHTNT_CACHE");
    free(kept);
}

/* ---- judge ---- */

/* Five symbols and order 1: what comes next depends on the last symbol only. */
enum { GOOD, BAD, ASK, YES, NO, SPACE, SYMBOLS };
static const char *const texts[SYMBOLS] = {"good", "bad", "?", "yes", "no", " "};

/* Rows [last symbol + 1]; after "?" yes .6 and no .2, after yes: yes .5. */
static mn_model *judging_model(void)
{
    mn_model *model;
    double lp[(SYMBOLS + 1) * SYMBOLS];
    for (size_t i = 0; i < (SYMBOLS + 1) * SYMBOLS; i++) lp[i] = log(1. / SYMBOLS);
    const double after_ask[SYMBOLS] = {.1, .1, 0, .6, .2, 0}, after_yes[SYMBOLS] = {.5, 0, 0, .5, 0, 0};
    for (size_t i = 0; i < SYMBOLS; i++) {
        lp[(ASK + 1) * SYMBOLS + i] = log(after_ask[i]);
        lp[(YES + 1) * SYMBOLS + i] = log(after_yes[i]);
    }
    assert_int_equal(mn_table_new(&model, SYMBOLS, 1, lp, texts, NULL), MN_OK);
    return model;
}

static double judged(mn_model *model, const char *yes, const char *no, double scale, const char *context, const char *text)
{
    mn_reward *reward;
    mn_scorer *scorer = scorer_of(
        &reward,
        &(mn_reward_opts){.kind = MN_REWARD_JUDGE, .judge = model, .question = "?", .yes = yes, .no = no, .scale = scale});
    mn_turn turn = turn_of(text);
    double value = -1, again = -1;
    turn.context = context;
    turn.context_len = strlen(context);
    assert_int_equal(mn_scorer_score(scorer, &value, &turn, NULL), MN_OK);
    assert_int_equal(mn_scorer_score(scorer, &again, &turn, NULL), MN_OK);
    assert_true(value == again);
    mn_scorer_free(scorer);
    mn_reward_free(reward);
    return value;
}

static void judge_compares_two_answers(void **state)
{
    (void)state;
    mn_model *model = judging_model();
    assert_near(judged(model, "yes", "no", 1, "good", "bad"), .6 / (.6 + .2), 1e-12);
    assert_near(judged(model, "no", "yes", 1, "good", "bad"), .2 / (.6 + .2), 1e-12);
    assert_near(judged(model, "yes", "no", 2, "", "bad"), 1 / (1 + sqrt(1. / 3)), 1e-12);
    assert_near(judged(model, "yesyes", "no", 1, "", ""), .3 / (.3 + .2), 1e-12);
    assert_near(judged(model, "no", "yesyesgood", 1, "", ""), .2 / (.2 + .15), 1e-12);
    assert_true(judged(model, "yes", "?", 1, "", "good") == 1);
    mn_model_free(model);
}

/* Order 2: what is asked of the model depends on the symbol before the question. */
static void judge_keeps_the_tail_of_a_long_context(void **state)
{
    (void)state;
    enum { A, B, Q, S, N };
    static const char *const letters[N] = {"a", "b", "?", " "};
    double lp[(N + 1) * (N + 1) * N];
    const double after_a[N] = {.7, .1, .1, .1}, after_b[N] = {.4, .2, .2, .2};
    for (size_t one = 0; one <= N; one++)
        for (size_t two = 0; two <= N; two++)
            for (size_t next = 0; next < N; next++) {
                double p = one == Q + 1 && two == A + 1 ? after_a[next] : one == Q + 1 && two == B + 1 ? after_b[next] : .25;
                lp[(one + (N + 1) * two) * N + next] = log(p);
            }
    mn_model *model;
    assert_int_equal(mn_table_new(&model, N, 2, lp, letters, NULL), MN_OK);
    char *context = malloc(10000);
    memset(context, 'b', 9999);
    context[9999] = '\0';
    mn_judge judge;
    mn_seat seat = {0};
    assert_int_equal(mn_judge_open(&judge, model, "?", "a", "b", 1, NULL), MN_OK);
    assert_int_equal(mn_seat_open(&seat, &judge, NULL), MN_OK);
    mn_turn turn = turn_of("a");
    double value;
    turn.context = context;
    for (size_t len = 0; len <= 9999; len += 3333) {
        turn.context_len = len;
        assert_int_equal(mn_judge_turn(&value, &seat, &judge, &turn, NULL), MN_OK);
        assert_near(value, .7 / .8, 1e-12);
        assert_int_equal(mn_session_length(seat.session), len ? (len + 3 < judge.room ? len + 3 : judge.room) : 2);
    }
    assert_int_equal(judge.room, MN_JUDGE_POSITIONS - 1);
    mn_seat_close(&seat);
    mn_judge_close(&judge);
    mn_model_free(model);
    free(context);
}

static void judge_refuses_answers_it_cannot_compare(void **state)
{
    (void)state;
    mn_model *model = judging_model();
    mn_reward *reward = NULL;
    mn_err err;
    mn_reward_opts opts = {.kind = MN_REWARD_JUDGE, .judge = model, .question = "?", .yes = "yes", .no = "yes", .scale = 1};
    assert_int_equal(mn_reward_open(&reward, &opts, &err), MN_ERR_INPUT);
    assert_non_null(strstr(err.message, "are the same to the model"));
    opts.no = "";
    assert_int_equal(mn_reward_open(&reward, &opts, &err), MN_ERR_INPUT);
    opts.no = "no";
    opts.scale = NAN;
    assert_int_equal(mn_reward_open(&reward, &opts, &err), MN_ERR_INPUT);
    opts.scale = 1;
    opts.yes = "? ";
    opts.no = " ";
    mn_scorer *scorer = scorer_of(&reward, &opts);
    mn_turn turn = turn_of("good");
    turn.context_len = 0;
    double value = 7;
    assert_int_equal(mn_scorer_score(scorer, &value, &turn, &err), MN_ERR_NUM);
    assert_string_equal(err.message, "the judge finds neither of its answers possible");
    assert_true(value == 7);
    mn_scorer_free(scorer);
    mn_reward_free(reward);
    mn_model_free(model);
}

/* ---- command ---- */

/* A program that answers its lines by a shell loop. */
#define EACH(answer) "while read -r line; do " answer "; done"

static int open_files(void)
{
    int n = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir)) n++;
    closedir(dir);
    return n;
}

static void assert_no_children(void)
{
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* Scores a turn `asked` times; the last status, with its message. */
static mn_status ask(const char *command, double timeout_s, int asked, double *value, mn_err *err)
{
    mn_reward *reward;
    int files = open_files();
    mn_scorer *scorer =
        scorer_of(&reward, &(mn_reward_opts){.kind = MN_REWARD_COMMAND, .command = command, .timeout_s = timeout_s});
    mn_turn turn = turn_of("So \"good\"\n\xff");
    mn_status status = MN_OK;
    for (int i = 0; i < asked; i++) status = mn_scorer_score(scorer, value, &turn, err);
    mn_scorer_free(scorer);
    mn_reward_free(reward);
    assert_int_equal(open_files(), files);
    assert_no_children();
    return status;
}

static void command_gets_one_line_and_gives_one(void **state)
{
    (void)state;
    char command[256], line[512] = "";
    const char *seen = write_file("seen", "");
    mn_err err = {0};
    double value = -1;
    snprintf(command, sizeof command, EACH("printf '%%s\\n' \"$line\" >> %s; echo '{\"reward\": 0.25}'"), seen);
    assert_int_equal(ask(command, 20, 3, &value, &err), MN_OK);
    assert_true(value == .25);
    FILE *file = fopen(seen, "rb");
    for (int i = 0; i < 3; i++) {
        assert_non_null(fgets(line, sizeof line, file));
        assert_string_equal(
            line, "{\"text\": \"So \\\"good\\\"\\n\xEF\xBF\xBD\", \"context\": \"\\n\\nTeacher: Well?\\n\\nStudent:\", "
                  "\"role\": \"student\", \"turn\": 2, \"episode\": 12}\n");
    }
    assert_null(fgets(line, sizeof line, file));
    fclose(file);
    unlink(seen);
}

static void command_may_answer_at_length_and_be_asked_at_length(void **state)
{
    (void)state;
    enum { N = 3 << 20 };
    mn_reward *reward;
    char *text = malloc(N);
    memset(text, 'x', N);
    mn_turn turn = turn_of("");
    turn.text = text;
    turn.len = N;
    double value = -1;
    /* Talks on stderr while it is talked to, more than a pipe holds; neither may wait for the other. */
    const char *command =
        EACH("dd if=/dev/zero bs=65536 count=8 2>/dev/null | tr '\\0' 'e' >&2; printf '{\"reward\": %60000s}\\n' 1");
    mn_scorer *scorer = scorer_of(&reward, &(mn_reward_opts){.kind = MN_REWARD_COMMAND, .command = command, .timeout_s = 60});
    for (int i = 0; i < 2; i++) {
        assert_int_equal(mn_scorer_score(scorer, &value, &turn, NULL), MN_OK);
        assert_true(value == 1);
    }
    mn_scorer_free(scorer);
    mn_reward_free(reward);

    /* One that answers before it has read all. */
    mn_err err = {0};
    command = "head -c 1 >/dev/null; echo '{\"reward\": 1}'; sleep 100";
    scorer = scorer_of(&reward, &(mn_reward_opts){.kind = MN_REWARD_COMMAND, .command = command, .timeout_s = 60});
    assert_int_equal(mn_scorer_score(scorer, &value, &turn, &err), MN_ERR_INPUT);
    assert_string_equal(err.message,
                        "the reward command wrote \"{\"reward\": 1}?\" before it had its question (episode 12, turn 2)");
    mn_scorer_free(scorer);
    mn_reward_free(reward);
    free(text);
}

#define EXPECTED "expected {\"reward\": x} with x in [0,1] (episode 12, turn 2)"
#define REFUSED(answer)                                                                                                        \
    {                                                                                                                          \
        EACH("echo '" answer "'"), "answered \"" answer "\": " EXPECTED, MN_ERR_INPUT                                          \
    }

static void command_failures_say_what_happened(void **state)
{
    (void)state;
    const struct {
        const char *command, *message;
        mn_status status;
    } known[] = {
        {"exit 3", "ended with exit status 3 (episode 12, turn 2)", MN_ERR_IO},
        {"read -r line; printf oh; exit 0", "ended with exit status 0 after \"oh\" (episode 12, turn 2)", MN_ERR_IO},
        {"read -r line; echo first >&2; echo 'no model' >&2; exit 1",
         "ended with exit status 1 (episode 12, turn 2); its last line on stderr: \"no model\"", MN_ERR_IO},
        {"/no/such/program", "ended with exit status 127 (episode 12, turn 2); its last line on stderr: \"", MN_ERR_IO},
        {"kill -SEGV $$", "was killed by signal 11 (SIGSEGV) (episode 12, turn 2)", MN_ERR_IO},
        {"read -r line; exec >&-; sleep 100", "closed its output (episode 12, turn 2)", MN_ERR_IO},
        {EACH("echo"), "answered an empty line: " EXPECTED, MN_ERR_INPUT},
        REFUSED("nan"),
        REFUSED("{\"reward\": NaN}"),
        REFUSED("{\"reward\": 1.0000001}"),
        REFUSED("{\"reward\": -1e-9}"),
        REFUSED("{\"reward\": 1e999}"),
        REFUSED("{\"reward\": \"inf\"}"),
        REFUSED("{\"reward\": null}"),
        REFUSED("{\"reward\": 0, \"reward\": 1}"),
        REFUSED("{\"score\": 1}"),
        REFUSED("[0.5]"),
        REFUSED("{\"reward\": 0.5} x"),
        {EACH("printf '{\"reward\": 1}\\n{\"reward\": 1}\\n'"),
         "answered with more than one line: \"{\"reward\": 1}?{\"reward\": 1}?\" (episode 12, turn 2)", MN_ERR_INPUT},
        {EACH("printf %70000s 1; echo"), "answered with a line of more than 65536 bytes: \"", MN_ERR_INPUT},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        mn_err err = {0};
        double value = 7;
        char expected[512];
        snprintf(expected, sizeof expected, "the reward command %s", known[i].message);
        assert_int_equal(ask(known[i].command, 20, 1, &value, &err), known[i].status);
        assert_memory_equal(err.message, expected, strlen(expected));
        if (known[i].message[strlen(known[i].message) - 1] == ')') assert_string_equal(err.message, expected);
        assert_true(value == 7);
    }
}

static void command_that_hangs_is_killed_with_all_it_started(void **state)
{
    (void)state;
    char command[256], text[32] = "";
    const char *path = write_file("pid", "");
    mn_err err = {0};
    double value = 7, begin = now();
    snprintf(command, sizeof command, "sleep 1000 & echo $! > %s; read -r line; printf '{\"rew'; wait", path);
    assert_int_equal(ask(command, .3, 1, &value, &err), MN_ERR_LIMIT);
    assert_string_equal(err.message, "the reward command gave no answer within 0.3 s, only \"{\"rew\" (episode 12, turn 2)");
    assert_true(value == 7 && now() - begin < 20);
    FILE *file = fopen(path, "rb");
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    unlink(path);
    /* The sleeper is gone, or dead and not yet reaped by init. */
    char stat[64], line[256] = "";
    snprintf(stat, sizeof stat, "/proc/%d/stat", atoi(text));
    for (int i = 0; i < 1000 && (file = fopen(stat, "rb")); i++) {
        bool dead = fgets(line, sizeof line, file) && strstr(line, ") Z");
        fclose(file);
        if (dead) break;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        assert_int_not_equal(i, 999);
    }
}

static void command_that_speaks_first_is_refused(void **state)
{
    (void)state;
    mn_reward *reward;
    mn_err err = {0};
    double value = 7;
    mn_turn turn = turn_of("");
    const char *path = write_file("spoken", "");
    char command[256];
    snprintf(command, sizeof command, "echo '{\"reward\": 1}'; echo x > %s; read -r line", path);
    mn_scorer *scorer = scorer_of(&reward, &(mn_reward_opts){.kind = MN_REWARD_COMMAND, .command = command, .timeout_s = 20});
    struct stat info = {.st_size = 0};
    while (info.st_size == 0) assert_int_equal(stat(path, &info), 0);
    assert_int_equal(mn_scorer_score(scorer, &value, &turn, &err), MN_ERR_INPUT);
    assert_string_equal(err.message,
                        "the reward command wrote \"{\"reward\": 1}?\" before it had its question (episode 12, turn 2)");
    assert_int_equal(mn_scorer_score(scorer, &value, &turn, &err), MN_ERR_IO);
    assert_string_equal(err.message, "the reward command was ended after a failure");
    assert_true(value == 7);
    mn_scorer_free(scorer);
    mn_reward_free(reward);
    unlink(path);
}

/* A program that died between two questions: writing to it raises no signal, and signals are as they were. */
static void command_that_died_raises_no_signal(void **state)
{
    (void)state;
    struct sigaction after, before = {.sa_handler = SIG_DFL};
    siginfo_t info;
    mn_reward *reward;
    mn_err err = {0};
    double value = 7;
    mn_turn turn = turn_of("");
    assert_int_equal(sigaction(SIGPIPE, &before, NULL), 0);
    mn_scorer *scorer = scorer_of(&reward, &(mn_reward_opts){.kind = MN_REWARD_COMMAND,
                                                             .timeout_s = 20,
                                                             .command = "read -r line; echo '{\"reward\": 1}'; kill -9 $$"});
    assert_int_equal(mn_scorer_score(scorer, &value, &turn, &err), MN_OK);
    assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(mn_scorer_score(scorer, &value, &turn, &err), MN_ERR_IO);
    assert_string_equal(err.message, "the reward command was killed by signal 9 (SIGKILL) (episode 12, turn 2)");
    assert_true(value == 1);
    assert_int_equal(sigaction(SIGPIPE, NULL, &after), 0);
    assert_true(after.sa_handler == SIG_DFL);
    mn_scorer_free(scorer);
    mn_reward_free(reward);
    assert_no_children();
}

static void command_needs_a_command_and_a_limit(void **state)
{
    (void)state;
    mn_reward *reward;
    assert_int_equal(mn_reward_open(&reward, &(mn_reward_opts){.kind = MN_REWARD_COMMAND, .command = "", .timeout_s = 1}, NULL),
                     MN_ERR_INPUT);
    assert_int_equal(
        mn_reward_open(&reward, &(mn_reward_opts){.kind = MN_REWARD_COMMAND, .command = "cat", .timeout_s = 0}, NULL),
        MN_ERR_INPUT);
    assert_int_equal(
        mn_reward_open(&reward, &(mn_reward_opts){.kind = MN_REWARD_COMMAND, .command = "cat", .timeout_s = NAN}, NULL),
        MN_ERR_INPUT);
}

/* ---- threads ---- */

typedef struct crew {
    mn_scorer *scorers[4];
    double values[64];
} crew;

static mn_status score_one(void *arg, size_t task, size_t thread, mn_err *err)
{
    crew *c = arg;
    char text[64];
    snprintf(text, sizeof text, "%s good and %s bad", task % 2 ? "very" : "not", task % 3 ? "hardly" : "REALLY");
    mn_turn turn = turn_of(text);
    return mn_scorer_score(c->scorers[thread], &c->values[task], &turn, err);
}

static void any_number_of_threads_scores_the_same(void **state)
{
    (void)state;
    const mn_reward_opts opts[] = {
        {.kind = MN_REWARD_LEXICON},
        {.kind = MN_REWARD_COMMAND, .timeout_s = 60, .command = EACH("n=${#line}; echo \"{\\\"reward\\\": 0.$n}\"")},
    };
    for (size_t k = 0; k < 2; k++) {
        mn_reward *reward;
        crew one = {0}, many = {0};
        assert_int_equal(mn_reward_open(&reward, &opts[k], NULL), MN_OK);
        for (size_t i = 0; i < 4; i++) assert_int_equal(mn_scorer_new(&many.scorers[i], reward, NULL), MN_OK);
        one.scorers[0] = many.scorers[0];
        assert_int_equal(mn_parallel(1, 64, score_one, &one, NULL), MN_OK);
        assert_int_equal(mn_parallel(4, 64, score_one, &many, NULL), MN_OK);
        assert_memory_equal(one.values, many.values, sizeof one.values);
        assert_true(one.values[0] != one.values[1]);
        for (size_t i = 0; i < 4; i++) mn_scorer_free(many.scorers[i]);
        mn_reward_free(reward);
    }
    assert_no_children();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dictionary_numbers_keys_in_order),
        cmocka_unit_test(lexicon_maps_the_compound_to_the_unit_interval),
        cmocka_unit_test(lexicon_of_ones_own_needs_no_emoji),
        cmocka_unit_test(lexicon_takes_memory_only_while_texts_grow),
        cmocka_unit_test(lexicon_missing_from_the_cache_is_an_error),
        cmocka_unit_test(judge_compares_two_answers),
        cmocka_unit_test(judge_keeps_the_tail_of_a_long_context),
        cmocka_unit_test(judge_refuses_answers_it_cannot_compare),
        cmocka_unit_test(command_gets_one_line_and_gives_one),
        cmocka_unit_test(command_may_answer_at_length_and_be_asked_at_length),
        cmocka_unit_test(command_failures_say_what_happened),
        cmocka_unit_test(command_that_hangs_is_killed_with_all_it_started),
        cmocka_unit_test(command_that_speaks_first_is_refused),
        cmocka_unit_test(command_that_died_raises_no_signal),
        cmocka_unit_test(command_needs_a_command_and_a_limit),
        cmocka_unit_test(any_number_of_threads_scores_the_same),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
