"""The laboratory, its numbers by another route: the language written down again and every program laid out over all histories, numpy and
direct sums; and for each experiment one number or assumption broken, which must end with status 1."""
import functools
import json
import math
import os
import subprocess

import numpy as np
import pytest

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


@functools.lru_cache(None)
def plain(name):
    return lab(name)


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


# ---- the frame ----

def test_list_and_wrong_use():
    listed = run("--list").stdout
    for name in "triangle novelty unprecedented tvd mightnt help waiting simple".split():
        assert f"\n{name} " in "\n" + listed
    assert run("triangel").returncode == 3 and "did you mean triangle" in run("triangel").stderr
    assert run("triangle", "--set", "triangle.zer=1").returncode == 3
    assert run("triangle", "--set", "zero=1").returncode == 3
    assert run("triangle", "--set", "triangle.zero=x").returncode == 3
    assert run("help", "--set", "help.steps=1").returncode == 3


def test_explain():
    out = run("explain", "until time >= 2 do ( mix 7 1 ) then always 1", "00100100")
    assert out.returncode == 0
    lines = out.stdout.splitlines()
    assert lines[0] == "until time >= 2 do mix 7 1 then always 1"
    assert lines[1] == "10" + "101" + "010" + "001" + "111" + "000" + "1" and lines[2].startswith(f"{len(lines[1])} bits")
    turns = [line.split() for line in lines[5:]]
    assert [t[1] for t in turns] == ["0.875", "0.875", "0", "0", "0"]
    out = run("explain", "always 3")
    assert out.returncode == 3 and "program:1:8: expected symbol 0 or 1, got '3'" in out.stderr
    assert run("explain", "copy", "01x0").returncode == 3
    assert run("explain", "copy", "010").returncode == 3
    assert run("explain").returncode == 2
    assert run("explain", "copy", "--alphabet", "5").returncode == 2


def test_threads_and_runs_agree():
    for name in "mightnt", "waiting", "help":
        one = run(name, "--threads", "1").stdout
        assert one == run(name, "--threads", "2").stdout and "holds" in one


def test_the_page(tmp_path):
    pages = []
    for name in "a", "b":
        assert run("triangle", "waiting", "-o", str(tmp_path / f"{name}.html")).returncode == 0
        pages.append((tmp_path / f"{name}.html").read_text())
    assert pages[0] == pages[1]
    assert "http" not in pages[0].replace("xmlns", "") and pages[0].count("<svg") == 3
    assert "KL(pi||beta) &lt;= eps" in pages[0] and "mightnt lab waiting" in pages[0]
    table = (tmp_path / "a-data" / "waiting.tsv").read_text().splitlines()
    assert len(table) == 1 + 4 * 14 and table[0].split("\t")[:2] == ["imitator", "turn"]


# ---- each experiment with something broken ----

@pytest.mark.parametrize("name, setting", [
    ("triangle", "zero=0.001"), ("novelty", "precedent=1"), ("unprecedented", "growth=1"), ("tvd", "kind=0"),
    ("mightnt", "in_class=0"), ("help", "scale=1e-6"), ("waiting", "precedent=1"), ("simple", "demonstrator=3")])
def test_a_broken_experiment_fails(name, setting):
    assert plain(name)[0]["holds"]
    out = run(name, "--set", f"{name}.{setting}")
    assert out.returncode == 1 and "FAILS" in out.stdout and "THE STATEMENT DOES NOT HOLD" in out.stdout


# ---- triangle ----

def test_triangle():
    for label, row in plain("triangle")[1]:
        eps = float(label.split()[1])
        q, p1 = -math.expm1(-eps), None
        low, high = q, 1 - 1e-16
        def apart(p):
            return p * math.log(p / q) + ((1 - p) * math.log((1 - p) / (1 - q)) if p < 1 else 0)
        if apart(high) <= eps:
            p1 = 1.0
        else:
            for _ in range(200):
                middle = (low + high) / 2
                low, high = (middle, high) if apart(middle) <= eps else (low, middle)
            p1 = low
        z = row["tau(1)"]
        assert row["KL(pi||beta) nats"] == pytest.approx(min(eps, apart(p1)), rel=1e-9)
        far = math.inf if z == 0 else p1 * math.log(p1 / z) + ((1 - p1) * math.log((1 - p1) / (1 - z)) if p1 < 1 else 0)
        assert row["KL(pi||tau) nats"] == pytest.approx(far, rel=1e-6)


