#include "learn/lab.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const mn_lab_experiment *const experiments[] = {&mn_lab_triangle, &mn_lab_novelty, &mn_lab_unprecedented,
                                                       &mn_lab_tvd,      &mn_lab_mightnt, &mn_lab_help,
                                                       &mn_lab_waiting,  &mn_lab_simple};
enum { EXPERIMENTS = sizeof experiments / sizeof *experiments };

size_t mn_lab_kinds(void)
{
    return EXPERIMENTS;
}

const mn_lab_kind *mn_lab_kind_at(size_t i)
{
    return &experiments[i]->kind;
}

/* ---- what comes out -------------------------------------------------------------------------------------------- */

void mn_lab_headings(mn_lab *lab, const char *heading, const char *const *headings)
{
    lab->heading = heading;
    for (; *headings; headings++) lab->headings[lab->columns++] = *headings;
}

/* Room for one more in an array of n. */
static void *extend(void *array, size_t n, size_t size, mn_err *err)
{
    if (n & (n - 1)) return array; /* grown at 0, 1, 2, 4, ... */
    void *more = realloc(array, (n ? 2 * n : 1) * size);
    if (!more) (void)mn_fail(err, MN_ERR_MEMORY, "out of memory");
    return more;
}

mn_status mn_lab_add_row(mn_lab *lab, const char *label, const double *values, mn_err *err)
{
    mn_lab_row *rows = extend(lab->row, lab->rows, sizeof *rows, err);
    if (!rows) return MN_ERR_MEMORY;
    lab->row = rows;
    mn_lab_row *row = &rows[lab->rows++];
    snprintf(row->label, sizeof row->label, "%s", label);
    memcpy(row->values, values, lab->columns * sizeof *values);
    return MN_OK;
}

mn_status mn_lab_add_check(mn_lab *lab, double value, mn_lab_relation relation, double limit, mn_err *err, const char *what,
                           ...)
{
    va_list args;
    mn_lab_check *checks = extend(lab->check, lab->checks, sizeof *checks, err);
    if (!checks) return MN_ERR_MEMORY;
    lab->check = checks;
    mn_lab_check *check = &checks[lab->checks++];
    *check = (mn_lab_check){.value = value, .limit = limit, .relation = relation};
    check->holds = relation == MN_LAB_AT_MOST ? value <= limit : value >= limit; /* a NaN does not */
    lab->holds &= check->holds;
    va_start(args, what);
    vsnprintf(check->what, sizeof check->what, what, args);
    va_end(args);
    return MN_OK;
}

mn_status mn_lab_find(mn_lab *lab, mn_err *err, const char *format, ...)
{
    char text[600];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t had = lab->finding ? strlen(lab->finding) : 0;
    char *all = realloc(lab->finding, had + strlen(text) + 2);
    if (!all) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    sprintf(all + had, "%s%s", had ? " " : "", text);
    lab->finding = all;
    return MN_OK;
}

void mn_lab_free(mn_lab *lab)
{
    if (!lab) return;
    free(lab->row);
    free(lab->check);
    free(lab->finding);
    free(lab);
}

/* ---- settings -------------------------------------------------------------------------------------------------- */

static mn_status set_one(mn_lab_run_of *run, const char *key, const char *value, const char *whole, mn_err *err)
{
    const mn_lab_kind *kind = run->lab->kind;
    char *set = run->lab->set;
    const char *names[MN_LAB_SETTINGS];
    size_t n = 0;
    for (; n < MN_LAB_SETTINGS && kind->settings[n].key; n++) {
        names[n] = kind->settings[n].key;
        if (strlen(names[n]) != (size_t)(value - 1 - key) || strncmp(names[n], key, strlen(names[n])) != 0) continue;
        if (mn_text_num(&run->set[n], value) != MN_OK || !isfinite(run->set[n]))
            return mn_fail(err, MN_ERR_INPUT, "%s: expected a number", whole);
        snprintf(set + strlen(set), sizeof run->lab->set - strlen(set), " --set %s", whole);
        return MN_OK;
    }
    const char *nearest = mn_text_nearest(key, names, n);
    return mn_fail(err, MN_ERR_INPUT, "%s: %s has no such setting%s%s", whole, kind->name, nearest ? "; did you mean " : "",
                   nearest ? nearest : "");
}

static bool exists(const char *name, size_t len)
{
    for (size_t i = 0; i < EXPERIMENTS; i++)
        if (strlen(experiments[i]->kind.name) == len && strncmp(experiments[i]->kind.name, name, len) == 0) return true;
    return false;
}

static mn_status apply(mn_lab_run_of *run, const mn_lab_opts *opts, mn_err *err)
{
    const mn_lab_kind *kind = run->lab->kind;
    for (size_t i = 0; i < MN_LAB_SETTINGS; i++) run->set[i] = kind->settings[i].value;
    for (size_t i = 0; i < opts->n_sets; i++) {
        const char *set = opts->sets[i], *dot = strchr(set, '.'), *equals = dot ? strchr(dot, '=') : NULL;
        if (!equals || !exists(set, (size_t)(dot - set)))
            return mn_fail(err, MN_ERR_INPUT, "%s: expected EXPERIMENT.SETTING=NUMBER", set);
        if (strncmp(set, kind->name, strlen(kind->name)) == 0 && kind->name[dot - set] == 0)
            MN_TRY(set_one(run, dot + 1, equals + 1, set, err));
    }
    return MN_OK;
}

static const mn_lab_experiment *find(const char *name, mn_err *err)
{
    const char *names[EXPERIMENTS];
    for (size_t i = 0; i < EXPERIMENTS; i++) {
        names[i] = experiments[i]->kind.name;
        if (strcmp(names[i], name) == 0) return experiments[i];
    }
    const char *nearest = mn_text_nearest(name, names, EXPERIMENTS);
    (void)mn_fail(err, MN_ERR_INPUT, "no experiment '%s'%s%s%s", name, nearest ? " (did you mean " : "", nearest ? nearest : "",
                  nearest ? "?)" : "");
    return NULL;
}

mn_status mn_lab_run(mn_lab **out, const char *name, const mn_lab_opts *opts, mn_err *err)
{
    const mn_lab_experiment *experiment = find(name, err);
    mn_lab *lab;
    if (!experiment) return MN_ERR_INPUT;
    MN_ALLOC_OR_FAIL(lab, 1, err);
    lab->kind = &experiment->kind;
    lab->holds = true;
    mn_lab_run_of run = {.lab = lab, .threads = opts->threads ? opts->threads : (size_t)sysconf(_SC_NPROCESSORS_ONLN)};
    mn_status status = apply(&run, opts, err);
    if (status == MN_OK) status = experiment->run(&run, err);
    if (status != MN_OK) return mn_lab_free(lab), status;
    *out = lab;
    return MN_OK;
}
