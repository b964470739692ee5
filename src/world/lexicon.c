#define _GNU_SOURCE /* strtod_l */
#include "world/lexicon.h"

#include <locale.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "world/dictionary.h"
#include "world/unicode.h"

/* ---- the rules' own words and numbers ---- */

#define BOOST 0.293    /* an intensifier's, or less a dampener's */
#define CAPITALS 0.733 /* a word in capitals among others that are not */
#define NEGATION (-0.74)
#define NEVER_SO 1.25
#define FARTHER 0.95      /* share of its effect that a modifier keeps two words before, */
#define FARTHEST 0.9      /* and three words before */
#define EXCLAMATION 0.292 /* each of up to 4 */
#define QUESTION 0.18     /* each of 2 or 3 */
#define QUESTIONS 0.96    /* of more than 3 together */
#define BEFORE_BUT 0.5
#define AFTER_BUT 1.5
#define NORMALIZER 15

static const char intensifiers[] =
    "absolutely amazingly awfully completely considerable considerably decidedly deeply effing enormous enormously entirely "
    "especially exceptional exceptionally extreme extremely fabulously flipping flippin frackin fracking fricking frickin "
    "frigging friggin fully fuckin fucking fuggin fugging greatly hella highly hugely incredible incredibly intensely major "
    "majorly more most particularly purely quite really remarkably so substantially thoroughly total totally tremendous "
    "tremendously uber unbelievably unusually utter utterly very";
static const char dampeners[] =
    "almost barely hardly kinda kindof kind-of less little marginal marginally occasional occasionally partly scarce scarcely "
    "slight slightly somewhat sorta sortof sort-of";
/* Besides every word with "n't" in it. */
static const char negations[] =
    "aint arent cannot cant couldnt darent didnt doesnt dont hadnt hasnt havent isnt mightnt mustnt neednt neither never none "
    "nope nor not nothing nowhere oughtnt shant shouldnt uhuh uh-uh wasnt werent without wont wouldnt rarely seldom despite";

/* Words with a part of their own in some rule. */
typedef enum part {
    PART_NONE,
    /* clang-format off */
    ASS, AT, BAD, BEATING, BOMB, BUS, BUT, DEATH, DIE, DOUBT, ENOUGH, FOR, HEART, JUST, KIND, KISS, LEAST, NEVER, NO, NOR, OF,
    OR, RIGHT, SHIT, SO, SORT, STOP, THE, THIS, TO, VERY, WITHOUT, YEAH
    /* clang-format on */
} part;
/* In the order of the enumeration. */
static const char parts[] =
    "ass at bad beating bomb bus but death die doubt enough for heart just kind kiss least never no nor of or right shit so "
    "sort stop the this to very without yeah";

typedef struct phrase {
    part words[3]; /* PART_NONE at the end of two */
    double valence;
} phrase;

static const phrase idioms[] = {
    {{THE, SHIT}, 3},        {{THE, BOMB}, 3},          {{BAD, ASS}, 1.5},   {{BUS, STOP}, 0}, {{YEAH, RIGHT}, -2},
    {{BEATING, HEART}, 3.5}, {{KISS, OF, DEATH}, -1.5}, {{TO, DIE, FOR}, 3}, {{PART_NONE}, 0},
};
static const phrase damping[] = {{{JUST, ENOUGH}, -BOOST}, {{KIND, OF}, -BOOST}, {{SORT, OF}, -BOOST}, {{PART_NONE}, 0}};

/* What is known of a word, and how it is written here. */
typedef struct mn_lexicon_word {
    double valence, boost; /* boost 0: neither intensifier nor dampener */
    part part;
    bool known; /* in the lexicon */
    bool negates, capitals;
} word;

typedef struct span {
    size_t at, len;
} span;

struct mn_lexicon {
    mn_dictionary dictionary;
    word *words; /* [dictionary.n], room for cap */
    size_t cap;
    mn_dictionary emoji;
    span *descriptions; /* [emoji.n], in text */
    mn_buf text;
    uint32_t first_emoji; /* no character below it is in emoji */
};

/* ---- opening ---- */

