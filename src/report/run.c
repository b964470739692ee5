#include "report/run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/threads.h"
#include "learn/checkpoint.h"
#include "report/episodes.h"

enum { STEPS, EPISODES, LOGS };
static const char *const log_names[LOGS] = {"steps.jsonl", "episodes.jsonl"};

typedef struct run {
    const mn_train_opts *opts;
    mn_settings settings;
    mn_trainer trainer;
    size_t threads;
    int folder; /* locked while we write into it */
    int logs[LOGS];
    uint64_t lengths[LOGS];
    double base_value, seconds; /* of this process */
    size_t done;
} run;

mn_status mn_run_path(char *out, size_t size, const char *dir, const char *name, mn_err *err)
{
    int n = snprintf(out, size, "%s/%s", dir, name);
    return n < 0 || (size_t)n >= size ? mn_fail_at(err, MN_ERR_IO, dir, 0, 0, "the path is too long") : MN_OK;
}

mn_status mn_run_settings(mn_settings *out, const char *dir, mn_err *err)
{
    char path[PATH_MAX];
    *out = (mn_settings){0};
    MN_TRY(mn_run_path(path, sizeof path, dir, "run.json", err));
    if (!mn_file_exists(path)) return mn_fail_at(err, MN_ERR_IO, dir, 0, 0, "is not a run directory: it has no run.json");
    return mn_config_load(out, mn_settings_keys, mn_settings_n, path, "config", NULL, 0, err);
}

static mn_status failed(mn_err *err, const char *dir, const char *name, const char *what)
{
    int kept = errno;
    char path[PATH_MAX] = "";
    snprintf(path, sizeof path, "%s%s%s", dir, *name ? "/" : "", name);
    return mn_fail_at(err, MN_ERR_IO, path, 0, 0, "cannot be %s: %s", what, strerror(kept));
}

/* ---- run.json --------------------------------------------------------------------------------------------------- */

static void cpu_name(char *out, size_t size)
{
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[512];
    snprintf(out, size, "unknown");
    while (file && fgets(line, sizeof line, file)) {
        char *value = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !value) continue;
        value += 1 + strspn(value + 1, " \t");
        value[strcspn(value, "\n")] = '\0';
        snprintf(out, size, "%s", value);
        break;
    }
    if (file) fclose(file);
}

mn_status mn_run_machine(mn_buf *buf)
{
    char cpu[256];
    struct utsname os = {0};
    cpu_name(cpu, sizeof cpu);
    uname(&os);
    MN_TRY(mn_buf_puts(buf, "{\"cpu\": "));
    MN_TRY(mn_json_str(buf, cpu, strlen(cpu)));
    MN_TRY(mn_buf_printf(buf, ", \"cores\": %ld, \"system\": ", sysconf(_SC_NPROCESSORS_ONLN)));
    MN_TRY(mn_json_str(buf, os.sysname, strlen(os.sysname)));
    return mn_buf_printf(buf, ", \"build\": \"mightnt %s, %s, %s\"}", MN_VERSION, "compiler " __VERSION__, os.machine);
}

static mn_status put_model(mn_buf *buf, const char *key, const mn_model *model, const char *path)
{
    const char *weights = mn_model_weights(model);
    MN_TRY(mn_buf_printf(buf, ",\n \"%s\": {\"kind\": \"%s\", \"path\": ", key, mn_model_name(model)));
    MN_TRY(mn_json_str(buf, path, strlen(path)));
    MN_TRY(mn_buf_printf(buf, ", \"sha256\": \"%s\", \"weights\": ", mn_model_sha256(model)));
    MN_TRY(mn_json_str(buf, weights, strlen(weights)));
    return mn_buf_printf(buf, ", \"weights_sha256\": \"%s\"}", mn_model_weights_sha256(model));
}

static mn_status put_plan(mn_buf *buf, const mn_setup *setup)
{
    MN_TRY(mn_buf_puts(buf, ",\n \"plan\": {\"config\": "));
    MN_TRY(mn_config_json(buf, &setup->plan, mn_plan_settings_keys, mn_plan_settings_n));
    return mn_buf_printf(buf, ", \"sha256\": \"%s\"}", setup->plan_sha256);
}

