#include "report/gnuplot.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* ---- scripts ---------------------------------------------------------------------------------------------------- */

mn_status mn_gnuplot_number(mn_buf *buf, double x)
{
    char text[32];
    snprintf(text, sizeof text, "%.9g", x);
    for (char *c = text; *c; c++)
        if (*c == ',') *c = '.';
    return mn_buf_puts(buf, text);
}

mn_status mn_gnuplot_begin(mn_buf *script, int width, int height, const char *x, const char *y)
{
    return mn_buf_printf(script,
                         "set terminal svg size %d,%d dynamic noenhanced font 'inherit,13' name 'c'\n"
                         "set border 3 lc rgb " MN_GNUPLOT_AXIS
                         "\nset tics nomirror out scale .4 textcolor rgb " MN_GNUPLOT_MUTED
                         "\nset grid ytics lt 1 lw 1 lc rgb " MN_GNUPLOT_GRID "\nunset key\nset rmargin 3\nset tmargin 1\n"
                         "set xlabel '%s' textcolor rgb " MN_GNUPLOT_MUTED "\nset ylabel '%s' textcolor rgb " MN_GNUPLOT_MUTED
                         " offset .5,0\nset pointintervalbox 0\n",
                         width, height, x, y);
}

/* ---- the process: files rather than pipes, so that neither side ever waits for the other ------------------------ */

enum { IN, OUT, ERR, FILES };

static bool slurp(mn_buf *buf, FILE *file)
{
    char chunk[4096];
    size_t got;
    rewind(file);
    while ((got = fread(chunk, 1, sizeof chunk, file)) > 0)
        if (mn_buf_put(buf, chunk, got) != MN_OK) return false;
    return !ferror(file);
}

static mn_status complain(FILE *file, int status, mn_err *err)
{
    mn_buf said = {0};
    const char *line = slurp(&said, file) && said.data ? said.data + strspn(said.data, " \n\t^") : "";
    mn_fail(err, MN_ERR_IO, "gnuplot failed (%s %d): %.*s", WIFEXITED(status) ? "status" : "signal",
            WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), (int)strcspn(line, "\n"), line);
    mn_buf_free(&said);
    return MN_ERR_IO;
}

static mn_status spawn(FILE *const files[FILES], mn_err *err)
{
    char *const argv[] = {"gnuplot", "-d", "-", NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status;
    if (posix_spawn_file_actions_init(&actions) != 0) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    int failed = 0;
    for (int i = 0; i < FILES && !failed; i++) failed = posix_spawn_file_actions_adddup2(&actions, fileno(files[i]), i);
    if (!failed) failed = posix_spawnp(&child, "gnuplot", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed == ENOENT) return mn_fail(err, MN_ERR_IO, "gnuplot, which draws the charts, is not installed");
    if (failed) return mn_fail(err, MN_ERR_IO, "gnuplot cannot be started: %s", strerror(failed));
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return mn_fail(err, MN_ERR_IO, "gnuplot cannot be waited for: %s", strerror(errno));
    return status == 0 ? MN_OK : complain(files[ERR], status, err);
}

static mn_status run(mn_buf *out, FILE *const files[FILES], const char *script, size_t len, mn_err *err)
{
    for (int i = 0; i < FILES; i++)
        if (!files[i]) return mn_fail(err, MN_ERR_IO, "a temporary file cannot be made: %s", strerror(errno));
    if (fwrite(script, 1, len, files[IN]) != len || fflush(files[IN]) != 0)
        return mn_fail(err, MN_ERR_IO, "a temporary file cannot be written: %s", strerror(errno));
    rewind(files[IN]);
    MN_TRY(spawn(files, err));
    return slurp(out, files[OUT]) && out->len ? MN_OK : mn_fail(err, MN_ERR_IO, "gnuplot's drawing cannot be read");
}

static mn_status draw(mn_buf *out, const char *script, size_t len, mn_err *err)
{
    FILE *files[FILES];
    for (int i = 0; i < FILES; i++) files[i] = tmpfile();
    mn_status status = run(out, files, script, len, err);
    for (int i = 0; i < FILES; i++)
        if (files[i]) fclose(files[i]);
    return status;
}

/* ---- the drawing, made fit for a page --------------------------------------------------------------------------- */

/* In a script "#0000nn" stands for names[nn - 1]. */
static const char *const names[] = {"--axis", "--muted", "--grid", "--s0", "--s1", "--s2",
                                    "--s3",   "--s4",    "--s5",   "--s6", "--s7"};

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Behind the next `tag` from text on, or the end. */
static const char *behind(const char *text, const char *tag)
{
    const char *at = strstr(text, tag);
    return at ? at + strlen(tag) : text + strlen(text);
}

/* What is left out: where it ends, or NULL. */
static const char *left_out(const char *c)
{
    if (starts(c, "<title>")) return behind(c, "</title>");
    if (starts(c, "<defs>")) return behind(c, "</defs>");
    if (starts(c, " id=\"")) return behind(c + 5, "\"");
    if (starts(c, " class=\"")) return behind(c + 8, "\"");
    if (starts(c, "\t")) return c + 1;
    if (starts(c, "\n\n")) return c + 1;
    if (starts(c, "<g ") && starts(behind(c, ">"), "\n</g>")) return behind(c, "</g>");
    return NULL;
}

static mn_status put_fit(mn_buf *svg, const char *c)
{
    while (*c) {
        const char *next = left_out(c);
        int r, g, b, used = 0;
        if (next) {
            c = next;
        } else if (starts(c, "rgb(") && sscanf(c, "rgb( %d , %d , %d )%n", &r, &g, &b, &used) == 3 && used && r == 0 &&
                   g == 0 && b > 0 && (size_t)b <= sizeof names / sizeof *names) {
            MN_TRY(mn_buf_printf(svg, "var(%s)", names[b - 1]));
            c += used;
        } else if (starts(c, "color='white'")) { /* the halo of a point */
            MN_TRY(mn_buf_puts(svg, "color='var(--card)'"));
            c += strlen("color='white'");
        } else {
            MN_TRY(mn_buf_put(svg, c++, 1));
        }
    }
    return MN_OK;
}

mn_status mn_gnuplot_svg(mn_buf *svg, const char *script, size_t len, int width, int height, mn_err *err)
{
    mn_buf drawn = {0};
    mn_status status = draw(&drawn, script, len, err);
    if (status == MN_OK) {
        const char *inside = behind(behind(drawn.data, "<svg"), ">");
        status = mn_buf_printf(svg, "<svg viewBox=\"0 0 %d %d\" aria-hidden=\"true\">", width, height);
        if (status == MN_OK) status = put_fit(svg, inside + strspn(inside, "\n"));
        if (status != MN_OK) status = mn_fail(err, status, "out of memory");
    }
    mn_buf_free(&drawn);
    return status;
}