/* The entry of a word, made if it is new; valid until the next call. */
static mn_status entry(word **out, mn_lexicon *l, const char *text, size_t len)
{
    size_t before = l->dictionary.n, index;
    if (before == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 1024, bytes;
        word *words = mn_mul_size(&bytes, cap, sizeof *words) ? realloc(l->words, bytes) : NULL;
        if (!words) return MN_ERR_MEMORY;
        l->words = words;
        l->cap = cap;
    }
    MN_TRY(mn_dictionary_add(&l->dictionary, &index, text, len));
    *out = &l->words[index];
    if (index == before) **out = (word){0};
    return MN_OK;
}

/* The next word of a list separated by blanks; NULL after the last. */
static const char *next_of(const char **list, size_t *len)
{
    const char *at = *list;
    *len = strcspn(at, " ");
    *list = at + *len + (at[*len] == ' ');
    return *len ? at : NULL;
}

static mn_status add_rules(mn_lexicon *l)
{
    const struct {
        const char *list;
        double boost;
        bool negates, part;
    } rules[] = {{intensifiers, BOOST, false, false},
                 {dampeners, -BOOST, false, false},
                 {negations, 0, true, false},
                 {parts, 0, false, true}};
    part p = PART_NONE;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const char *list = rules[i].list, *text;
        size_t len;
        while ((text = next_of(&list, &len))) {
            word *w;
            MN_TRY(entry(&w, l, text, len));
            if (rules[i].boost != 0) w->boost = rules[i].boost;
            if (rules[i].negates) w->negates = true;
            if (rules[i].part) w->part = ++p;
        }
    }
    return MN_OK;
}

/* Bytes of the character that ends before text[len], len >= 1. */
static size_t last_character(uint32_t *c, const char *text, size_t len)
{
    size_t n = 1;
    while (n < len && n < 4 && (text[len - n] & 0xC0) == 0x80) n++;
    return mn_unicode_get(c, text + len - n, n) == n ? n : 1;
}

static void strip_spaces(const char **text, size_t *len)
{
    uint32_t c;
    size_t n;
    while (*len && (n = mn_unicode_get(&c, *text, *len), mn_unicode_space(c))) *text += n, *len -= n;
    while (*len && (n = last_character(&c, *text, *len), mn_unicode_space(c))) *len -= n;
}

/* A line's first two fields, between tabs. A blank line leaves both untouched. */
static mn_status split_line(const char *field[2], size_t len[2], const char *line, size_t size, const mn_lines *at, mn_err *err)
{
    const char *text = line;
    uint32_t c;
    for (size_t i = 0, n; i < size; i += n) {
        n = mn_unicode_get(&c, line + i, size - i);
        if (n == 1 && c == MN_REPLACEMENT)
            return mn_fail_at(err, MN_ERR_INPUT, at->name, at->number, i + 1, "expected UTF-8, got the byte 0x%02x",
                              (unsigned char)line[i]);
    }
    strip_spaces(&text, &size);
    if (!size) return MN_OK;
    const char *tab = memchr(text, '\t', size);
    if (!tab)
        return mn_fail_at(err, MN_ERR_INPUT, at->name, at->number, (size_t)(text - line) + 1,
                          "expected two fields with a tab between");
    const char *end = memchr(tab + 1, '\t', size - (size_t)(tab + 1 - text));
    field[0] = text;
    len[0] = (size_t)(tab - text);
    field[1] = tab + 1;
    len[1] = (size_t)((end ? end : text + size) - tab) - 1;
    return MN_OK;
}

/* A finite decimal number within -100..100, whatever the locale. */
static bool read_valence(double *x, const char *text, size_t len)
{
    char digits[64], *end;
    strip_spaces(&text, &len);
    if (!len || len >= sizeof digits) return false;
    memcpy(digits, text, len);
    digits[len] = '\0';
    if (strspn(digits, "0123456789.+-eE") != len) return false;
    locale_t plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (!plain) return false;
    *x = strtod_l(digits, &end, plain);
    freelocale(plain);
    return end == digits + len && fabs(*x) <= 100;
}

