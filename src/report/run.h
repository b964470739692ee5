/* The run directory: what a training run writes, and how it goes on after a kill. */
#ifndef MN_RUN_H
#define MN_RUN_H

#include "learn/setup.h"

/* dir/name, MN_ERR_IO where it is too long. */
MN_CHECKED mn_status mn_run_path(char *out, size_t size, const char *dir, const char *name, mn_err *err);
/* Settings of the run in dir, from its run.json. Free them also after a failure. */
MN_CHECKED mn_status mn_run_settings(mn_settings *out, const char *dir, mn_err *err);
/* The models are those that run.json names, by the hash of their weights; else MN_ERR_INPUT. */
MN_CHECKED mn_status mn_run_same_models(const mn_setup *setup, const char *dir, mn_err *err);
/* This machine and build, as run.json has them: {"cpu": , "cores": , "system": , "build": }. */
MN_CHECKED mn_status mn_run_machine(mn_buf *buf);

#endif
