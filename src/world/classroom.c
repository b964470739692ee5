#include "world/classroom.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

/* ---- the one built in ------------------------------------------------------------------------------------------ */

enum { START, EXPLAIN, ASK, HINT, PRAISE, CORRECT, SILENCE, RIGHT, WRONG, CONFUSED, THANKS, QUIET, SYMBOLS };

static const char *const names[SYMBOLS] = {"start",   "explain", "ask",   "hint",     "praise", "correct",
                                           "silence", "right",   "wrong", "confused", "thanks", "quiet"};
static const double rewards[SYMBOLS] = {[RIGHT] = .7, [WRONG] = .2, [CONFUSED] = .1, [THANKS] = 1, [QUIET] = .5};

/* After each symbol, weights of what is said next; every move of the speaker gets 1e-6 besides. */
static const double weights[SYMBOLS][SYMBOLS] = {
    [START] = {[EXPLAIN] = .70, [ASK] = .30},
    [RIGHT] = {[PRAISE] = .60, [ASK] = .25, [EXPLAIN] = .15},
    [WRONG] = {[CORRECT] = .50, [HINT] = .40, [EXPLAIN] = .10},
    [CONFUSED] = {[EXPLAIN] = .50, [HINT] = .50},
    [THANKS] = {[ASK] = .60, [EXPLAIN] = .40},
    [QUIET] = {[ASK] = .70, [HINT] = .30},
    [EXPLAIN] = {[CONFUSED] = .35, [THANKS] = .20, [QUIET] = .45},
    [ASK] = {[RIGHT] = .45, [WRONG] = .35, [CONFUSED] = .20},
    [HINT] = {[RIGHT] = .50, [WRONG] = .20, [CONFUSED] = .30},
    [PRAISE] = {[THANKS] = .90, [QUIET] = .10},
    [CORRECT] = {[CONFUSED] = .40, [THANKS] = .30, [QUIET] = .30},
    [SILENCE] = {[QUIET] = .80, [CONFUSED] = .20},
};

/* Any answer makes some sense after any move. */
static const char *const sentences[SYMBOLS][3] = {
    {"", "", ""},
    {"Two fractions can be added once they count the same parts.", "Here is why: a half is two quarters.",
     "Let me show you how I would do this one."},
    {"What do you get for the next one?", "And how would you go on from here?", "Your turn: what comes out?"},
    {"Try drawing it as a pizza.", "Look at the denominators once more.", "What if you cut each part in two?"},
    {"Wonderful!", "You are brilliant!", "What a clever thought!"},
    {"Not quite: those were thirds, not quarters.", "Almost, but the denominators stay.",
     "Let us put that right: it is five sixths."},
    {"(says nothing)", "(looks out of the window)", "(turns a page)"},
    {"I have it: three quarters.", "Five sixths!", "It must be one and a half."},
    {"Two sixths?", "Then it is two sevenths?", "I would say one fifth."},
    {"I don't understand.", "Wait, why?", "Now I am lost."},
    {"Oh, thank you!", "Thanks, that is kind!", "Thank you, now I like fractions."},
    {"(writes it down)", "Hm.", "(nods)"},
};

static bool is_teachers(int symbol)
{
    return symbol >= EXPLAIN && symbol <= SILENCE;
}

/* Row `after`: who speaks is the student after the teacher's moves, else the teacher. */
static void built_in_row(double *lp, int after)
{
    double sum = 0, w[SYMBOLS] = {0};
    for (int a = EXPLAIN; a < SYMBOLS; a++)
        if (is_teachers(a) != is_teachers(after)) sum += w[a] = weights[after][a] + 1e-6;
    for (int a = 0; a < SYMBOLS; a++) lp[a] = log(w[a] / sum);
}

static mn_status built_in_table(mn_model **out, mn_err *err)
{
    double lp[(SYMBOLS + 1) * SYMBOLS];
    for (int row = 0; row <= SYMBOLS; row++) built_in_row(lp + row * SYMBOLS, row ? row - 1 : START);
    return mn_table_new(out, SYMBOLS, 1, lp, names, err);
}

/* ---- arrays ------------------------------------------------------------------------------------------------------ */

static mn_status copy(char **out, const char *text, mn_err *err)
{
    free(*out);
    *out = strdup(text);
    return *out ? MN_OK : mn_fail(err, MN_ERR_MEMORY, "out of memory");
}