static mn_status add_word(mn_lexicon *l, const char *field[2], const size_t len[2], const mn_lines *at, const char *line,
                          mn_err *err)
{
    double valence;
    word *w;
    if (!read_valence(&valence, field[1], len[1]))
        return mn_fail_at(err, MN_ERR_INPUT, at->name, at->number, (size_t)(field[1] - line) + 1,
                          "expected a mean valence, a number within -100..100, got \"%.*s\"", (int)(len[1] < 40 ? len[1] : 40),
                          field[1]);
    mn_buf key = {0};
    mn_status status = MN_OK;
    for (size_t i = 0, n; i < len[0] && status == MN_OK; i += n) { /* sigmas as scoring writes them */
        uint32_t c;
        n = mn_unicode_get(&c, field[0] + i, len[0] - i);
        status = c == MN_FINAL_SIGMA ? mn_buf_puts(&key, "\u03C3") : mn_buf_put(&key, field[0] + i, n);
    }
    if (status == MN_OK) status = entry(&w, l, key.len ? key.data : "", key.len);
    mn_buf_free(&key);
    if (status != MN_OK) return mn_fail(err, status, "out of memory");
    w->known = true;
    w->valence = valence;
    return MN_OK;
}

static mn_status add_emoji(mn_lexicon *l, const char *field[2], const size_t len[2])
{
    uint32_t c;
    size_t before = l->emoji.n, index;
    if (!len[0] || mn_unicode_get(&c, field[0], len[0]) != len[0]) return MN_OK;
    MN_TRY(mn_dictionary_add(&l->emoji, &index, field[0], len[0]));
    if (index == before) {
        span *descriptions = realloc(l->descriptions, l->emoji.n * sizeof *descriptions);
        if (!descriptions) return MN_ERR_MEMORY;
        l->descriptions = descriptions;
    }
    l->descriptions[index] = (span){l->text.len, len[1]};
    if (c < l->first_emoji) l->first_emoji = c;
    return mn_buf_put(&l->text, field[1], len[1]);
}

static mn_status load(mn_lexicon *l, const char *path, bool emoji, mn_err *err)
{
    mn_lines lines;
    mn_status status = mn_lines_open(&lines, path, err);
    while (status == MN_OK) {
        const char *field[2] = {NULL, NULL};
        char *line;
        size_t len[2] = {0, 0}, size;
        bool end;
        if ((status = mn_lines_next(&lines, &line, &size, &end, err)) != MN_OK || end) break;
        status = split_line(field, len, line, size, &lines, err);
        if (status != MN_OK || !field[0]) continue;
        status = emoji ? add_emoji(l, field, len) : add_word(l, field, len, &lines, line, err);
        if (emoji && status != MN_OK) mn_fail(err, status, "out of memory");
    }
    mn_lines_close(&lines);
    return status;
}

static mn_status fill(mn_lexicon *l, const char *words, const char *emoji, mn_err *err)
{
    if (add_rules(l) != MN_OK) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    MN_TRY(load(l, words, false, err));
    return *emoji ? load(l, emoji, true, err) : MN_OK;
}

mn_status mn_lexicon_open(mn_lexicon **out, const char *words, const char *emoji, mn_err *err)
{
    mn_lexicon *l;
    MN_ALLOC_OR_FAIL(l, 1, err);
    l->first_emoji = UINT32_MAX;
    mn_status status = fill(l, words, emoji, err);
    if (status == MN_OK) return *out = l, MN_OK;
    mn_lexicon_free(l);
    return status;
}

void mn_lexicon_free(mn_lexicon *l)
{
    if (!l) return;
    mn_dictionary_free(&l->dictionary);
    mn_dictionary_free(&l->emoji);
    mn_buf_free(&l->text);
    free(l->words);
    free(l->descriptions);
    free(l);
}

/* ---- from text to words ---- */