# ---- unprecedented ----

def first_times(language, bits, symbols):
    """Of every event of at most `bits`, the symbols before the turn at which it first holds, from the sequence itself."""
    n = len(symbols)
    turns = np.arange(0, n + 1, 2)
    counts = [np.concatenate(([0], np.cumsum(symbols == x)))[turns] for x in (0, 1)]
    last = np.array([-1 if t == 0 else symbols[t - 1] for t in turns])
    pairs = {(x, y): np.concatenate(([0], np.cumsum(np.concatenate(([False], (symbols[:-1] == x) & (symbols[1:] == y))))))[turns] > 0
             for x in (0, 1) for y in (0, 1)}
    @functools.lru_cache(None)
    def holds(e):
        if e[0] == "last":
            return last == e[1]
        if e[0] == "times":
            return counts[e[1]] >= e[2]
        if e[0] == "pair":
            return pairs[e[1], e[2]]
        if e[0] == "time":
            return turns // 2 >= e[1]
        return ~holds(e[1]) if e[0] == "not" else holds(e[1]) & holds(e[2])
    out = []
    for price in range(1, bits + 1):
        for e in language.events[price]:
            when = np.flatnonzero(holds(e))
            if len(when):
                out.append((price, turns[when[0]]))
    return out


def test_unprecedented():
    bits, n = 11, 4000
    language = Language(2, bits)
    _, rows = lab("unprecedented", bits=bits, symbols=n)
    stream = Stream(1, 0)
    sequences = {"0110 for ever": [int("0110"[t % 4]) for t in range(n)],
                 "1 at powers of 2": [int(t & (t - 1) == 0) for t in range(1, n + 1)],
                 "fair coin": [int(stream.uniform() < .5) for _ in range(n)]}
    for name, sequence in sequences.items():
        symbols = np.array(sequence)
        times = first_times(language, bits, symbols)
        mine = [row for label, row in rows if label == name]
        assert len(mine) == 13
        for row in mine:
            t = int(row["t symbols"])
            known = min((price for price, first in times if first > t), default=math.inf)
            counts = [int((symbols[:t] == x).sum()) for x in (0, 1)]
            bound_to = [4 + 2 * math.floor(math.log2(t // 2 + 1))] + [4 if c == 0 else 5 + 2 * math.floor(math.log2(c)) for c in counts]
            assert row["bits of the simplest"] == min([known] + bound_to)
            assert row["log2 t"] == pytest.approx(math.log2(t))


# ---- novelty ----

SAYS3 = [[0, 1, 2]] * 3


@functools.lru_cache(None)
def novelty_world():
    histories = Histories(3, 5, SAYS3)
    programs = Language(3, 20).programs()
    mu = ("mix", (.75, .25, 0.))
    counts = demonstrate(histories, mu, [[.5, .5, 0]] * 3, 10, 3)
    return histories, mu, Mixture(histories, programs, counts, shares=(7, 8, 9, 10))


def test_novelty():
    _, rows = lab("novelty", bits=20)
    histories, mu, xi = novelty_world()
    says_mu, p = histories.policy(mu), np.array([.4, .4, .2])
    prices = {"until time >= 3": (("time", 3), 6), "until seen 2": (("times", 2, 1), 5)}
    targets = {"always 2": (("always", 2), 5), "copy": (("rotate", 0), 4)}
    for start, (event, event_bits) in prices.items():
        for end, (target, target_bits) in targets.items():
            row = next(r for label, r in rows if label == f"{start} then {end}" and r["transcripts"] == 10)
            held, said, share = histories.once(event), histories.policy(target), 20 - 2 - event_bits - target_bits
            pi = [np.where(held[t][:, None], said[t], np.exp(xi.lp[t])) for t in range(5)]
            step = [kl(pi[t], xi.lp[t]) for t in range(5)]
            worst, expected = [None] * 5 + [np.zeros(9**5)], [None] * 5 + [np.zeros(9**5)]
            for t in reversed(range(5)):
                after = worst[t + 1].reshape(-1, 3, 3).max(2)
                worst[t] = step[t] + (np.where(pi[t] > 0, pi[t] * after, 0)).sum(1)
                mean = (expected[t + 1].reshape(-1, 3, 3) * p).sum(2)
                expected[t] = step[t] + (np.where(pi[t] > 0, pi[t] * mean, 0)).sum(1)
            assert row["KL(pi||xi) nats"] == pytest.approx(expected[0][0], rel=1e-9)
            most, limit = -np.inf, -np.inf
            could = histories.along(logs(says_mu))
            for t in range(1, 5):
                now = held[t] & ~np.repeat(held[t - 1], 9) & np.isfinite(could[t])
                if now.any():
                    most = max(most, worst[t][now].max())
                    mass = (xi.part[share][t] - xi.all[t])[now]
                    limit = max(limit, ((2 + event_bits + target_bits) * LN2 - mass).max())
            assert row["KL from E on"] == pytest.approx(most, rel=1e-9)
            assert row["bound nats"] == pytest.approx(limit, rel=1e-9)
            assert row["KL from E on"] <= row["bound nats"]


# ---- tvd ----

def test_tvd():
    _, rows = lab("tvd", bits=16)
    says, p = [[0, 1]] * 3, np.array([[.6, .4], [.3, .7], [.5, .5]])
    reward = (p * np.array([[0, .5], [.1, .4], [.9, 1]])).sum(1) / 5
    histories = Histories(3, 5, says)
    mu = ("mix", (.25, .75, 0.))
    xi = Mixture(histories, Language(3, 16).programs(), demonstrate(histories, mu, p, 200, 5))
    for limit in .01, .05, .2, .5:
        row = next(r for label, r in rows if label == "total variation" and r["limit"] == limit)
        value, spent = np.zeros(6**5), np.zeros(6**5)
        for t in reversed(range(5)):
            base = np.exp(xi.lp[t])
            q = reward + (value.reshape(-1, 3, 2) * p).sum(2)
            pi = base.copy()
            for i in range(len(q)):                 # from the worst to the best, as far as the limit goes
                order, left = np.argsort(q[i]), limit
                for a in order[:-1]:
                    moved = min(left, pi[i, a])
                    pi[i, a] -= moved
                    pi[i, order[-1]] += moved
                    left -= moved
            value = (pi * q).sum(1)
            spent = kl(pi, xi.lp[t]) + np.where(pi > 0, pi * (spent.reshape(-1, 3, 2) * p).sum(2), 0).sum(1)
        assert row["value"] == pytest.approx(value[0], rel=1e-9)
        assert row["KL(pi||xi) nats"] == pytest.approx(spent[0], rel=1e-9)


# ---- waiting ----

def test_waiting():
    T, budget = 14, 8
    _, rows = lab("waiting", bits=16)
    histories = Histories(2, T, [[0], [1]])
    programs, mu = Language(2, 16).programs(), ("mix", (.875, .125))
    for length in 2, 6:
        xi = Mixture(histories, programs, demonstrate(histories, mu, [[1], [1]], 1000, length))
        def best(lam):
            value, spent, to_mu = np.zeros(2**T), np.zeros(2**T), np.zeros(2**T)
            for t in reversed(range(T)):
                z = xi.lp[t] + lam * np.array([0, 1 / T]) + value.reshape(-1, 2)
                value = np.logaddexp(z[:, 0], z[:, 1])
                pi = np.exp(z - value[:, None])
                spent = kl(pi, xi.lp[t]) + (pi * spent.reshape(-1, 2)).sum(1)
                to_mu = kl(pi, np.log([.875, .125])) + (pi * to_mu.reshape(-1, 2)).sum(1)
            return spent[0], to_mu[0]
        low, high = 0.0, 1e4
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if best(middle)[0] <= budget else (low, middle)
        last = [r for label, r in rows if label == f"transcripts of {length} turns"][-1]
        spent, to_mu = best(low)
        assert last["KL to xi, sum"] == pytest.approx(spent, rel=1e-9)
        assert last["KL to mu, sum"] == pytest.approx(to_mu, rel=1e-6)


# ---- mightnt ----

def test_mightnt():
    """The set kept of behaviours, told apart on long random histories; then everything follows from nu."""
    T, bits, alpha = 8, 14, .05
    _, rows = lab("mightnt", bits=bits)
    histories = Histories(2, T, [[0], [1]])
    rng = np.random.default_rng(1)
    tests = []
    for _ in range(24): # single long paths, one move wide
        path = Histories(2, 1, [[0], [1]])
        h = (rng.random(120) < rng.random()).astype(int)
        n = np.arange(0, 120, 2)
        path.T = len(n)
        path.last = [np.array([-1 if k == 0 else h[k - 1]]) for k in n]
        path.counts = [np.array([[(h[:k] == x).sum() for x in (0, 1)]]) for k in n]
        path.pairs = [np.array([[[any(h[j] == x and h[j + 1] == y for j in range(k - 1)) for y in (0, 1)] for x in (0, 1)]]) for k in n]
        path.A = path.O = 1
        path.cache = {}
        tests.append(path)
    def signature(tree):
        out = []
        for path in tests:
            path.A = 1
            path.O = 1
            for key in list(path.cache):
                if key[0] in ("always", "rotate", "mix", "count"):
                    del path.cache[key]
            held = path.once  # events need widths of 1; policies the alphabet
            def say(p):
                if p[0] in ("if", "until"):
                    chosen = path.event(p[1]) if p[0] == "if" else held(p[1])
                    a, b = say(p[2]), say(p[3])
                    a, b = (b, a) if p[0] == "until" else (a, b)
                    return [x if c[0] else y for c, x, y in zip(chosen, a, b)]
                if p[0] == "always":
                    return [p[1]] * path.T
                if p[0] == "mix":
                    return [p[1]] * path.T
                if p[0] == "count":
                    return [t % p[1] % 2 for t in range(path.T)]
                return [p[1] if x[0] < 0 else (x[0] + p[1]) % 2 for x in path.last]
            out += [(x, ) if not isinstance(x, tuple) else x for x in say(tree)]
        return hash(tuple(map(str, out)))
    behaviours = {}
    for price, tree in Language(2, bits).programs():
        known = behaviours.setdefault(signature(tree), [0.0, tree])
        known[0] += 2.0**-price
    mu = ("mix", (.875, .125))
    counts = demonstrate(histories, mu, [[1], [1]], 5, 2)
    weighed = []
    for weight, tree in behaviours.values():
        lp = logs(histories.policy(tree))
        evidence = math.log(weight) + sum((counts[t][counts[t] > 0] * lp[t][counts[t] > 0]).sum() for t in range(T))
        weighed.append((evidence, tree))
    weighed.sort(key=lambda x: -x[0])
    kept, total = [], 0.0
    for evidence, tree in weighed:
        w = math.exp(evidence - weighed[0][0])
        total += w
        if w < alpha * total:
            break
        kept.append(histories.policy(tree))
    nu = logs([np.minimum.reduce([k[t] for k in kept]) for t in range(T)])
    for price in 10, .05, .02:
        value, spent, to_mu = np.zeros(2**T), np.zeros(2**T), np.zeros(2**T)
        for t in reversed(range(T)):
            z = nu[t] + np.array([0, 1 / T]) / price + value.reshape(-1, 2)
            value = np.logaddexp(z[:, 0], z[:, 1])
            pi = np.exp(z - value[:, None])
            spent = kl(pi, nu[t]) + (pi * spent.reshape(-1, 2)).sum(1)
            to_mu = kl(pi, np.log([.875, .125])) + (pi * to_mu.reshape(-1, 2)).sum(1)
        row = next(r for label, r in rows if label == f"cannot ask: optimal, {price:g} a nat")
        assert row["KL(pi||nu) nats"] == pytest.approx(spent[0], rel=1e-8)
        assert row["KL(pi||mu) nats"] == pytest.approx(to_mu[0], rel=1e-8)
        assert spent[0] >= to_mu[0]


# ---- help ----

def test_help():
    runs, steps, weight = 3, 10001, .5
    _, rows = lab("help", runs=runs, steps=steps)
    def say(i, t, last):
        """P(1) of the eight members."""
        usual = 2 / 8 if last == 1 else 5 / 8
        return [usual, 6 / 8 if last == 1 else 5 / 8, 5 / 8, 2 / 8 if last == 1 else 4 / 8, 2 / 8 if last == 1 else 6 / 8,
                usual if t < 1000 else 3 / 8, usual if t < 20000 else 7 / 8, 1 / 8 if last == 1 else 5 / 8][i]
    for index, alpha in enumerate((.4, .2, .1, .05, .01)):
        cubes, lost = [], 0
        for r in range(runs):
            stream = Stream(1, index * runs + r)
            w = np.array([weight, .8 * (1 - weight)] + [.2 * (1 - weight) / 6] * 6)
            total, last, gone = 0.0, None, False
            for t in range(steps):
                order, kept, so_far = sorted(range(8), key=lambda i: -w[i]), [], 0.0
                for i in order:
                    so_far += w[i]
                    if w[i] < alpha * so_far:
                        break
                    kept.append(i)
                gone |= 0 not in kept
                if len(kept) == 1:
                    break
                ones = [say(i, t, last) for i in kept]
                nu1, nu0 = min(ones), min(1 - x for x in ones)
                theta = 1 - nu0 - nu1
                total += theta**3
                u = stream.uniform()
                move = 0 if u < nu0 else 1
                if u >= 1 - theta:
                    move = 0 if stream.uniform() < 1 - say(0, t, last) else 1
                    w *= [say(i, t, last) if move else 1 - say(i, t, last) for i in range(8)]
                    w /= w.sum()
                last = int(stream.uniform() < .02)
            cubes.append(total)
            lost += gone
        row = [r for label, r in rows if label == f"alpha {alpha:g}"][-1]
        assert row["sum theta^3"] == pytest.approx(sum(cubes) / runs, abs=1e-9)
        assert row["lost mu, share"] == pytest.approx(lost / runs)
        assert row["bound"] == pytest.approx(2 * alpha**-3 * (24 / weight + 12))
        assert row["alpha / w(mu)"] == pytest.approx(min(1, alpha / weight))


# ---- simple ----

def test_simple():
    bits, worlds, T = 13, 60, 6
    _, rows = lab("simple", bits=bits, worlds=worlds)
    programs = Language(2, bits).programs()
    histories = Histories(2, T, [[0, 1], [0, 1]])
    said = [histories.policy(tree) for _, tree in programs]
    found = {"optimal": [], "within 5%": []}
    for i in range(worlds):
        stream = Stream(1, i)
        reward, p = np.zeros((3, 2)), np.zeros((3, 2))
        for last in range(3):
            for a in range(2):
                reward[last, a], p[last, a] = stream.uniform(), stream.uniform()
        def back(choose):
            value = np.zeros(4**T)
            for t in reversed(range(T)):
                last = histories.last[t] + 1
                after = value.reshape(-1, 2, 2)
                q = reward[last] + (1 - p[last]) * after[:, :, 0] + p[last] * after[:, :, 1]
                value = choose(t, q)
            return value[0]
        best, worst = back(lambda t, q: q.max(1)), back(lambda t, q: q.min(1))
        values = [back(lambda t, q, s=s: (s[t] * q).sum(1)) for s in said]
        for name, part in ("optimal", 0), ("within 5%", .05):
            found[name].append(min((price for (price, _), v in zip(programs, values) if v >= best - part * (best - worst) - 1e-9),
                                   default=bits + 1))
    for name, lengths in found.items():
        for label, row in rows:
            if label == name:
                assert row["share of worlds"] == pytest.approx(np.mean(np.array(lengths) <= row["bits"]))