static mn_status put_run(mn_buf *buf, const run *r)
{
    const char *command = r->opts->command ? r->opts->command : "";
    const mn_setup *setup = &r->trainer.setup;
    char *const *roles = setup->rules.role;
    MN_TRY(mn_buf_printf(buf, "{\"version\": \"%s\",\n \"command\": ", MN_VERSION));
    MN_TRY(mn_json_str(buf, command, strlen(command)));
    MN_TRY(
        mn_buf_printf(buf, ",\n \"seed\": %lld,\n \"threads\": %zu,\n \"roles\": [", (long long)r->settings.seed, r->threads));
    MN_TRY(mn_json_str(buf, roles[MN_AGENT], strlen(roles[MN_AGENT])));
    MN_TRY(mn_buf_puts(buf, ", "));
    MN_TRY(mn_json_str(buf, roles[MN_OTHER], strlen(roles[MN_OTHER])));
    MN_TRY(mn_buf_puts(buf, "],\n \"config\": "));
    MN_TRY(mn_config_json(buf, &r->settings, mn_settings_keys, mn_settings_n));
    MN_TRY(put_model(buf, "model", setup->base, r->settings.model.path));
    if (setup->speaker != setup->base) MN_TRY(put_model(buf, "speaker", setup->speaker, r->settings.speaker.path));
    if (setup->judge) MN_TRY(put_model(buf, "judge", setup->judge, r->settings.reward.judge_path));
    if (setup->plan_open) MN_TRY(put_plan(buf, setup));
    MN_TRY(mn_buf_puts(buf, ",\n \"machine\": "));
    MN_TRY(mn_run_machine(buf));
    return mn_buf_puts(buf, "}\n");
}

static mn_status write_run(const run *r, mn_err *err)
{
    char path[PATH_MAX];
    mn_buf buf = {0};
    MN_TRY(mn_run_path(path, sizeof path, r->opts->dir, "run.json", err));
    mn_status status = put_run(&buf, r) == MN_OK ? mn_file_write_atomic(path, buf.data, buf.len, err)
                                                 : mn_fail(err, MN_ERR_MEMORY, "out of memory");
    mn_buf_free(&buf);
    return status;
}

/* The same as when the run began: what has changed since makes another base policy. */
static mn_status same(const json_t *all, const char *key, const char *what, const char *now, const char *dir, mn_err *err)
{
    const char *then = json_string_value(json_object_get(json_object_get(all, key), what));
    if (then && strcmp(then, now) != 0)
        return mn_fail_at(err, MN_ERR_INPUT, dir, 0, 0, "the %s has changed since this run began (%s %.12s..., now %.12s...)", key,
                          what, then, now);
    return MN_OK;
}

static mn_status same_model(const json_t *all, const char *key, const mn_model *model, const char *dir, mn_err *err)
{
    return same(all, key, "weights_sha256", mn_model_weights_sha256(model), dir, err);
}

mn_status mn_run_same_models(const mn_setup *setup, const char *dir, mn_err *err)
{
    char path[PATH_MAX];
    mn_buf buf = {0};
    json_t *all = NULL;
    MN_TRY(mn_run_path(path, sizeof path, dir, "run.json", err));
    mn_status status = mn_file_read(&buf, path, err);
    if (status == MN_OK) status = mn_json_parse(&all, buf.data, buf.len, path, 0, err);
    if (status == MN_OK) status = same_model(all, "model", setup->base, path, err);
    if (status == MN_OK) status = same_model(all, "speaker", setup->speaker, path, err);
    if (status == MN_OK && setup->judge) status = same_model(all, "judge", setup->judge, path, err);
    if (status == MN_OK) status = same(all, "plan", "sha256", setup->plan_sha256, path, err);
    json_decref(all);
    mn_buf_free(&buf);
    return status;
}

/* ---- the logs ------------------------------------------------------------------------------------------------------ */

static mn_status append(run *r, int log, const char *data, size_t len, mn_err *err)
{
    for (size_t done = 0; done < len;) {
        ssize_t put = write(r->logs[log], data + done, len - done);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return failed(err, r->opts->dir, log_names[log], "written");
        done += (size_t)put;
    }
    if (fsync(r->logs[log]) != 0) return failed(err, r->opts->dir, log_names[log], "written");
    r->lengths[log] += len;
    return MN_OK;
}

