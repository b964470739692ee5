/* mn_report: reads runs, compares, draws, and writes the page with its data beside it. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "report/page.h"

mn_status mn_page_folder(char out[PATH_MAX], const char *page, mn_err *err)
{
    size_t len = strlen(page);
    const char *slash = strrchr(page, '/'), *dot = strrchr(slash ? slash : page, '.');
    if (dot && dot != page && dot[-1] != '/') len = (size_t)(dot - page);
    int n = snprintf(out, PATH_MAX, "%.*s-data", (int)len, page);
    return len >= PATH_MAX || n < 0 || n >= PATH_MAX ? mn_fail_at(err, MN_ERR_IO, page, 0, 0, "the path is too long") : MN_OK;
}

mn_status mn_page_data(const char *folder, const char *name, const mn_buf *data, mn_err *err)
{
    char path[PATH_MAX];
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return mn_fail_at(err, MN_ERR_IO, folder, 0, 0, "cannot be made: %s", strerror(errno));
    int n = snprintf(path, sizeof path, "%s/%s.tsv", folder, name);
    if (n < 0 || (size_t)n >= sizeof path) return mn_fail_at(err, MN_ERR_IO, folder, 0, 0, "the path is too long");
    return mn_file_write_atomic(path, data->data, data->len, err);
}

static mn_status write_data(const mn_chart charts[MN_CHARTS], const char *folder, mn_err *err)
{
    for (int i = 0; i < MN_CHARTS; i++)
        if (charts[i].data.len) MN_TRY(mn_page_data(folder, charts[i].name, &charts[i].data, err));
    return MN_OK;
}

static mn_status write_page(const char *path, const mn_comparison *comparison, const mn_result *runs, size_t n, mn_err *err)
{
    char folder[PATH_MAX];
    mn_chart charts[MN_CHARTS];
    mn_html html = {0};
    MN_TRY(mn_page_folder(folder, path, err));
    mn_status status = mn_charts_draw(charts, comparison, err);
    if (status == MN_OK) {
        const char *slash = strrchr(folder, '/');
        mn_page_put(&html, comparison, runs, n, charts, slash ? slash + 1 : folder);
        if (html.status != MN_OK) status = mn_fail(err, html.status, "out of memory");
    }
    if (status == MN_OK) status = write_data(charts, folder, err);
    if (status == MN_OK) status = mn_file_write_atomic(path, html.buf.data, html.buf.len, err);
    mn_buf_free(&html.buf);
    mn_charts_free(charts);
    return status;
}

mn_status mn_report(const char *path, const char *const *dirs, size_t n, mn_err *err)
{
    mn_comparison comparison = {0};
    mn_result *runs;
    size_t opened = 0;
    if (!n) return mn_fail(err, MN_ERR_USAGE, "expected at least one run directory");
    MN_ALLOC_OR_FAIL(runs, n, err);
    mn_status status = MN_OK;
    while (status == MN_OK && opened < n) {
        status = mn_result_open(&runs[opened], dirs[opened], err);
        opened++;
    }
    if (status == MN_OK) status = mn_compare(&comparison, runs, n, err);
    if (status == MN_OK) status = write_page(path, &comparison, runs, n, err);
    mn_comparison_free(&comparison);
    for (size_t i = 0; i < opened; i++) mn_result_free(&runs[i]);
    free(runs);
    return status;
}
