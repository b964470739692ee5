"""The laboratory, its numbers by another route: the language written down again and every program laid out over all histories, numpy and
direct sums; and for each experiment one number or assumption broken, which must end with status 1."""
import functools
import math

import numpy as np
import pytest

from lab_oracle import Histories, Language, Mixture, Stream, demonstrate, kl, lab, logs, run

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
    small = [word for setting in ("waiting.bits=16", "help.runs=4") for word in ("--set", setting)]
    names = ["tvd", "waiting", "help"]
    one = run(*names, *small, "--threads", "1").stdout
    assert one == run(*names, *small, "--threads", "2").stdout and one.count(": the statement holds") >= 2


def test_the_page(tmp_path):
    pages = []
    for name in "a", "b":
        assert run("triangle", "help", "--set", "help.runs=90", "-o", str(tmp_path / f"{name}.html")).returncode == 0
        pages.append((tmp_path / f"{name}.html").read_text())
    assert pages[0] == pages[1]
    assert "http" not in pages[0].replace("http-equiv", "") and pages[0].count("<svg") == 3
    assert "KL(pi||beta) &lt;= eps" in pages[0] and "mightnt lab help --set help.runs=90" in pages[0]
    table = (tmp_path / "a-data" / "help.tsv").read_text().splitlines()
    assert len(table) == 1 + 5 * 5 and table[0].split("\t")[:2] == ["pessimist", "steps up to"]


# ---- each experiment with something broken: small ones, which hold before ----

@pytest.mark.parametrize("name, small, broken", [
    ("triangle", [], "zero=0.001"),
    ("novelty", ["bits=20"], "precedent=1"),
    ("unprecedented", ["bits=14", "symbols=20000"], "growth=1"),
    ("tvd", ["bits=16"], "kind=0"),
    ("mightnt", ["bits=14"], "in_class=0"),
    ("help", [], "scale=1e-6"),
    ("waiting", [], "precedent=1"),
    ("simple", ["bits=14", "worlds=100"], "demonstrator=3")])
def test_a_broken_experiment_fails(name, small, broken):
    sets = [word for setting in small for word in ("--set", f"{name}.{setting}")]
    out = run(name, *sets)
    assert out.returncode == 0 and "FAILS" not in out.stdout and f"{name}: the statement holds" in out.stdout
    out = run(name, *sets, "--set", f"{name}.{broken}")
    assert out.returncode == 1 and "FAILS" in out.stdout and "THE STATEMENT DOES NOT HOLD" in out.stdout


# ---- triangle ----

def test_triangle():
    for label, row in lab("triangle")[1]:
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

def true(e, h):
    return {"last": lambda: h[-1:] == [e[1]], "times": lambda: h.count(e[1]) >= e[2], "time": lambda: len(h) // 2 >= e[1],
            "pair": lambda: any(h[i:i + 2] == [e[1], e[2]] for i in range(len(h))), "not": lambda: not true(e[1], h),
            "and": lambda: true(e[1], h) and true(e[2], h)}[e[0]]()


def says(p, h):
    """What a program says after one history: a distribution or a symbol."""
    if p[0] == "if":
        return says(p[2] if true(p[1], h) else p[3], h)
    if p[0] == "until":
        return says(p[3] if any(true(p[1], h[:n]) for n in range(0, len(h) + 1, 2)) else p[2], h)
    return {"always": lambda: p[1], "mix": lambda: p[1], "count": lambda: len(h) // 2 % p[1] % 2,
            "rotate": lambda: (h[-1] + p[1]) % 2 if h else p[1]}[p[0]]()


def test_mightnt():
    """The set kept of behaviours, told apart on long random histories; then everything follows from nu."""
    T, bits, alpha = 8, 14, .05
    _, rows = lab("mightnt", bits=bits)
    histories = Histories(2, T, [[0], [1]])
    rng = np.random.default_rng(1)
    paths = [(rng.random(40) < rng.random()).astype(int).tolist() for _ in range(8)]
    behaviours = {}
    for price, tree in Language(2, bits).programs():
        signature = tuple(says(tree, path[:n]) for path in paths for n in range(0, 40, 2))
        behaviours.setdefault(signature, [0.0, tree])[0] += 2.0**-price
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