static mn_status put_step(mn_buf *buf, const mn_trainer *t)
{
    const mn_step_stats *s = &t->stats;
    const struct {
        const char *key;
        double x;
        bool trained; /* only of steps that learn */
    } fields[] = {{"return", s->value, false},
                  {"return_se", s->value_se, false},
                  {"nats", s->nats, false},
                  {"nats_max", s->nats_max, false},
                  {"budget_nats", s->budget_nats, false},
                  {"help", 0, false},
                  {"lambda", s->lambda, false},
                  {"share", s->share, false},
                  {"coefficient", s->coefficient, true},
                  {"policy_loss", s->ppo.policy_loss, true},
                  {"value_loss", s->ppo.value_loss, true},
                  {"clip_fraction", s->ppo.clip_fraction, true},
                  {"approx_kl", s->ppo.approx_kl, true},
                  {"explained_variance", s->ppo.explained_variance, true},
                  {"grad_norm", s->ppo.grad_norm, true}};
    MN_TRY(mn_buf_printf(buf, "{\"step\": %zu, \"episodes\": %zu, \"tokens\": %zu, \"turns\": %zu", s->step, s->episodes,
                         s->tokens, s->turns));
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (fields[i].trained && !s->step) continue;
        MN_TRY(mn_buf_printf(buf, ", \"%s\": ", fields[i].key));
        MN_TRY(mn_json_num(buf, fields[i].x));
    }
    return mn_buf_puts(buf, "}\n");
}

static bool is_logged(const run *r, size_t step)
{
    return step == 0 || step == (size_t)r->settings.steps || step % (size_t)r->settings.log_every == 0;
}

static mn_status log_episodes(run *r, mn_err *err)
{
    const mn_trainer *t = &r->trainer;
    char *const *names = r->trainer.setup.rules.role;
    const char *const roles[2] = {names[MN_AGENT], names[MN_OTHER]};
    char path[PATH_MAX], name[64];
    mn_buf buf = {0};
    snprintf(name, sizeof name, "heads.%06zu", t->stats.step);
    MN_TRY(mn_run_path(path, sizeof path, r->opts->dir, name, err));
    MN_TRY(mn_checkpoint_save_played(path, t, err));
    mn_status status = MN_OK;
    for (size_t i = 0; status == MN_OK && i < t->n; i++) status = mn_episode_write(&buf, &t->episodes[i], roles);
    status = status == MN_OK ? append(r, EPISODES, buf.data, buf.len, err)
                             : mn_fail(err, status, "an episode cannot be written");
    mn_buf_free(&buf);
    return status;
}

static mn_status log_step(run *r, mn_err *err)
{
    mn_buf buf = {0};
    mn_status status = put_step(&buf, &r->trainer);
    if (status == MN_ERR_NUM)
        status = mn_fail(err, MN_ERR_NUM, "step %zu: training came to a NaN: try a lower ppo.learning_rate",
                         r->trainer.stats.step);
    else if (status != MN_OK)
        status = mn_fail(err, status, "out of memory");
    else
        status = append(r, STEPS, buf.data, buf.len, err);
    mn_buf_free(&buf);
    return status;
}

/* Seconds and speed: of this process, so not part of what is promised to repeat. */
static mn_status log_time(const run *r, double seconds, mn_err *err)
{
    char path[PATH_MAX];
    MN_TRY(mn_run_path(path, sizeof path, r->opts->dir, "timing.jsonl", err));
    FILE *file = fopen(path, "a");
    bool ok = file &&
              fprintf(file, "{\"step\": %zu, \"seconds\": %.3f, \"decoded\": %zu, \"tokens_per_s\": %.1f}\n",
                      r->trainer.stats.step, seconds, r->trainer.stats.decoded, (double)r->trainer.stats.decoded / seconds) > 0;
    if (file && fclose(file) != 0) ok = false;
    return ok ? MN_OK : failed(err, r->opts->dir, "timing.jsonl", "written");
}

/* ---- checkpoints ------------------------------------------------------------------------------------------------------ */

static mn_status checkpoint_path(char *path, size_t size, const char *dir, uint64_t step, mn_err *err)
{
    char name[64];
    snprintf(name, sizeof name, "checkpoint.%06llu", (unsigned long long)step);
    return mn_run_path(path, size, dir, name, err);
}

