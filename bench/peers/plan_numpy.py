# Soft planning in numpy and scipy at their best, for bench/bench_plan: pip install numpy scipy; python plan_numpy.py
# V_t(s) = eta ln sum_a base(a|s) exp(Q/eta) and the KL, one backward pass each; eta by Brent's method so that the KL is 10
# nats. 2,000 states, 27 moves, 64 steps. Outcomes one (a deterministic world, take), or 16 (a sparse matrix). CPU seconds,
# one thread.
import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import statistics
import time

import numpy as np
import scipy.sparse as sp
from scipy.optimize import brentq

S, A, T, B, ROUNDS = 2000, 27, 64, 10.0, 3


def world(outcomes, seed=0):
    rng = np.random.default_rng(seed)
    base = rng.standard_normal((S, A)) * 1.5
    base -= np.log(np.exp(base).sum(1, keepdims=True))
    nxt = rng.integers(0, S, (S, A, outcomes)).astype(np.int32)
    w = rng.exponential(size=(S, A, outcomes))
    w /= w.sum(2, keepdims=True)
    return base, rng.random((S, A)), nxt, w


def backups(nxt, w):
    """A function (V, K) -> E V(next), E K(next), each [S,A]."""
    outcomes = nxt.shape[2]
    if outcomes == 1:
        flat = nxt[:, :, 0]
        return lambda V, K: (V.take(flat), K.take(flat))
    M = sp.csr_matrix((w.ravel(), nxt.ravel(), np.arange(0, S * A * outcomes + 1, outcomes)), shape=(S * A, S))
    return lambda V, K: ((M @ V).reshape(S, A), (M @ K).reshape(S, A))


def sweep(eta, base, r, expect):
    V, K = np.zeros(S), np.zeros(S)
    for _ in range(T):
        q, k_next = expect(V, K)
        q += r
        q *= 1.0 / eta
        q += base
        m = q.max(1)
        q -= m[:, None]
        p = np.exp(q)
        Z = p.sum(1)
        lnz = np.log(Z)
        p /= Z[:, None]
        q -= lnz[:, None]
        q -= base
        q += k_next
        K = np.einsum("sa,sa->s", p, q)
        V = eta * (lnz + m)
    return V[0], K[0]


def plan(base, r, expect):
    sweeps = [0]

    def gap(log_eta):
        sweeps[0] += 1
        return sweep(np.exp(log_eta), base, r, expect)[1] - B

    eta = np.exp(brentq(gap, np.log(1e-3), np.log(1e3), xtol=1e-12, rtol=1e-12))
    V, K = sweep(eta, base, r, expect)
    return eta, V + eta * K, K, sweeps[0] + 1


def timed(fn):
    times = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        out = fn()
        times.append(time.process_time() - begun)
    return statistics.median(times), out


print("outcomes\tsweep_ms\tsolve_s\tsweeps\teta\treward\tkl_nats")
for outcomes in (1, 16):
    base, r, nxt, w = world(outcomes)
    expect = backups(nxt, w)
    one, _ = timed(lambda: sweep(0.1, base, r, expect))
    full, (eta, reward, kl, sweeps) = timed(lambda: plan(base, r, expect))
    print(f"{outcomes}\t{1e3 * one:.2f}\t{full:.4f}\t{sweeps}\t{eta:.12f}\t{reward:.12f}\t{kl:.12f}", flush=True)