/* Copies the text with emoji described. As the package has it, a space sets a description off before it, but not after it. */
static mn_status describe_emoji(mn_buf *out, const mn_lexicon *l, const char *text, size_t len)
{
    mn_buf_clear(out);
    MN_TRY(mn_buf_reserve(out, len));
    for (size_t i = 0, n; i < len; i += n) {
        uint32_t c;
        char bytes[4];
        for (n = 0; i + n < len && (unsigned char)text[i + n] < 0x80 && (unsigned char)text[i + n] < l->first_emoji;) n++;
        if (n) {
            MN_TRY(mn_buf_put(out, text + i, n));
            continue;
        }
        n = mn_unicode_get(&c, text + i, len - i);
        size_t size = mn_unicode_put(bytes, c),
               index = c < l->first_emoji ? MN_ABSENT : mn_dictionary_find(&l->emoji, bytes, size);
        if (index == MN_ABSENT) {
            MN_TRY(mn_buf_put(out, bytes, size));
        } else {
            MN_TRY(mn_buf_put(out, " ", 1));
            MN_TRY(mn_buf_put(out, l->text.data + l->descriptions[index].at, l->descriptions[index].len));
        }
    }
    return MN_OK;
}

static bool is_punctuation(char c)
{
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

/* Takes the punctuation off both ends, unless at most two characters would be left: it may be an emoticon then. */
static void strip_punctuation(const char **text, size_t *len)
{
    const char *t = *text;
    size_t n = *len, characters = 0;
    while (n && is_punctuation(*t)) t++, n--;
    while (n && is_punctuation(t[n - 1])) n--;
    for (size_t i = 0; i < n; i++) characters += (t[i] & 0xC0) != 0x80;
    if (characters > 2) *text = t, *len = n;
}

/* What the lexicon and the rules know of a word in valid UTF-8, and how it is written. */
static mn_status look_up(word *out, mn_buf *lower, const mn_lexicon *l, const char *text, size_t len)
{
    bool capital = false, small = false, negates = false;
    mn_buf_clear(lower);
    MN_TRY(mn_buf_reserve(lower, len + len / 2 + 4));
    for (size_t i = 0; i < len;) {
        uint32_t c;
        i += mn_unicode_get(&c, text + i, len - i);
        mn_case kind = mn_unicode_case(c);
        capital |= kind == MN_CASE_CAPITAL;
        small |= kind == MN_CASE_SMALL;
        lower->len += mn_unicode_lower(lower->data + lower->len, c);
        negates |= lower->len >= 3 && memcmp(lower->data + lower->len - 3, "n't", 3) == 0;
    }
    size_t index = mn_dictionary_find(&l->dictionary, lower->data, lower->len);
    *out = index == MN_ABSENT ? (word){0} : l->words[index];
    out->negates |= negates;
    out->capitals = capital && !small;
    return MN_OK;
}

static mn_status make_room(mn_lexicon_scratch *s, size_t n)
{
    if (n < s->cap) return MN_OK;
    size_t cap = s->cap ? 2 * s->cap : 64, bytes;
    if (!mn_mul_size(&bytes, cap, sizeof *s->words)) return MN_ERR_MEMORY;
    word *words = realloc(s->words, bytes);
    if (!words) return MN_ERR_MEMORY;
    s->words = words;
    double *valences = realloc(s->valences, cap * sizeof *valences);
    if (!valences) return MN_ERR_MEMORY;
    s->valences = valences;
    s->cap = cap;
    return MN_OK;
}

/* Splits s->text at white space into s->words, *n of them. */
static mn_status read_words(mn_lexicon_scratch *s, size_t *n, const mn_lexicon *l)
{
    const char *at = s->text.data, *end = at + s->text.len;
    for (*n = 0;; ++*n) {
        uint32_t c;
        size_t size = 0;
        while (at < end && (size = mn_unicode_get(&c, at, (size_t)(end - at)), mn_unicode_space(c))) at += size;
        if (at == end) return MN_OK;
        const char *text = at;
        while (at < end && (size = mn_unicode_get(&c, at, (size_t)(end - at)), !mn_unicode_space(c))) at += size;
        size = (size_t)(at - text);
        strip_punctuation(&text, &size);
        MN_TRY(make_room(s, *n));
        MN_TRY(look_up(&s->words[*n], &s->lower, l, text, size));
    }
}

/* ---- the rules ---- */

/* Words, and whether capitals stand out among them: some words are all capitals, and some are not. */
typedef struct sentence {
    const word *words;
    size_t n;
    bool emphatic;
} sentence;

static part part_at(const sentence *s, size_t i)
{
    return s->words[i].part;
}

static double in_capitals(const word *w, const sentence *s, double valence, double x)
{
    if (!w->capitals || !s->emphatic) return x;
    return valence > 0 ? x + CAPITALS : x - CAPITALS;
}

/* What an intensifier or dampener so many words before adds to a valence. */
static double boost(const word *w, const sentence *s, double valence, size_t distance)
{
    if (w->boost == 0) return 0;
    double x = in_capitals(w, s, valence, valence < 0 ? -w->boost : w->boost);
    return distance == 1 ? x : x * (distance == 2 ? FARTHER : FARTHEST);
}

static bool so_or_this(part p)
{
    return p == SO || p == THIS;
}

/* A negation so many words before word i, with its exceptions: "never so good" is praise, "without a doubt" no denial. */
static double negate(const sentence *s, double valence, size_t i, size_t distance)
{
    part first = part_at(s, i - distance), last = part_at(s, i - 1);
    if (distance == 2) {
        if (first == NEVER && so_or_this(last)) return valence * NEVER_SO;
        if (first == WITHOUT && last == DOUBT) return valence;
    } else if (distance == 3) {
        part middle = part_at(s, i - 2);
        if ((first == NEVER && so_or_this(middle)) || so_or_this(last)) return valence * NEVER_SO;
        if (first == WITHOUT && (middle == DOUBT || last == DOUBT)) return valence;
    }
    return s->words[i - distance].negates ? valence * NEGATION : valence;
}

/* The phrase of n words that stands at word i, or NULL. */
static const phrase *phrase_at(const phrase *list, const sentence *s, size_t i, size_t n)
{
    for (; list->words[0]; list++)
        if (list->words[0] == part_at(s, i) && list->words[1] == part_at(s, i + 1) &&
            list->words[2] == (n == 3 ? part_at(s, i + 2) : PART_NONE))
            return list;
    return NULL;
}

/* Idioms with word i in them or before it have their own valence; "kind of" and the like before it dampen. i >= 3. */
static double heed_phrases(const sentence *s, double valence, size_t i)
{
    const struct {
        size_t before, n;
    } places[] = {{1, 2}, {2, 3}, {2, 2}, {3, 3}, {3, 2}};
    const phrase *found = NULL;
    for (size_t k = 0; !found && k < sizeof places / sizeof *places; k++)
        found = phrase_at(idioms, s, i - places[k].before, places[k].n);
    if (found) valence = found->valence;
    if (i + 1 < s->n && (found = phrase_at(idioms, s, i, 2))) valence = found->valence;
    if (i + 2 < s->n && (found = phrase_at(idioms, s, i, 3))) valence = found->valence;
    for (size_t before = 3; before >= 2; before--)
        if ((found = phrase_at(damping, s, i - before, 2))) valence += found->valence;
    return valence;
}

/* "no" before a word of the lexicon denies it, and has no valence of its own. */
static double heed_no(const sentence *s, size_t i)
{
    const word *w = &s->words[i];
    double valence = w->part == NO && i + 1 < s->n && w[1].known ? 0 : w->valence;
    bool denied = (i > 0 && w[-1].part == NO) || (i > 1 && w[-2].part == NO) ||
                  (i > 2 && w[-3].part == NO && (w[-1].part == OR || w[-1].part == NOR));
    return denied ? w->valence * NEGATION : valence;
}

/* "least" denies, but not in "at least" and "very least". */
static double heed_least(const sentence *s, double valence, size_t i)
{
    if (i == 0 || part_at(s, i - 1) != LEAST || s->words[i - 1].known) return valence;
    if (i > 1 && (part_at(s, i - 2) == AT || part_at(s, i - 2) == VERY)) return valence;
    return valence * NEGATION;
}

static double valence_of(const sentence *s, size_t i)
{
    const word *w = &s->words[i];
    if (!w->known || w->boost != 0) return 0;
    if (w->part == KIND && i + 1 < s->n && w[1].part == OF) return 0;
    double valence = heed_no(s, i);
    valence = in_capitals(w, s, valence, valence);
    for (size_t distance = 1; distance <= 3 && distance <= i; distance++) {
        if (s->words[i - distance].known) continue;
        valence += boost(&s->words[i - distance], s, valence, distance);
        valence = negate(s, valence, i, distance);
        if (distance == 3) valence = heed_phrases(s, valence, i);
    }
    return heed_least(s, valence, i);
}

/* What comes after the first "but" counts more, what comes before it less. The package finds a word's place by its valence: the
 * first word of equal valence is changed in its stead, also when it has been changed before. So it is here. */
static void heed_but(double *valences, const sentence *s)
{
    size_t but = 0;
    while (but < s->n && part_at(s, but) != BUT) but++;
    if (but == s->n) return;
    for (size_t i = 0; i < s->n; i++) {
        size_t first = 0;
        while (valences[first] != valences[i]) first++;
        if (first < but) valences[first] *= BEFORE_BUT;
        if (first > but) valences[first] *= AFTER_BUT;
    }
}

static double emphasis(const mn_buf *text)
{
    size_t exclamations = 0, questions = 0;
    for (size_t i = 0; i < text->len; i++) exclamations += text->data[i] == '!', questions += text->data[i] == '?';
    double loud = (double)(exclamations < 4 ? exclamations : 4) * EXCLAMATION;
    return loud + (questions < 2 ? 0 : questions < 4 ? (double)questions * QUESTION : QUESTIONS);
}

/* The double nearest to x rounded to a multiple of 1/scale, ties to even: as exact as decimal arithmetic, since fma rounds once
 * and so keeps the sign. */
static double round_to(double x, double scale)
{
    double below = floor(x * scale), above_half = fma(x, scale, -(below + .5));
    bool up = above_half > 0 || (above_half == 0 && fmod(below, 2) != 0);
    return (up ? below + 1 : below) / scale;
}

static mn_sentiment summarize(const double *valences, size_t n, double loudness)
{
    double sum = 0, positive = 0, negative = 0, neutral = 0;
    for (size_t i = 0; i < n; i++) {
        sum += valences[i];
        if (valences[i] > 0) positive += valences[i] + 1;
        if (valences[i] < 0) negative += valences[i] - 1;
        if (valences[i] == 0) neutral++;
    }
    if (n == 0) return (mn_sentiment){0};
    if (sum > 0) sum += loudness;
    if (sum < 0) sum -= loudness;
    if (positive > -negative)
        positive += loudness;
    else if (positive < -negative)
        negative -= loudness;
    double total = positive - negative + neutral;
    return (mn_sentiment){.compound = round_to(sum / sqrt(sum * sum + NORMALIZER), 1e4),
                          .positive = round_to(positive / total, 1e3),
                          .neutral = round_to(neutral / total, 1e3),
                          .negative = round_to(fabs(negative / total), 1e3)};
}

mn_status mn_lexicon_score(mn_sentiment *out, mn_lexicon_scratch *scratch, const mn_lexicon *l, const char *text, size_t len)
{
    size_t n, capitals = 0;
    MN_TRY(describe_emoji(&scratch->text, l, text, len));
    MN_TRY(read_words(scratch, &n, l));
    for (size_t i = 0; i < n; i++) capitals += scratch->words[i].capitals;
    sentence s = {.words = scratch->words, .n = n, .emphatic = capitals > 0 && capitals < n};
    for (size_t i = 0; i < n; i++) scratch->valences[i] = valence_of(&s, i);
    heed_but(scratch->valences, &s);
    *out = summarize(scratch->valences, n, emphasis(&scratch->text));
    return MN_OK;
}

void mn_lexicon_scratch_free(mn_lexicon_scratch *scratch)
{
    mn_buf_free(&scratch->text);
    mn_buf_free(&scratch->lower);
    free(scratch->words);
    free(scratch->valences);
    *scratch = (mn_lexicon_scratch){0};
}
