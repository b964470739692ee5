/* A configuration by one table of typed keys: the parser of YAML files and of --set, the resolved copy, and the reference.
 * It knows nothing of what the keys mean. */
#ifndef MN_CONFIG_H
#define MN_CONFIG_H

#include "base/buf.h"

typedef enum mn_key_type {
    MN_KEY_BOOL,   /* bool */
    MN_KEY_INT,    /* int64_t */
    MN_KEY_NUM,    /* double; .inf, inf and "inf" where the range holds it */
    MN_KEY_STR,    /* char *, owned; one of choices where there are some */
    MN_KEY_PATH,   /* char *, owned, absolute: relative to the file's folder, in --set to the working folder; "" stays "" */
    MN_KEY_CHOICE, /* int, the index in choices */
    MN_KEY_NUMS    /* mn_num_list, each number in the range */
} mn_key_type;

/* items: [n], owned. */
typedef struct mn_num_list {
    double *items;
    size_t n;
} mn_num_list;

/* One key. A dot in the name is a section; keys of one section stand together in the table. */
typedef struct mn_key {
    const char *name; /* "ppo.clip", at most 63 bytes */
    mn_key_type type;
    size_t offset;       /* of the field in the settings */
    const char *value;   /* default, as in --set; NULL: the key must be given */
    double low, high;    /* numbers: the range, both ends included */
    const char *choices; /* "a|b|c" */
    const char *doc;
} mn_key;

/* Fills every field that keys[n] name: from the default, then from the file at path (NULL: none), then from sets[n_sets],
 * "key=value". section NULL: the file's root; else only the root's mapping of that name is read, so that JSON written by
 * mn_config_json inside a larger object comes back to the same bits. A file is one YAML document of nested mappings without
 * anchors, aliases and tags; `a.b: 1` is the same as `a: {b: 1}`. In sets, text is taken as it stands unless it begins with a
 * quote; lists are in brackets. Errors name file, line and column, or the --set: MN_ERR_INPUT for what the keys do not allow,
 * unknown keys (with the nearest name), keys given twice or not at all; MN_ERR_IO; MN_ERR_MEMORY. After an error nothing is
 * owned. */
MN_CHECKED mn_status mn_config_load(void *settings, const mn_key *keys, size_t n, const char *path, const char *section,
                                    const char *const *sets, size_t n_sets, mn_err *err);
/* Appends one nested JSON object of all values, on one line. */
MN_CHECKED mn_status mn_config_json(mn_buf *out, const void *settings, const mn_key *keys, size_t n);
/* Appends the reference, a Markdown list: name, what it takes, default, meaning. */
MN_CHECKED mn_status mn_config_doc(mn_buf *out, const mn_key *keys, size_t n);
/* Releases what the fields own and empties them. */
void mn_config_free(void *settings, const mn_key *keys, size_t n);

#endif
