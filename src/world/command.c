#define _GNU_SOURCE /* sigabbrev_np, pipe2 */
#include "world/command.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"

extern char **environ;

struct mn_command {
    pid_t pid;           /* 0: stopped */
    int in, out, errors; /* our ends of its stdin (a socket: those can be written to without SIGPIPE), stdout and stderr */
    double timeout_s;
    mn_buf request, answer;
    char words[160]; /* beginning of its last line on stderr */
    size_t n_words;
    bool words_end;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- start and end ---- */

static void close_end(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

/* Starts the program with the given ends as its stdin, stdout and stderr; an error number. */
static int spawn(pid_t *pid, const char *command, const int ends[3])
{
    char shell[] = "/bin/sh", option[] = "-c", *text = strdup(command), *argv[] = {shell, option, text, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, pipe_only;
    if (!text) return ENOMEM;
    sigemptyset(&none);
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    int failure = 0;
    for (int i = 0; i < 3 && !failure; i++) failure = posix_spawn_file_actions_adddup2(&files, ends[i], i);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &pipe_only);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (!failure) failure = posix_spawn(pid, shell, &files, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    free(text);
    return failure;
}

static mn_status start(mn_command *c, const char *command, mn_err *err)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1}, errors[2] = {-1, -1}, failure = 0;
    pid_t pid = 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) != 0 || pipe2(out, O_CLOEXEC) != 0 ||
        pipe2(errors, O_CLOEXEC) != 0)
        failure = errno;
    else
        failure = spawn(&pid, command, (int[3]){in[1], out[1], errors[1]});
    close_end(&in[1]);
    close_end(&out[1]);
    close_end(&errors[1]);
    c->in = in[0];
    c->out = out[0];
    c->errors = errors[0];
    if (failure) return mn_fail(err, MN_ERR_IO, "the reward command cannot be started: %s", strerror(failure));
    c->pid = pid;
    return MN_OK;
}

mn_status mn_command_new(mn_command **out, const char *command, double timeout_s, mn_err *err)
{
    mn_command *c;
    MN_ALLOC_OR_FAIL(c, 1, err);
    *c = (mn_command){.timeout_s = timeout_s};
    mn_status status = start(c, command, err);
    if (status == MN_OK) return *out = c, MN_OK;
    mn_command_free(c);
    return status;
}

/* Whether the program has ended by itself, or does within a moment; it stays to be reaped, so its number stays taken. */
static bool has_ended(const mn_command *c, int patience_ms)
{
    for (int i = 0; i <= patience_ms; i++) {
        siginfo_t info = {.si_pid = 0};
        if (waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0) return false;
        if (info.si_pid) return true;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return false;
}

/* Kills what is left and reaps the program; its wait status, 0 where that is not known. */
static int reap(mn_command *c)
{
    int status = 0;
    if (!c->pid) return 0;
    kill(-c->pid, SIGKILL);
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR) continue;
    c->pid = 0;
    return status;
}

static void close_ends(mn_command *c)
{
    close_end(&c->in);
    close_end(&c->out);
    close_end(&c->errors);
}

void mn_command_free(mn_command *c)
{
    if (!c) return;
    reap(c);
    close_ends(c);
    mn_buf_free(&c->request);
    mn_buf_free(&c->answer);
    free(c);
}

/* ---- failures ---- */

/* Keeps the beginning of the last line of what the program says on stderr. */
static void listen_to(mn_command *c)
{
    char chunk[4096];
    ssize_t got = read(c->errors, chunk, sizeof chunk);
    if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) close_end(&c->errors);
    for (ssize_t i = 0; i < got; i++) {
        if (chunk[i] == '\n') {
            c->words_end = true;
            continue;
        }
        if (c->words_end) c->n_words = 0;
        c->words_end = false;
        if (c->n_words < sizeof c->words) c->words[c->n_words++] = chunk[i];
    }
}

/* Writes `before` and the beginning of a text in quotes, in ASCII on one line; nothing for an empty text. */
static void quote(char *out, size_t size, const char *before, const char *text, size_t len)
{
    size_t n = strlen(before), room = size - n - sizeof "\"...\"", keep = len < room ? len : room;
    out[0] = '\0';
    if (!len) return;
    snprintf(out, size, "%s\"", before);
    for (size_t i = 0; i < keep; i++) out[++n] = text[i] >= ' ' && text[i] < 127 ? text[i] : '?';
    strcpy(out + n + 1, keep < len ? "...\"" : "\"");
}

/* Ends the program and reports what it did, with its last words. */
static mn_status give_up(mn_command *c, mn_err *err, mn_status code, const mn_turn *turn, const char *format, ...)
    MN_PRINTF(5, 6);
static mn_status give_up(mn_command *c, mn_err *err, mn_status code, const mn_turn *turn, const char *format, ...)
{
    char what[300], words[220];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    reap(c);
    for (int i = 0; i < 32 && c->errors >= 0 && poll(&(struct pollfd){.fd = c->errors, .events = POLLIN}, 1, 0) > 0; i++)
        listen_to(c);
    close_ends(c);
    quote(words, sizeof words, "; its last line on stderr: ", c->words, c->n_words);
    return mn_fail(err, code, "the reward command %s (episode %" PRIu64 ", turn %zu)%s", what, turn->episode, turn->number,
                   words);
}

