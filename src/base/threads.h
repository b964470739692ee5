/* Work split over threads. */
#ifndef MN_THREADS_H
#define MN_THREADS_H

#include "base/base.h"

/* One task; thread in 0..threads-1 names the caller's per-thread memory. */
typedef mn_status (*mn_task)(void *arg, size_t task, size_t thread, mn_err *err);

/* Runs tasks 0..tasks-1, handed out in order to whichever thread is free; returns when all that were begun are done. Thread 0 is
 * the caller's; with threads <= 1 all runs there. After a failure no more are handed out, and the failure with the lowest task decides
 * status and *err: the same for any number of threads. Where the system grants fewer threads, fewer work. */
MN_CHECKED mn_status mn_parallel(size_t threads, size_t tasks, mn_task fn, void *arg, mn_err *err);

#endif
