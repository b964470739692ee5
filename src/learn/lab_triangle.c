/* Two policies near one base may be infinitely far from each other. */
#include <math.h>
#include <stdio.h>

#include "learn/lab.h"

enum { ZERO }; /* settings */

/* KL(pi || tau) of two distributions on two actions. */
static mn_status divergence(double *kl, const double pi[2], double zero)
{
    const double lp[2] = {log(pi[0]), log(pi[1])}, lq[2] = {log1p(-zero), log(zero)};
    return mn_kl_nats(kl, lp, lq, 2);
}

/* The base does action 1 with so much probability that tau, which never does, is eps from it; pi does it as often as eps
 * allows. */
static mn_status one(mn_lab_run_of *run, double eps, mn_err *err)
{
    mn_lab *lab = run->lab;
    double q = -expm1(-eps), base[2] = {log1p(-q), log(q)}, scores[2] = {0, 1e3}, lp[2], lambda, spent, near, far, grows[2];
    const double tau[2] = {log1p(-run->set[ZERO]), log(run->set[ZERO])};
    MN_TRY(mn_regularize(MN_REG_BUDGET, lp, &lambda, &spent, base, scores, &eps, 1, 2, err));
    const double pi[2] = {exp(lp[0]), exp(lp[1])};
    MN_TRY(mn_kl_nats(&near, tau, base, 2));
    MN_TRY(divergence(&far, pi, run->set[ZERO]));
    char label[64];
    for (int k = 1; k <= 15; k++) {
        double z = pow(10, -k), kl;
        MN_TRY(divergence(&kl, pi, z));
        snprintf(label, sizeof label, "eps %g", eps);
        MN_TRY(mn_lab_add_row(lab, label, (const double[]){z, spent, near, kl, kl / spent}, err));
        if (k >= 14) grows[k - 14] = kl;
    }
    MN_TRY(mn_lab_add_row(lab, label, (const double[]){run->set[ZERO], spent, near, far, far / spent}, err));
    MN_TRY(mn_lab_add_check(lab, spent, MN_LAB_AT_MOST, eps, err, "KL(pi || beta) at eps %g", eps));
    MN_TRY(mn_lab_add_check(lab, near, MN_LAB_AT_MOST, eps * (1 + 1e-12), err, "KL(tau || beta) at eps %g", eps));
    MN_TRY(mn_lab_add_check(lab, far, MN_LAB_AT_LEAST, INFINITY, err, "KL(pi || tau) at eps %g", eps));
    return mn_lab_add_check(lab, fabs((grows[1] - grows[0]) / (pi[1] * log(10)) - 1), MN_LAB_AT_MOST, 1e-6, err,
                            "at eps %g KL(pi || tau) grows by pi(1) ln 10 a decade: relative difference", eps);
}

static mn_status triangle(mn_lab_run_of *run, mn_err *err)
{
    mn_lab *lab = run->lab;
    mn_lab_headings(lab, "limit",
                    (const char *const[]){"tau(1)", "KL(pi||beta) nats", "KL(tau||beta) nats", "KL(pi||tau) nats",
                                          "KL(pi||tau) / KL(pi||beta)", NULL});
    lab->lines[0] = 3;
    lab->n_lines = 1;
    lab->log_x = lab->log_y = true;
    lab->x_title = "probability that tau gives to what it hardly ever does";
    lab->y_title = "KL(pi || tau), nats";
    static const double eps[] = {1, .1, .01, .001};
    for (size_t i = 0; i < sizeof eps / sizeof *eps; i++) MN_TRY(one(run, eps[i], err));
    return mn_lab_find(
        lab, err,
        "However small eps is, both policies are within it of the base, and what one of them does the other never does. "
        "The distance grows like pi(1) ln(1/tau(1)), without end.");
}

const mn_lab_experiment mn_lab_triangle = {
    .kind =
        {.name = "triangle",
         .title = "No triangle inequality",
         .claim =
             "For every eps > 0 there are a base beta, a trusted policy tau and a policy pi, both of them within eps of beta "
             "in KL, with "
             "KL(pi || tau) infinite: nearness to an imitation of the trusted policy is not nearness to it (Proposition 1).",
         .formula = "KL(pi||beta) <= eps, KL(tau||beta) <= eps, KL(pi||tau) = inf",
         .settings = {{"zero", 0, "the probability that tau gives to action 1"}}},
    .run = triangle};
