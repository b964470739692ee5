/* How much it takes to say what has not happened yet. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/threads.h"
#include "learn/lab.h"
#include "predict/universe.h"

enum { GROWTH, BITS, SYMBOLS }; /* settings */
enum { POINTS = 13, SOURCES = 6, RARER = 4, POWERS = 5 };

static const char *const source_names[SOURCES] = {
    "fair coin", "1 in 64", "sticky, .9", "0110 for ever", "1 at t with chance 1/t", "1 at powers of 2"};

typedef struct source {
    int kind;
    uint64_t t; /* symbols given */
    int32_t last;
    mn_rng rng;
} source;

static int32_t next_symbol(source *s)
{
    uint64_t t = ++s->t;
    double u = s->kind == 3 || s->kind == POWERS ? 0 : mn_rng_uniform(&s->rng);
    switch (s->kind) {
    case 0: return s->last = u < .5;
    case 1: return s->last = u < 1. / 64;
    case 2: return s->last = u < .9 ? s->last : !s->last;
    case 3: return s->last = (int32_t)("0110"[(t - 1) % 4] - '0');
    case RARER: return s->last = u < 1 / (double)t;
    default: return s->last = (t & (t - 1)) == 0;
    }
}

/* Every distinct event of at most `bits`, and when it first held: the number of symbols before that turn. */
typedef struct events {
    mn_universe u;
    size_t n, n_open;
    uint32_t *node /* [n] */, *open /* [n_open] those that have not held */;
    uint8_t *price;   /* [n] */
    uint64_t *first;  /* [n] UINT64_MAX: never */
    uint8_t *answers; /* [atoms] */
    uint32_t most;    /* the largest threshold there is */
    size_t last_atom;
} events;

static void close_events(events *e)
{
    mn_universe_close(&e->u);
    free(e->node);
    free(e->open);
    free(e->price);
    free(e->first);
    free(e->answers);
}

/* Lists an event at its first, shortest length. */
static mn_status list_events(events *e, mn_err *err)
{
    bool *there;
    size_t room = 0;
    for (size_t bits = 1; bits <= e->u.bits; bits++) room += e->u.events[bits].n;
    MN_ALLOC_OR_FAIL(e->node, room, err);
    MN_ALLOC_OR_FAIL(e->open, room, err);
    MN_ALLOC_OR_FAIL(e->price, room, err);
    MN_ALLOC_OR_FAIL(e->first, room, err);
    MN_ALLOC_OR_FAIL(e->answers, e->u.d.n_atoms, err);
    MN_ALLOC_OR_FAIL(there, e->u.d.n_nodes, err);
    for (size_t bits = 1; bits <= e->u.bits; bits++)
        for (size_t i = 0; i < e->u.events[bits].n; i++) {
            uint32_t node = e->u.events[bits].node[i];
            if (there[node]) continue;
            there[node] = true;
            e->node[e->n] = node;
            e->price[e->n++] = (uint8_t)bits;
        }
    free(there);
    return MN_OK;
}

static mn_status open_events(events *e, size_t bits, mn_err *err)
{
    MN_TRY(mn_universe_events(&e->u, 2, bits, err));
    MN_TRY(list_events(e, err));
    for (size_t i = 0; i < e->u.d.n_atoms; i++) {
        const mn_atom *atom = &e->u.d.atoms[i];
        if (atom->ask == MN_ASK_LAST) e->last_atom = i;
        if (atom->n > e->most) e->most = atom->n;
    }
    for (size_t i = 0; i < e->n; i++) {
        e->open[i] = (uint32_t)i;
        e->first[i] = UINT64_MAX;
    }
    e->n_open = e->n;
    return MN_OK;
}

/* What events can tell apart of a past, but for its last symbol. */
typedef struct view {
    uint32_t time, counts[2];
    uint8_t pairs[2][2];
} view;

