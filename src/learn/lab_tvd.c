#include "learn/lab.h"
static mn_status run(mn_lab_run_of *r, mn_err *err) { (void)r; (void)err; return MN_OK; }
const mn_lab_experiment mn_lab_tvd = {.kind = {.name = "tvd", .title="", .claim="", .formula=""}, .run = run};