/* Its output has ended: tells why. */
static mn_status gone(mn_command *c, const mn_turn *turn, mn_err *err)
{
    char part[120];
    quote(part, sizeof part, " after ", c->answer.data, c->answer.len);
    bool ended = has_ended(c, 200);
    int status = reap(c);
    if (ended && WIFEXITED(status))
        return give_up(c, err, MN_ERR_IO, turn, "ended with exit status %d%s", WEXITSTATUS(status), part);
    if (!ended || !WIFSIGNALED(status)) return give_up(c, err, MN_ERR_IO, turn, "closed its output%s", part);
    const char *name = sigabbrev_np(WTERMSIG(status));
    return give_up(c, err, MN_ERR_IO, turn, "was killed by signal %d (SIG%s)%s", WTERMSIG(status), name ? name : "?", part);
}

/* ---- question and answer ---- */

static mn_status write_request(mn_buf *out, const mn_turn *turn)
{
    mn_buf_clear(out);
    MN_TRY(mn_buf_puts(out, "{\"text\": "));
    MN_TRY(mn_json_str(out, turn->text, turn->len));
    MN_TRY(mn_buf_puts(out, ", \"context\": "));
    MN_TRY(mn_json_str(out, turn->context, turn->context_len));
    MN_TRY(mn_buf_puts(out, ", \"role\": "));
    MN_TRY(mn_json_str(out, turn->role, strlen(turn->role)));
    return mn_buf_printf(out, ", \"turn\": %zu, \"episode\": %" PRIu64 "}\n", turn->number, turn->episode);
}

/* Sends what fits. A program that no longer reads may still answer: whether it does is for the reader to find out. */
static void send_more(mn_command *c, size_t *sent)
{
    ssize_t put = send(c->in, c->request.data + *sent, c->request.len - *sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put >= 0)
        *sent += (size_t)put;
    else if (errno != EINTR && errno != EAGAIN)
        *sent = c->request.len;
}

/* Reads what is there; *whole when the answer has its newline. asked: the whole question was sent. */
static mn_status read_more(mn_command *c, bool *whole, bool asked, const mn_turn *turn, mn_err *err)
{
    char part[120], chunk[4096];
    ssize_t got = read(c->out, chunk, sizeof chunk);
    if (got < 0 && errno == EINTR) return MN_OK;
    if (got <= 0) return gone(c, turn, err);
    if (mn_buf_put(&c->answer, chunk, (size_t)got) != MN_OK)
        return give_up(c, err, MN_ERR_MEMORY, turn, "answered more than the memory holds");
    const char *end = memchr(c->answer.data, '\n', c->answer.len);
    quote(part, sizeof part, "", c->answer.data, c->answer.len);
    if (!asked) return give_up(c, err, MN_ERR_INPUT, turn, "wrote %s before it had its question", part);
    if (!end && c->answer.len > MN_COMMAND_LONGEST)
        return give_up(c, err, MN_ERR_INPUT, turn, "answered with a line of more than %d bytes: %s", MN_COMMAND_LONGEST, part);
    if (end && end != c->answer.data + c->answer.len - 1)
        return give_up(c, err, MN_ERR_INPUT, turn, "answered with more than one line: %s", part);
    return *whole = end, MN_OK;
}

/* Sends the request and collects one line. Reads and writes go on side by side: neither side waits for the other for ever. */
static mn_status exchange(mn_command *c, const mn_turn *turn, mn_err *err)
{
    double deadline = now() + c->timeout_s;
    char part[120];
    bool whole = false;
    size_t sent = 0;
    mn_buf_clear(&c->answer);
    while (!whole) {
        double left = deadline - now();
        struct pollfd ends[3] = {{.fd = c->out, .events = POLLIN},
                                 {.fd = c->errors, .events = POLLIN},
                                 {.fd = sent < c->request.len ? c->in : -1, .events = POLLOUT}};
        quote(part, sizeof part, ", only ", c->answer.data, c->answer.len);
        if (left <= 0) return give_up(c, err, MN_ERR_LIMIT, turn, "gave no answer within %g s%s", c->timeout_s, part);
        if (poll(ends, 3, left < 1e6 ? (int)ceil(1e3 * left) : 1000000000) < 0 && errno != EINTR)
            return give_up(c, err, MN_ERR_IO, turn, "cannot be heard: %s", strerror(errno));
        if (ends[1].revents) listen_to(c);
        if (ends[0].revents) MN_TRY(read_more(c, &whole, sent == c->request.len, turn, err));
        if (ends[2].revents) send_more(c, &sent);
    }
    return MN_OK;
}

/* x of {"reward": x}, a number in [0,1]. */
static bool read_reward(double *x, const mn_buf *answer)
{
    json_t *value;
    if (mn_json_parse(&value, answer->data, answer->len, NULL, 0, NULL) != MN_OK) return false;
    const json_t *reward = json_object_get(value, "reward");
    *x = json_number_value(reward);
    bool good = json_is_number(reward) && *x >= 0 && *x <= 1;
    json_decref(value);
    return good;
}

mn_status mn_command_ask(mn_command *c, double *value, const mn_turn *turn, mn_err *err)
{
    char part[120];
    double x;
    if (!c->pid) return mn_fail(err, MN_ERR_IO, "the reward command was ended after a failure");
    if (write_request(&c->request, turn) != MN_OK) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    MN_TRY(exchange(c, turn, err));
    quote(part, sizeof part, "", c->answer.data, c->answer.len - 1);
    if (!read_reward(&x, &c->answer))
        return give_up(c, err, MN_ERR_INPUT, turn, "answered %s: expected {\"reward\": x} with x in [0,1]",
                       *part ? part : "an empty line");
    return *value = x, MN_OK;
}