static mn_status save_checkpoint(run *r, mn_err *err)
{
    char path[PATH_MAX];
    size_t step = r->trainer.step;
    MN_TRY(checkpoint_path(path, sizeof path, r->opts->dir, step, err));
    MN_TRY(mn_checkpoint_save(path, &r->trainer, r->lengths, err));
    if (step < 3) return MN_OK;
    MN_TRY(checkpoint_path(path, sizeof path, r->opts->dir, step - 2, err));
    unlink(path);
    return MN_OK;
}

/* Steps of the files PREFIX.NNNNNN in the folder, the largest below `below`; -1: none. */
static long long newest(const char *dir, const char *prefix, long long below)
{
    DIR *folder = opendir(dir);
    long long found = -1;
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        char *end;
        size_t n = strlen(prefix);
        if (strncmp(entry->d_name, prefix, n) != 0) continue;
        long long step = strtoll(entry->d_name + n, &end, 10);
        if (*end || end == entry->d_name + n) continue;
        if (step < below && step > found) found = step;
    }
    if (folder) closedir(folder);
    return found;
}

/* The newest checkpoint that is whole; none: training begins anew. */
static mn_status load_checkpoint(run *r, mn_err *err)
{
    mn_checkpoint at = {0};
    long long step = newest(r->opts->dir, "checkpoint.", LLONG_MAX);
    while (step >= 0) {
        char path[PATH_MAX];
        MN_TRY(checkpoint_path(path, sizeof path, r->opts->dir, (uint64_t)step, err));
        if (mn_checkpoint_load(&at, &r->trainer, path, err) == MN_OK) break;
        long long older = newest(r->opts->dir, "checkpoint.", step);
        if (older < 0) return err ? err->code : MN_ERR_INPUT;
        step = older;
    }
    memcpy(r->lengths, at.lengths, sizeof r->lengths);
    return MN_OK;
}

/* ---- the folder ---------------------------------------------------------------------------------------------------------- */

static mn_status open_logs(run *r, mn_err *err)
{
    for (int i = 0; i < LOGS; i++) {
        char path[PATH_MAX];
        MN_TRY(mn_run_path(path, sizeof path, r->opts->dir, log_names[i], err));
        r->logs[i] = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        struct stat st;
        if (r->logs[i] < 0 || fstat(r->logs[i], &st) != 0) return failed(err, r->opts->dir, log_names[i], "opened");
        if ((uint64_t)st.st_size < r->lengths[i])
            return mn_fail_at(err, MN_ERR_INPUT, path, 0, 0,
                              "is shorter than when the last checkpoint was written: the run cannot go on");
        if (ftruncate(r->logs[i], (off_t)r->lengths[i]) != 0)
            return failed(err, r->opts->dir, log_names[i], "cut to its last checkpoint");
    }
    return MN_OK;
}

static mn_status lock_folder(run *r, mn_err *err)
{
    r->folder = open(r->opts->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r->folder < 0) return failed(err, r->opts->dir, "", "opened");
    if (flock(r->folder, LOCK_EX | LOCK_NB) != 0)
        return mn_fail_at(err, MN_ERR_IO, r->opts->dir, 0, 0, "another process is writing this run");
    return MN_OK;
}

/* Before models are opened: nothing may be in the way. */
static mn_status check_new(const char *dir, mn_err *err)
{
    char path[PATH_MAX];
    DIR *folder = opendir(dir);
    if (!folder && errno == ENOENT) return MN_OK;
    if (!folder) return failed(err, dir, "", "opened");
    size_t entries = 0;
    while (readdir(folder)) entries++;
    closedir(folder);
    if (entries <= 2) return MN_OK;
    MN_TRY(mn_run_path(path, sizeof path, dir, "run.json", err));
    if (mn_file_exists(path))
        return mn_fail_at(err, MN_ERR_USAGE, dir, 0, 0, "holds a run already: go on with --resume %s, or name another folder",
                          dir);
    return mn_fail_at(err, MN_ERR_USAGE, dir, 0, 0, "is not empty: name a new folder");
}

static mn_status make_folder(run *r, mn_err *err)
{
    bool made = mkdir(r->opts->dir, 0777) == 0;
    if (!made && errno != EEXIST) return failed(err, r->opts->dir, "", "made");
    mn_status status = lock_folder(r, err);
    if (status == MN_OK) status = write_run(r, err);
    if (status != MN_OK && made) rmdir(r->opts->dir);
    return status;
}