static view see(const mn_past *past, uint32_t most)
{
    view v;
    memset(&v, 0, sizeof v);
    v.time = past->n / 2 < most ? past->n / 2 : most;
    for (size_t a = 0; a < 2; a++) {
        v.counts[a] = past->counts[a] < most ? past->counts[a] : most;
        for (size_t b = 0; b < 2; b++) v.pairs[a][b] = past->pairs[a][b];
    }
    return v;
}

static void settle(events *e, const mn_past *past)
{
    size_t kept = 0;
    for (size_t i = 0; i < e->n_open; i++)
        if (mn_diagram_leaf(&e->u.d, e->answers, e->node[e->open[i]]) == MN_TRUE)
            e->first[e->open[i]] = past->n;
        else
            e->open[kept++] = e->open[i];
    e->n_open = kept;
}

static double log2_floor(double n)
{
    return floor(log2(n));
}

/* Bits of the events that no enumeration reaches: x seen n times, n turns past. */
static double price_of_times(double n)
{
    return n < 2 ? 4 : 5 + 2 * log2_floor(n - 1);
}

static double price_of_time(double n)
{
    return 4 + 2 * log2_floor(n);
}

typedef struct point {
    uint64_t t;
    double counts[2];
} point;

typedef struct job {
    mn_lab_run_of *run;
    uint64_t symbols;
    double bits[SOURCES][POINTS], enumerated[SOURCES][POINTS], ones[SOURCES][POINTS];
    uint64_t t[POINTS];
} job;

/* The cheapest event that had not held after t symbols and does later: seen to, in the data, or bound to, for time goes on
 * and every source here says each symbol again and again (1 with chance 1/t too, by Borel and Cantelli). *among: of those
 * enumerated. */
static double cheapest(double *among, const events *e, const point *at)
{
    double best = price_of_time(floor((double)at->t / 2) + 1);
    *among = INFINITY;
    for (size_t i = 0; i < e->n; i++)
        if (e->first[i] != UINT64_MAX && e->first[i] > at->t) *among = fmin(*among, e->price[i]);
    for (size_t a = 0; a < 2; a++) best = fmin(best, price_of_times(at->counts[a] + 1));
    return fmin(best, *among);
}

static void read_source(job *j, events *e, point *points, mn_past *past, size_t k)
{
    source s = {.kind = (int)k, .rng = mn_rng_split(1, k, MN_STREAM_USER)};
    view before, now;
    bool known[3] = {false, false, false};
    memset(&before, 0xff, sizeof before);
    size_t next = 0;
    for (uint64_t t = 0; t <= j->symbols; t++) {
        if (next < POINTS && t == j->t[next]) {
            points[next] = (point){t, {past->counts[0], past->counts[1]}};
            j->ones[k][next++] = past->counts[1];
        }
        if (mn_past_is_turn(past)) {
            now = see(past, e->most);
            if (memcmp(&now, &before, sizeof now) != 0) {
                mn_diagram_answer(e->answers, &e->u.d, past);
                known[0] = known[1] = known[2] = false;
                before = now;
            }
            e->answers[e->last_atom] = (uint8_t)past->last;
            if (!known[past->last]) settle(e, past);
            known[past->last] = true;
        }
        mn_past_add(past, next_symbol(&s));
    }
}

static mn_status one_source(void *arg, size_t k, size_t thread, mn_err *err)
{
    job *j = arg;
    events e = {0};
    mn_past past = {0};
    point points[POINTS];
    (void)thread;
    mn_status status = open_events(&e, (size_t)j->run->set[BITS], err);
    if (status == MN_OK) {
        read_source(j, &e, points, &past, k);
        for (size_t i = 0; i < POINTS; i++) j->bits[k][i] = cheapest(&j->enumerated[k][i], &e, &points[i]);
    }
    close_events(&e);
    return status;
}

