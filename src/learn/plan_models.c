#include "learn/plan_models.h"

#include <string.h>

/* ---- demonstrations ---------------------------------------------------------------------------------------------- */

typedef struct reader {
    mn_demonstrations *to;
    size_t ids, id_cap, end_cap;
} reader;

static mn_status room(void *array, size_t n, size_t *cap, size_t size, mn_err *err)
{
    void *old, *grown;
    if (n <= *cap) return MN_OK;
    size_t more = n < 4096 ? 4096 : 2 * n;
    memcpy(&old, array, sizeof old);
    if (!(grown = reallocarray(old, more, size))) return mn_fail(err, MN_ERR_MEMORY, "out of memory for the demonstrations");
    memcpy(array, &grown, sizeof grown);
    *cap = more;
    return MN_OK;
}

static mn_status begin_sequence(reader *r, mn_err *err)
{
    MN_TRY(room(&r->to->ends, r->to->n + 1, &r->end_cap, sizeof *r->to->ends, err));
    r->to->n++;
    return MN_OK;
}

static mn_status read_all(reader *r, mn_symbols *symbols, mn_err *err)
{
    enum { SOME = 4096 };
    for (;;) {
        size_t n;
        bool begins;
        MN_TRY(room(&r->to->ids, r->ids + SOME, &r->id_cap, sizeof *r->to->ids, err));
        MN_TRY(mn_symbols_next(symbols, r->to->ids + r->ids, SOME, &n, &begins, err));
        if (!n) return MN_OK;
        if (begins) MN_TRY(begin_sequence(r, err));
        r->ids += n;
        r->to->ends[r->to->n - 1] = r->ids;
    }
}

static mn_status read_transcripts(mn_demonstrations *to, const char *path, const mn_classroom *world, mn_err *err)
{
    reader r = {.to = to};
    mn_symbols *symbols;
    mn_symbols_opts opts = {.path = path, .format = MN_SYMBOLS_TRANSCRIPTS, .model = world->table};
    MN_TRY(mn_symbols_open(&symbols, &opts, err));
    mn_status status = read_all(&r, symbols, err);
    mn_symbols_free(symbols);
    return status;
}

static mn_status draw(mn_demonstrations *to, const mn_plan_settings *s, const mn_classroom *world, mn_err *err)
{
    size_t n = (size_t)s->demonstrations, turns = (size_t)s->demonstration_turns, all;
    if (!mn_mul_size(&all, n, 2 * turns))
        return mn_fail(err, MN_ERR_LIMIT, "%zu demonstrations of %zu turns are too many", n, turns);
    MN_ALLOC_OR_FAIL(to->ids, all, err);
    MN_ALLOC_OR_FAIL(to->ends, n, err);
    for (size_t i = 0; i < n; i++) {
        mn_rng rng = mn_rng_split((uint64_t)s->seed, i, MN_STREAM_DEMONSTRATION);
        MN_TRY(mn_classroom_draw(world, to->ids + 2 * turns * i, turns, &rng, err));
        to->ends[i] = 2 * turns * (i + 1);
    }
    to->n = n;
    return MN_OK;
}

/* ---- the imitator -------------------------------------------------------------------------------------------------- */

/* fn(model, a demonstration, its length). */
typedef mn_status learn_one(mn_model *model, const int32_t *ids, size_t n, mn_err *err);

static mn_status learn_tree(mn_model *model, const int32_t *ids, size_t n, mn_err *err)
{
    return mn_bct_learn(model, ids, n, true, err);
}

static mn_status learn_all(mn_model *model, learn_one *fn, const mn_demonstrations *d, mn_err *err)
{
    for (size_t i = 0, from = 0; i < d->n; from = d->ends[i++]) MN_TRY(fn(model, d->ids + from, d->ends[i] - from, err));
    return MN_OK;
}

static mn_status grow_tree(mn_plan_models *m, const mn_plan_settings *s, mn_err *err)
{
    const mn_classroom *w = &m->world;
    const char **names;
    MN_ALLOC_OR_FAIL(names, w->A, err);
    for (size_t a = 0; a < w->A; a++) names[a] = mn_classroom_name(w, (int32_t)a);
    mn_bct_opts opts = {.A = w->A, .D = (size_t)s->depth, .start = w->start, .names = names};
    mn_status status = mn_bct_new(&m->imitator, &opts, err);
    free(names);
    if (status == MN_OK) status = learn_all(m->imitator, learn_tree, &m->demonstrations, err);
    return status;
}

static mn_status open_model(mn_plan_models *m, const char *path, mn_err *err)
{
    const mn_classroom *w = &m->world;
    size_t length = strlen(path);
    bool table = length >= 5 && strcmp(path + length - 5, ".json") == 0;
    MN_TRY(table ? mn_table_open(&m->imitator, path, err) : mn_bct_open(&m->imitator, path, err));
    if (mn_model_alphabet(m->imitator) != w->A)
        return mn_fail_at(err, MN_ERR_INPUT, path, 0, 0, "the model has %zu symbols: expected the world's %zu",
                          mn_model_alphabet(m->imitator), w->A);
    for (size_t a = 0; a < w->A; a++) {
        const char *name = mn_model_piece(m->imitator, (int32_t)a, NULL), *wanted = mn_classroom_name(w, (int32_t)a);
        if (strcmp(name, wanted) != 0)
            return mn_fail_at(err, MN_ERR_INPUT, path, 0, 0, "symbol %zu is \"%.60s\": expected the world's \"%.60s\"", a, name,
                              wanted);
    }
    return MN_OK;
}

static mn_status make_base(mn_plan_models *m, const mn_plan_settings *s, mn_err *err)
{
    mn_switch_opts opts = {.model = m->imitator, .allowed = m->world.agent, .turns = (size_t)s->turns};
    MN_TRY(s->switching ? mn_switch_new(&m->confined, &opts, err)
                        : mn_only_new(&m->confined, m->imitator, m->world.agent, err));
    m->base = m->confined;
    if (s->switching) MN_TRY(learn_all(m->confined, mn_switch_learn, &m->demonstrations, err));
    if (s->alpha == 1) return MN_OK;
    MN_TRY(mn_pessimist_new(&m->pessimist, m->confined, s->alpha, s->leaf_alpha < 1 ? s->leaf_alpha : 0, err));
    m->base = m->pessimist;
    return MN_OK;
}

mn_status mn_plan_models_open(mn_plan_models *out, const mn_plan_settings *settings, mn_err *err)
{
    *out = (mn_plan_models){0};
    MN_TRY(mn_classroom_open(&out->world, settings->world, err));
    MN_TRY(*settings->transcripts ? read_transcripts(&out->demonstrations, settings->transcripts, &out->world, err)
                                  : draw(&out->demonstrations, settings, &out->world, err));
    MN_TRY(*settings->model ? open_model(out, settings->model, err) : grow_tree(out, settings, err));
    return make_base(out, settings, err);
}

void mn_plan_models_free(mn_plan_models *models)
{
    mn_model_free(models->pessimist);
    mn_model_free(models->confined);
    mn_model_free(models->imitator);
    mn_classroom_free(&models->world);
    free(models->demonstrations.ids);
    free(models->demonstrations.ends);
    *models = (mn_plan_models){0};
}
