"""What the tests of the laboratory share: the program's answers, and the language written down again: every program laid out over all
histories of a few turns, one by one, with numpy."""
import functools
import json
import math
import os
import subprocess

import numpy as np

PROGRAM = os.environ.get("MIGHTNT", "build/mightnt")
LN2 = math.log(2)


def run(*arguments):
    return subprocess.run([PROGRAM, "lab", *arguments], capture_output=True, text=True, timeout=300)


def lab(name, **settings):
    out = run(name, "--json", *(word for key, value in settings.items() for word in ("--set", f"{name}.{key}={value}")))
    assert out.returncode in (0, 1), out.stderr
    answer = json.loads(out.stdout)
    assert answer["holds"] == (out.returncode == 0) == all(check["holds"] for check in answer["checks"])
    number = {"inf": math.inf, "-inf": -math.inf, None: math.nan}
    rows = [(row["label"], dict(zip(answer["columns"], (number.get(x, x) if isinstance(x, (str, type(None))) else x
                                                       for x in row["values"])))) for row in answer["rows"]]
    return answer, rows


# ---- random streams: Philox4x32-10 (Salmon et al. 2011) ----

class Stream:
    def __init__(self, seed, episode, purpose=1000):
        self.key, self.episode, self.purpose, self.n = seed, episode, purpose, 0

    def bits(self):
        c = [self.n, self.purpose, self.episode & 0xFFFFFFFF, self.episode >> 32]
        k0, k1 = self.key & 0xFFFFFFFF, self.key >> 32
        for _ in range(10):
            a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
            c = [(b >> 32) ^ c[1] ^ k0, b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k1, a & 0xFFFFFFFF]
            k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
        self.n += 1
        return c[0] | c[1] << 32

    def uniform(self):
        return (self.bits() >> 11) * 2.0**-53

    def draw(self, p):
        u, i = self.uniform(), 0
        while i + 1 < len(p) and (u >= p[i] or p[i] == 0):
            u, i = u - p[i], i + 1
        return i


# ---- the language: (price in bits, tree) of every program, from the grammar ----

def index_bits(i, n):
    k = n.bit_length() - 1
    return k + (i >= 2 ** (k + 1) - n)


def gamma_bits(n):
    return 2 * (n.bit_length() - 1) + 1


def grid(A):
    G = 8 if A == 2 else 4
    def parts(left, k):
        return [(left,)] if k == 1 else [(first, *rest) for first in range(left + 1) for rest in parts(left - first, k - 1)]
    return [np.array(w) / G for w in parts(G, A) if max(w) < G]


