#include "base/threads.h"

#include <pthread.h>
#include <stdatomic.h>

typedef struct job {
    mn_task fn;
    void *arg;
    size_t tasks;
    atomic_size_t next;
    atomic_bool stop;
    pthread_mutex_t mutex; /* guards what follows */
    size_t failed;         /* lowest task that failed, SIZE_MAX: none */
    mn_status status;
    mn_err err;
} job;

typedef struct seat {
    job *job;
    size_t thread;
    pthread_t id;
} seat;

static void note(job *j, size_t task, mn_status status, const mn_err *err)
{
    pthread_mutex_lock(&j->mutex);
    if (task < j->failed) {
        j->failed = task;
        j->status = status;
        j->err = *err;
    }
    pthread_mutex_unlock(&j->mutex);
    atomic_store(&j->stop, true);
}

/* Every task below one that failed was handed out before it and will end, so the lowest failure does not depend on timing. */
static void *work(void *arg)
{
    seat *s = arg;
    job *j = s->job;
    while (!atomic_load(&j->stop)) {
        mn_err err = {0};
        size_t task = atomic_fetch_add(&j->next, 1);
        if (task >= j->tasks) break;
        mn_status status = j->fn(j->arg, task, s->thread, &err);
        if (status != MN_OK) note(j, task, status, &err);
    }
    return NULL;
}

mn_status mn_parallel(size_t threads, size_t tasks, mn_task fn, void *arg, mn_err *err)
{
    job j = {.fn = fn, .arg = arg, .tasks = tasks, .failed = SIZE_MAX, .mutex = PTHREAD_MUTEX_INITIALIZER};
    seat *seats;
    size_t started = 1;
    if (threads > tasks) threads = tasks;
    if (threads < 1) threads = 1;
    MN_ALLOC_OR_FAIL(seats, threads, err);
    for (size_t i = 0; i < threads; i++) seats[i] = (seat){.job = &j, .thread = i};
    while (started < threads && pthread_create(&seats[started].id, NULL, work, &seats[started]) == 0) started++;
    work(&seats[0]);
    for (size_t i = 1; i < started; i++) pthread_join(seats[i].id, NULL);
    free(seats);
    pthread_mutex_destroy(&j.mutex);
    if (j.status != MN_OK && err) *err = j.err;
    return j.status;
}