/* ---- the loop ------------------------------------------------------------------------------------------------------------- */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void tell(run *r, double seconds)
{
    const mn_step_stats *s = &r->trainer.stats;
    size_t steps = (size_t)r->settings.steps;
    if (s->step == 0) r->base_value = s->value;
    if (s->step) r->seconds += seconds, r->done++;
    double each = r->done ? r->seconds / (double)r->done : seconds * (double)r->settings.episodes / (double)s->episodes;
    mn_progress p = {.step = s->step,
                     .steps = steps,
                     .value = s->value,
                     .base_value = r->base_value,
                     .nats = s->nats,
                     .budget_nats = s->budget_nats,
                     .tokens_per_s = (double)s->decoded / seconds,
                     .seconds_left = each * (double)(steps - s->step)};
    if (r->opts->progress) r->opts->progress(r->opts->arg, &p);
}

static mn_status go_on(run *r, mn_err *err)
{
    while (r->trainer.step <= (size_t)r->settings.steps) {
        double begun = now();
        MN_TRY(mn_trainer_step(&r->trainer, r->opts->stop, r->opts->arg, err));
        if (is_logged(r, r->trainer.stats.step)) MN_TRY(log_episodes(r, err));
        MN_TRY(log_step(r, err));
        MN_TRY(save_checkpoint(r, err));
        double seconds = now() - begun;
        MN_TRY(log_time(r, seconds, err));
        tell(r, seconds);
    }
    return MN_OK;
}

/* The base's return, for the progress of a run that goes on. */
static void recall_base(run *r)
{
    char path[PATH_MAX], *line;
    mn_lines lines;
    size_t len;
    bool end;
    json_t *step;
    if (mn_run_path(path, sizeof path, r->opts->dir, log_names[STEPS], NULL) != MN_OK ||
        mn_lines_open(&lines, path, NULL) != MN_OK)
        return;
    if (mn_lines_next(&lines, &line, &len, &end, NULL) == MN_OK && !end &&
        mn_json_parse(&step, line, len, path, 1, NULL) == MN_OK) {
        if (mn_json_number(&r->base_value, json_object_get(step, "return")) != MN_OK) r->base_value = 0;
        json_decref(step);
    }
    mn_lines_close(&lines);
}

static mn_status begin(run *r, mn_err *err)
{
    const mn_train_opts *o = r->opts;
    if (o->resume) {
        MN_TRY(mn_run_settings(&r->settings, o->dir, err));
    } else {
        MN_TRY(check_new(o->dir, err));
        MN_TRY(mn_config_load(&r->settings, mn_settings_keys, mn_settings_n, o->config, NULL, o->sets, o->n_sets, err));
    }
    MN_TRY(mn_trainer_new(&r->trainer, &r->settings, r->threads, err));
    if (!o->resume) return make_folder(r, err);
    MN_TRY(lock_folder(r, err));
    MN_TRY(mn_run_same_models(&r->trainer.setup, o->dir, err));
    recall_base(r);
    return load_checkpoint(r, err);
}

mn_status mn_train(const mn_train_opts *opts, mn_err *err)
{
    run r = {.opts = opts, .folder = -1, .logs = {-1, -1}, .threads = opts->threads};
    mn_err own;
    if (!err) err = &own;
    if (!r.threads) r.threads = (size_t)sysconf(_SC_NPROCESSORS_ONLN);
    mn_status status = begin(&r, err);
    if (status == MN_OK) status = open_logs(&r, err);
    if (status == MN_OK) status = go_on(&r, err);
    for (int i = 0; i < LOGS; i++)
        if (r.logs[i] >= 0) close(r.logs[i]);
    if (r.folder >= 0) close(r.folder);
    mn_trainer_free(&r.trainer);
    mn_config_free(&r.settings, mn_settings_keys, mn_settings_n);
    return status;
}

mn_status mn_train_keys(char **out, mn_err *err)
{
    mn_buf buf = {0};
    mn_status status = mn_config_doc(&buf, mn_settings_keys, mn_settings_n);
    if (status != MN_OK) return mn_buf_free(&buf), mn_fail(err, status, "out of memory");
    *out = buf.data;
    return MN_OK;
}