static mn_status report(const job *j, mn_err *err)
{
    mn_lab *lab = j->run->lab;
    double most[SOURCES];
    for (size_t k = 0; k < SOURCES; k++) {
        most[k] = -INFINITY;
        for (size_t i = 0; i < POINTS; i++) {
            double t = (double)j->t[i], log2t = log2(t), bits = j->bits[k][i];
            double limit = k == POWERS ? 5 + j->run->set[GROWTH] * log2_floor(j->ones[k][i])
                                       : 4 + j->run->set[GROWTH] * log2_floor(t / 2 + 1);
            most[k] = fmax(most[k], bits - limit);
            MN_TRY(mn_lab_add_row(lab, source_names[k],
                                  (const double[]){t, log2t, bits, j->enumerated[k][i] <= bits ? 1 : 0, limit, bits / log2t},
                                  err));
        }
        MN_TRY(mn_lab_add_check(lab, most[k], MN_LAB_AT_MOST, 0, err, "%s: most bits above %s", source_names[k],
                                k == POWERS ? "5 + 2 floor(log2 of the ones so far)" : "4 + 2 floor(log2(t/2 + 1))"));
    }
    double powers = j->bits[POWERS][POINTS - 1], rarer = j->bits[RARER][POINTS - 1], coin = j->bits[0][POINTS - 1],
           t = (double)j->t[POINTS - 1];
    MN_TRY(mn_lab_add_check(lab, powers / log2(t), MN_LAB_AT_MOST, j->bits[POWERS][0] / log2((double)j->t[0]), err,
                            "1 at powers of 2: bits / log2 t at the end, against the beginning"));
    return mn_lab_find(lab, err,
                       "After %.3g symbols the simplest event yet to occur takes %g bits for a fair coin, %g for ones ever "
                       "rarer and %g for ones at "
                       "powers of two, where log2 t is %.1f. Where simple things come late the growth is that of log log t; a "
                       "language with all "
                       "computable functions makes it slower still, and for every source.",
                       t, coin, rarer, powers, log2(t));
}

static mn_status unprecedented(mn_lab_run_of *run, mn_err *err)
{
    mn_lab *lab = run->lab;
    job *j;
    if (!(run->set[BITS] >= 4 && run->set[BITS] <= 24)) return mn_fail(err, MN_ERR_NUM, "unprecedented.bits: expected 4 to 24");
    if (!(run->set[SYMBOLS] >= 1e3 && run->set[SYMBOLS] <= 1e9))
        return mn_fail(err, MN_ERR_NUM, "unprecedented.symbols: expected 1e3 to 1e9");
    mn_lab_headings(lab, "source",
                    (const char *const[]){"t symbols", "log2 t", "bits of the simplest", "enumerated", "bound bits",
                                          "bits / log2 t", NULL});
    lab->x = 0;
    lab->lines[0] = 2;
    lab->n_lines = 1;
    lab->log_x = true;
    lab->x_title = "symbols so far";
    lab->y_title = "bits of the simplest event yet to occur";
    MN_ALLOC_OR_FAIL(j, 1, err);
    j->run = run;
    j->symbols = (uint64_t)run->set[SYMBOLS];
    for (size_t i = 0; i < POINTS; i++) /* up to half of what there is: what is yet to occur must be seen to occur */
        j->t[i] = (uint64_t)(10 * pow((double)j->symbols / 20, (double)i / (POINTS - 1)) + .5);
    mn_status status = mn_parallel(run->threads, SOURCES, one_source, j, err);
    if (status == MN_OK) status = report(j, err);
    free(j);
    return status;
}

const mn_lab_experiment mn_lab_unprecedented = {
    .kind = {.name = "unprecedented",
             .title = "Something simple is always yet to happen",
             .claim = "In every environment the length of the simplest event that is yet to occur for the first time grows "
                      "slowly: in this language at "
                      "most like 2 log2 t, by `time >= n` (Proposition 2; with all computable events, slower than every "
                      "computable function without "
                      "bound).",
             .formula = "min { |E| : E first holds after t } <= 4 + 2 floor(log2(t/2 + 1)) bits",
             .settings = {{"growth", 2, "bits for each doubling that the bound allows"},
                          {"bits", 20, "events of at most so many bits are enumerated"},
                          {"symbols", 2e7, "length of the data"}}},
    .run = unprecedented};
