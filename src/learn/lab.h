/* The laboratory's inside: experiments fill tables and make checks. Private to the library. */
#ifndef MN_LAB_H
#define MN_LAB_H

#include "base/base.h"

typedef struct mn_lab_run_of {
    mn_lab *lab;
    size_t threads;
    double set[MN_LAB_SETTINGS]; /* as in the kind's settings */
} mn_lab_run_of;

typedef struct mn_lab_experiment {
    mn_lab_kind kind;
    mn_status (*run)(mn_lab_run_of *run, mn_err *err);
} mn_lab_experiment;

extern const mn_lab_experiment mn_lab_triangle, mn_lab_novelty, mn_lab_unprecedented, mn_lab_tvd, mn_lab_mightnt, mn_lab_help,
    mn_lab_waiting, mn_lab_simple;

/* The table's headings, that of the labels first, NULL ends them. */
void mn_lab_headings(mn_lab *lab, const char *heading, const char *const *headings);
/* values: [columns]. MN_ERR_MEMORY. */
MN_CHECKED mn_status mn_lab_add_row(mn_lab *lab, const char *label, const double *values, mn_err *err);
MN_CHECKED mn_status mn_lab_add_check(mn_lab *lab, double value, mn_lab_relation relation, double limit, mn_err *err,
                                      const char *what, ...) MN_PRINTF(6, 7);
MN_CHECKED mn_status mn_lab_find(mn_lab *lab, mn_err *err, const char *format, ...) MN_PRINTF(3, 4);

#endif