class Language:
    def __init__(self, A, most):
        self.A = A
        symbols, numbers, mixes = range(A), range(1, 2 ** (most // 2)), grid(A)
        s = functools.partial(lambda A, x: index_bits(x, A), A)
        self.events = [[] for _ in range(most + 1)]
        self.policies = [[] for _ in range(most + 1)]
        def add(lists, bits, tree):
            if bits <= most:
                lists[bits].append(tree)
        for x in symbols:
            add(self.policies, 3 + s(x), ("always", x))
            add(self.policies, 3 + s(x), ("rotate", x))
            add(self.events, 2 + s(x), ("last", x))
            add(self.events, 3 + s(x), ("times", x, 1))
            for y in symbols:
                add(self.events, 3 + s(x) + s(y), ("pair", x, y))
            for n in numbers:
                add(self.events, 3 + s(x) + gamma_bits(n), ("times", x, n + 1))
        for n in numbers:
            add(self.policies, 3 + gamma_bits(n), ("count", n + 1))
            add(self.events, 3 + gamma_bits(n), ("time", n))
        for i, p in enumerate(mixes):
            add(self.policies, 3 + index_bits(i, len(mixes)), ("mix", tuple(p)))
        for bits in range(1, most + 1):
            self.events[bits] += [("not", e) for e in self.events[max(bits - 3, 0)]]
            self.events[bits] += [("and", e, f) for k in range(1, bits - 3) for e in self.events[k] for f in self.events[bits - 3 - k]]
        for bits in range(12, most + 1):
            for k in range(1, bits - 2):
                for m in range(1, bits - 2 - k):
                    for e in self.events[k]:
                        for p in self.policies[m]:
                            for q in self.policies[bits - 2 - k - m]:
                                self.policies[bits] += [("if", e, p, q), ("until", e, p, q)]

    def programs(self):
        return [(bits, tree) for bits, trees in enumerate(self.policies) for tree in trees]


class Histories:
    """All histories of fewer than T turns, a layer for each number of turns; a turn is (a, k), answered by says[a][k]."""

    def __init__(self, A, T, says):
        self.A, self.T, self.O, self.says = A, T, len(says[0]), says
        self.last, self.counts, self.pairs = [np.array([-1])], [np.zeros((1, A), int)], [np.zeros((1, A, A), bool)]
        for t in range(1, T):
            rows = []
            for i in range(len(self.last[-1])):
                for a in range(A):
                    for o in says[a]:
                        counts, pairs, before = self.counts[-1][i].copy(), self.pairs[-1][i].copy(), self.last[-1][i]
                        counts[a] += 1
                        counts[o] += 1
                        pairs[a, o] = True
                        if before >= 0:
                            pairs[before, a] = True
                        rows.append((o, counts, pairs))
            self.last.append(np.array([r[0] for r in rows]))
            self.counts.append(np.array([r[1] for r in rows]))
            self.pairs.append(np.array([r[2] for r in rows]))
        self.cache = {}

    def event(self, e):
        if e not in self.cache:
            self.cache[e] = [self.holds(e, t) for t in range(self.T)]
        return self.cache[e]

    def holds(self, e, t):
        if e[0] == "last":
            return self.last[t] == e[1]
        if e[0] == "times":
            return self.counts[t][:, e[1]] >= e[2]
        if e[0] == "pair":
            return self.pairs[t][:, e[1], e[2]]
        if e[0] == "time":
            return np.full(len(self.last[t]), t >= e[1])
        if e[0] == "not":
            return ~self.event(e[1])[t]
        return self.event(e[1])[t] & self.event(e[2])[t]

    def once(self, e):
        if ("once", e) not in self.cache:
            held = [self.event(e)[0]]
            for t in range(1, self.T):
                held.append(np.repeat(held[-1], self.A * self.O) | self.event(e)[t])
            self.cache["once", e] = held
        return self.cache["once", e]

    def policy(self, p):
        if p not in self.cache:
            says = self.say(p)
            if p[0] in ("if", "until"):
                return says
            self.cache[p] = says
        return self.cache[p]

    def say(self, p):
        eye = np.eye(self.A)
        if p[0] in ("if", "until"):
            chosen = self.event(p[1]) if p[0] == "if" else self.once(p[1])
            first, second = self.policy(p[2]), self.policy(p[3])
            if p[0] == "until":
                first, second = second, first
            return [np.where(chosen[t][:, None], first[t], second[t]) for t in range(self.T)]
        out = []
        for t in range(self.T):
            n = len(self.last[t])
            if p[0] == "always":
                out.append(np.repeat(eye[p[1]][None], n, 0))
            elif p[0] == "mix":
                out.append(np.repeat(np.array(p[1])[None], n, 0))
            elif p[0] == "count":
                out.append(np.repeat(eye[t % p[1] % self.A][None], n, 0))
            else:
                out.append(eye[np.where(self.last[t] < 0, p[1], (self.last[t] + p[1]) % self.A)])
        return out

    def along(self, lp_moves):
        """Sums over the moves of each history: lp of them at every layer."""
        sums = [np.zeros(1)]
        for t in range(self.T - 1):
            sums.append((sums[-1][:, None, None] + np.repeat(lp_moves[t][:, :, None], self.O, 2)).ravel())
        return sums


def demonstrate(histories, mu, p, transcripts, turns):
    """Counts of the demonstrator's moves after each history, from the program's own streams."""
    says, counts, O = histories.policy(mu), [np.zeros((len(x), histories.A)) for x in histories.last], histories.O
    for i in range(transcripts):
        stream, code = Stream(1, i), 0
        for t in range(turns):
            a = stream.draw(says[t][code])
            k = stream.draw(p[a])
            counts[t][code, a] += 1
            code = (code * histories.A + a) * O + k
    return counts


def logs(layers):
    with np.errstate(divide="ignore"):
        return [np.log(x) for x in layers]


class Mixture:
    """The posterior after transcripts, and what it says after every history: all programs, one by one, in log space."""

    def __init__(self, histories, programs, counts, shares=()):
        T = histories.T
        weights = []
        for bits, tree in programs:
            lp, evidence = logs(histories.policy(tree)), -bits * LN2
            for t in range(T):
                seen = counts[t] > 0
                evidence += (counts[t][seen] * lp[t][seen]).sum()
            weights.append(evidence)
        self.top = max(weights)
        self.sums = [np.full((len(x), histories.A), -np.inf) for x in histories.last]
        self.all = [np.full(len(x), -np.inf) for x in histories.last]
        self.part = {share: [np.full(len(x), -np.inf) for x in histories.last] for share in shares}
        for (bits, tree), w in zip(programs, weights):
            if w == -np.inf:
                continue
            lp = logs(histories.policy(tree))
            for t, own in enumerate(histories.along(lp)):
                own = own + (w - self.top)
                self.sums[t] = np.logaddexp(self.sums[t], own[:, None] + lp[t])
                self.all[t] = np.logaddexp(self.all[t], own)
                for share in shares:
                    if bits <= share:
                        self.part[share][t] = np.logaddexp(self.part[share][t], own)
        self.lp = []
        for t in range(T):
            with np.errstate(invalid="ignore"):
                lp = self.sums[t] - self.all[t][:, None]
            lp[np.isneginf(self.all[t])] = -math.log(histories.A)
            self.lp.append(lp)


def kl(p, lq):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(p > 0, p * (np.log(p) - lq), 0).sum(-1)