static mn_status allocate(mn_classroom *c, mn_err *err)
{
    c->A = mn_model_alphabet(c->table);
    c->start = -1;
    MN_ALLOC_OR_FAIL(c->moves, c->A, err);
    MN_ALLOC_OR_FAIL(c->answers, c->A, err);
    MN_ALLOC_OR_FAIL(c->agent, c->A, err);
    MN_ALLOC_OR_FAIL(c->reward, c->A, err);
    MN_ALLOC_OR_FAIL(c->first, c->A + 1, err);
    return MN_OK;
}

static void list_moves(mn_classroom *c)
{
    for (size_t a = 0; a < c->A; a++) {
        if (c->agent[a]) c->moves[c->M++] = (int32_t)a;
        if (!c->agent[a] && (int32_t)a != c->start) c->answers[c->O++] = (int32_t)a;
    }
}

static mn_status built_in(mn_classroom *c, mn_err *err)
{
    MN_TRY(built_in_table(&c->table, err));
    MN_TRY(allocate(c, err));
    c->start = START;
    for (int a = 0; a < SYMBOLS; a++) c->agent[a] = is_teachers(a);
    memcpy(c->reward, rewards, sizeof rewards);
    MN_ALLOC_OR_FAIL(c->sentences, 3 * SYMBOLS, err);
    c->n_sentences = 3 * SYMBOLS;
    for (size_t i = 0; i < 3 * SYMBOLS; i++) MN_TRY(copy(&c->sentences[i], sentences[i / 3][i % 3], err));
    for (size_t a = 0; a <= SYMBOLS; a++) c->first[a] = 3 * a;
    MN_TRY(copy(&c->roles[0], "teacher", err));
    return copy(&c->roles[1], "student", err);
}

/* ---- from a file --------------------------------------------------------------------------------------------------- */

static mn_status bad(mn_err *err, const char *path, const char *key, const char *wanted)
{
    return mn_fail_at(err, MN_ERR_INPUT, path, 0, 0, "\"%s\": expected %s", key, wanted);
}

static mn_status find(int32_t *out, const mn_classroom *c, const char *name, const char *key, const char *path, mn_err *err)
{
    for (size_t a = 0; name && a < c->A; a++)
        if (strcmp(name, mn_classroom_name(c, (int32_t)a)) == 0) return *out = (int32_t)a, MN_OK;
    return mn_fail_at(err, MN_ERR_INPUT, path, 0, 0, "\"%s\": expected one of \"symbols\", got %s%.60s%s", key,
                      name ? "\"" : "", name ? name : "something that is no text", name ? "\"" : "");
}

static mn_status read_agent(mn_classroom *c, const json_t *root, const char *path, mn_err *err)
{
    const json_t *list = json_object_get(root, "agent");
    int32_t symbol;
    if (!json_array_size(list)) return bad(err, path, "agent", "a list of the agent's symbols");
    for (size_t i = 0; i < json_array_size(list); i++) {
        MN_TRY(find(&symbol, c, json_string_value(json_array_get(list, i)), "agent", path, err));
        c->agent[symbol] = true;
    }
    return MN_OK;
}

static mn_status read_rewards(mn_classroom *c, const json_t *root, const char *path, mn_err *err)
{
    json_t *object = json_object_get(root, "rewards"), *value;
    const char *name;
    int32_t symbol;
    if (!json_is_object(object)) return bad(err, path, "rewards", "an object of symbols and numbers");
    json_object_foreach(object, name, value)
    {
        MN_TRY(find(&symbol, c, name, "rewards", path, err));
        if (!json_is_number(value)) return bad(err, path, "rewards", "an object of symbols and numbers");
        c->reward[symbol] = json_number_value(value);
    }
    return MN_OK;
}

static mn_status read_roles(mn_classroom *c, const json_t *root, const char *path, mn_err *err)
{
    const json_t *roles = json_object_get(root, "roles");
    const char *names_of[2] = {"agent", "other"};
    if (roles && json_array_size(roles) != 2) return bad(err, path, "roles", "two texts");
    for (size_t i = 0; i < 2; i++) {
        if (roles && !(names_of[i] = json_string_value(json_array_get(roles, i)))) return bad(err, path, "roles", "two texts");
        MN_TRY(copy(&c->roles[i], names_of[i], err));
    }
    return MN_OK;
}

static mn_status read_sentences(mn_classroom *c, const json_t *root, const char *path, mn_err *err)
{
    json_t *object = json_object_get(root, "sentences"), *list;
    const char *name;
    size_t n = 0;
    int32_t symbol;
    if (object && !json_is_object(object)) return bad(err, path, "sentences", "an object of symbols and lists of texts");
    json_object_foreach(object, name, list)
    {
        MN_TRY(find(&symbol, c, name, "sentences", path, err));
        n += json_array_size(list);
    }
    MN_ALLOC_OR_FAIL(c->sentences, n, err);
    c->n_sentences = n;
    for (size_t a = 0; a < c->A; a++) {
        list = json_object_get(object, mn_classroom_name(c, (int32_t)a));
        c->first[a + 1] = c->first[a];
        for (size_t i = 0; i < json_array_size(list); i++) {
            const char *text = json_string_value(json_array_get(list, i));
            if (!text) return bad(err, path, "sentences", "an object of symbols and lists of texts");
            MN_TRY(copy(&c->sentences[c->first[a + 1]++], text, err));
        }
    }
    return MN_OK;
}

static mn_status read_file(mn_classroom *c, const json_t *root, const char *path, mn_err *err)
{
    const json_t *start = json_object_get(root, "start");
    MN_TRY(allocate(c, err));
    MN_TRY(read_agent(c, root, path, err));
    MN_TRY(read_rewards(c, root, path, err));
    MN_TRY(read_roles(c, root, path, err));
    if (start) MN_TRY(find(&c->start, c, json_string_value(start), "start", path, err));
    if (start && c->agent[c->start]) return bad(err, path, "start", "a symbol that is not the agent's");
    return read_sentences(c, root, path, err);
}

static mn_status from_file(mn_classroom *c, const char *path, mn_err *err)
{
    mn_buf text = {0};
    json_t *root = NULL;
    MN_TRY(mn_table_open(&c->table, path, err));
    mn_status status = mn_file_read(&text, path, err);
    if (status == MN_OK) status = mn_json_parse(&root, text.data, text.len, path, 0, err);
    if (status == MN_OK) status = read_file(c, root, path, err);
    json_decref(root);
    mn_buf_free(&text);
    return status;
}

/* ---- whole worlds --------------------------------------------------------------------------------------------------- */

mn_status mn_classroom_open(mn_classroom *out, const char *path, mn_err *err)
{
    *out = (mn_classroom){0};
    mn_status status = *path ? from_file(out, path, err) : built_in(out, err);
    if (status == MN_OK) list_moves(out);
    if (status == MN_OK && !out->O) status = bad(err, path, "agent", "some symbols to be the other's");
    if (status != MN_OK) mn_classroom_free(out);
    return status;
}

void mn_classroom_free(mn_classroom *c)
{
    for (size_t i = 0; i < c->n_sentences; i++) free(c->sentences[i]);
    mn_model_free(c->table);
    free(c->moves);
    free(c->answers);
    free(c->agent);
    free(c->reward);
    free(c->roles[0]);
    free(c->roles[1]);
    free(c->sentences);
    free(c->first);
    *c = (mn_classroom){0};
}

bool mn_classroom_has(const mn_classroom *classroom, int32_t symbol, bool agent)
{
    return symbol != classroom->start && classroom->agent[symbol] == agent;
}

const char *mn_classroom_name(const mn_classroom *classroom, int32_t symbol)
{
    return mn_model_piece(classroom->table, symbol, NULL);
}

const char *mn_classroom_sentence(const mn_classroom *c, int32_t symbol, double u)
{
    size_t first = c->first[symbol], n = c->first[symbol + 1] - first;
    return n ? c->sentences[first + (size_t)(u * (double)n)] : mn_classroom_name(c, symbol);
}

static mn_status draw(int32_t *ids, size_t n, mn_session *session, double *lp, size_t A, mn_rng *rng, mn_err *err)
{
    for (size_t i = 0; i < n; i++) {
        MN_TRY(mn_session_predict(session, lp, err));
        ids[i] = (int32_t)mn_sample(lp, A, mn_rng_uniform(rng));
        MN_TRY(mn_session_append(session, &ids[i], 1, err));
    }
    return MN_OK;
}

mn_status mn_classroom_draw(const mn_classroom *c, int32_t *ids, size_t exchanges, mn_rng *rng, mn_err *err)
{
    mn_worker *worker;
    mn_session *session;
    double *lp;
    MN_ALLOC_OR_FAIL(lp, c->A, err);
    mn_status status = mn_worker_new(&worker, c->table, 1, 2 * exchanges, err);
    if (status != MN_OK) return free(lp), status;
    status = mn_session_begin(&session, worker, err);
    if (status == MN_OK) status = draw(ids, 2 * exchanges, session, lp, c->A, rng, err);
    mn_worker_free(worker);
    free(lp);
    return status;
}
