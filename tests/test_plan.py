"""`mightnt plan` against every history there is: another imitator, mixture, pessimist and agent, in Python, nothing merged."""
import json
import math
import os
import subprocess

import numpy as np
import pytest

MIGHTNT = os.environ["MIGHTNT"]
NAMES = "start explain ask hint praise correct silence right wrong confused thanks quiet".split()
ID = {name: i for i, name in enumerate(NAMES)}
MOVES, ANSWERS = list(range(1, 7)), list(range(7, 12))
TEACHER = {"start": "explain .70 ask .30", "right": "praise .60 ask .25 explain .15",
           "wrong": "correct .50 hint .40 explain .10",
           "confused": "explain .50 hint .50", "thanks": "ask .60 explain .40", "quiet": "ask .70 hint .30"}
STUDENT = {"explain": "confused .35 thanks .20 quiet .45", "ask": "right .45 wrong .35 confused .20",
           "hint": "right .50 wrong .20 confused .30", "praise": "thanks .90 quiet .10",
           "correct": "confused .40 thanks .30 quiet .30",
           "silence": "quiet .80 confused .20"}
REWARD = np.array([.7, .2, .1, 1.0, .5])


def row(text, ids):
    words = text.split()
    p = np.full(len(ids), 1e-6)
    for name, weight in zip(words[::2], words[1::2]):
        p[ids.index(ID[name])] += float(weight)
    return p / p.sum()


MU = {ID[k]: row(v, MOVES) for k, v in TEACHER.items()}
WORLD = {ID[k]: row(v, ANSWERS) for k, v in STUDENT.items()}


def draw_transcripts(n, turns, seed):
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(n):
        t, last = [], 0
        for _ in range(turns):
            t.append(int(rng.choice(MOVES, p=MU[last])))
            t.append(last := int(rng.choice(ANSWERS, p=WORLD[t[-1]])))
        out.append(t)
    return out


def log_kt(counts, m):
    """Dirichlet(1/2) evidence."""
    n = sum(counts)
    return sum(math.lgamma(c + .5) - math.lgamma(.5) for c in counts) - math.lgamma(n + m / 2) + math.lgamma(m / 2)


class Tree:
    """Context-tree weighting over 12 symbols, counted and weighted from scratch."""

    def __init__(self, transcripts, depth):
        self.D, self.counts, self.known = depth, {}, {}
        for t in transcripts:
            past = [0] * depth + t
            for i in range(depth, len(past)):
                context = tuple(past[i - depth:i][::-1])
                for k in range(depth + 1):
                    self.counts.setdefault(context[:k], [0] * 12)[past[i]] += 1

    def log_weighted(self, context, extra=None):
        """ln P_w of the node; extra: (deepest context, symbol) counted once more."""
        counts = list(self.counts.get(context, [0] * 12))
        on_path = extra and extra[0][:len(context)] == context
        if on_path:
            counts[extra[1]] += 1
        elif context in self.known:
            return self.known[context]
        if not any(counts):
            return 0.0
        value = log_kt(counts, 12)
        if len(context) < self.D:
            children = sum(self.log_weighted(context + (s,), extra) for s in range(12))
            value = np.logaddexp(math.log1p(-2.0 ** -11) + value, -11 * math.log(2) + children)
        if not on_path:
            self.known[context] = value
        return value

    def predict(self, past):
        context = tuple(([0] * self.D + past)[len(past):][::-1])
        key = ("p", context)
        if key not in self.known:
            whole = self.log_weighted(())
            p = np.array([math.exp(self.log_weighted((), (context, m)) - whole) for m in MOVES])
            self.known[key] = p / p.sum(), [self.counts.get(context, [0] * 12)[m] for m in MOVES]
        return self.known[key]


def floor_of(xi, counts, leaf_alpha):
    n, out = sum(counts), np.zeros(6)
    if not n:
        return out
    most = sum(c * math.log(c / n) for c in counts if c)
    room = most - log_kt(counts, 6) - math.log(leaf_alpha)
    for a, c in enumerate(counts):
        if not c:
            continue
        f, low, high = c / n, -800.0, math.log(c / n)
        for _ in range(200):
            mid = (low + high) / 2
            q = math.exp(mid)
            kl = f * (math.log(f) - mid) + ((1 - f) * (math.log(1 - f) - math.log1p(-q)) if f < 1 else 0)
            low, high = (low, mid) if n * kl < room else (mid, high)
        out[a] = min(math.exp(high), xi[a])
    return out


class Base:
    """The base policy as a function of the whole history."""

    def __init__(self, transcripts, depth, turns, switch, alpha, leaf_alpha):
        self.tree, self.T, self.switch, self.alpha, self.leaf_alpha = Tree(transcripts, depth), turns, switch, alpha, leaf_alpha
        self.prior = {(n, a): -math.log(2 * 6 * n * (n + 1)) for n in range(1, turns + 1) for a in range(6)} if switch else {}
        self.own = math.log(1 - sum(math.exp(w) for w in self.prior.values()))
        for t in transcripts:
            self.prior = self.after(self.prior, t, [True] * (len(t) // 2))

    def after(self, weights, ids, learnt):
        out = {}
        logs = [math.log(self.tree.predict(ids[:2 * i])[0][ids[2 * i] - 1]) for i in range(len(ids) // 2)] if weights else []
        for (n, a), w in weights.items():
            for i in range(n - 1, len(ids) // 2):
                if learnt[i]:
                    w = w - logs[i] if ids[2 * i] == a + 1 else -math.inf
            if w > -math.inf:
                out[n, a] = w
        return out

    def at(self, ids, learnt):
        """Probabilities of the six moves; what they miss is help."""
        xi, counts = self.tree.predict(ids)
        turn = len(ids) // 2 + 1
        own = floor_of(xi, counts, self.leaf_alpha) if self.leaf_alpha else xi
        members = [(self.own, 0, own)] + [(w, 1 + 6 * n + a, np.eye(6)[a] if turn >= n else own)
                                          for (n, a), w in self.after(self.prior, ids, learnt).items()]
        if not self.alpha:
            w = np.exp(np.array([m[0] for m in members]))
            return sum(x * m[2] for x, m in zip(w, members)) / w.sum()
        nu, total = np.ones(6), 0.0
        for w, _, p in sorted(members, key=lambda m: (-m[0], m[1])):
            total += math.exp(w)
            if math.exp(w) < self.alpha * total:
                break
            nu = np.minimum(nu, p)
        return nu


class Everything:
    """All histories of T exchanges, level by level: [n_t] histories, each with moves x answers children (twice over, made
    by the agent and by the demonstrator, where the base learns from the latter only)."""

    def __init__(self, base, T, from_help):
        self.T, self.base, self.mu, self.p = T, [], [], np.array([WORLD[m] for m in MOVES])
        self.ways = 2 if from_help else 1
        self.r = self.p @ REWARD / T
        level = [([], [])]
        for t in range(T):
            b = np.array([base.at(ids, learnt) for ids, learnt in level])
            self.base.append(np.concatenate([b, np.maximum(1 - b.sum(1, keepdims=True), 0)], 1) if base.alpha
                             else np.concatenate([b, np.zeros((len(b), 1))], 1))
            self.mu.append(np.array([MU[ids[-1] if ids else 0] for ids, _ in level]))
            if t + 1 < T:
                level = [(ids + [m, o], learnt + [helped or not from_help]) for ids, learnt in level
                         for helped in ((False, True) if from_help else (False,)) for m in MOVES for o in ANSWERS]

    def moves(self, t, after):
        """Expectation of `after` [n_{t+1}] for each of seven moves, [n_t,7]."""
        n = len(self.base[t])
        e = np.einsum("nhao,ao->nha", after.reshape(n, self.ways, 6, 5), self.p) if t + 1 < self.T else np.zeros((n, 1, 6))
        return np.concatenate([e[:, 0], (self.mu[t] * e[:, -1]).sum(1, keepdims=True)], 1)

    def rewards(self, t):
        return np.concatenate([np.broadcast_to(self.r, self.mu[t].shape), self.mu[t] @ self.r[:, None]], 1)

    def soft(self, eta):
        policy, V = [None] * self.T, None
        for t in reversed(range(self.T)):
            q = self.rewards(t) + self.moves(t, V)
            with np.errstate(divide="ignore"):
                x = np.log(self.base[t]) + (q / eta if math.isfinite(eta) else 0)
            top = x.max(1, keepdims=True)
            w = np.exp(x - top)
            policy[t] = w / w.sum(1, keepdims=True)
            V = eta * (np.log(w.sum(1)) + top[:, 0]) if math.isfinite(eta) else np.zeros(len(w))
        return policy

    def figures(self, policy):
        rho, rows, slack = np.ones(1), [], 0.0
        for t in range(self.T):
            pi, b, mu = policy[t], self.base[t], self.mu[t]
            made = pi[:, :6] + pi[:, 6:] * mu
            with np.errstate(divide="ignore", invalid="ignore"):
                kl = np.where(pi > 0, pi * np.log(pi / b), 0).sum(1)
                to_mu = np.where(made > 0, made * np.log(made / mu), 0).sum(1)
            rows.append([rho @ kl, rho @ to_mu, self.T * (rho @ (made @ self.r)), rho @ pi[:, 6]])
            slack += rho @ np.log1p(b[:, 6])
            ways = np.stack([pi[:, :6], pi[:, 6:] * mu], 1) if self.ways == 2 else made[:, None]
            rho = (rho[:, None, None, None] * ways[..., None] * self.p).reshape(-1)
        rows = np.array(rows)
        return {"value": rows[:, 2].mean(), "kl_base_nats": rows[:, 0].sum(), "kl_demonstrator_nats": rows[:, 1].sum(),
                "worst_observation_kl_nats": self.worst(policy), "help_per_episode": rows[:, 3].sum(), "help_slack_nats": slack,
                "per_turn": rows}

    def worst(self, policy):
        W = None
        for t in reversed(range(self.T)):
            pi = policy[t]
            with np.errstate(divide="ignore", invalid="ignore"):
                here = np.where(pi > 0, pi * np.log(pi / self.base[t]), 0).sum(1)
            if t + 1 < self.T:
                most = W.reshape(len(pi), self.ways, 6, 5).max(3)
                here = here + (pi[:, :6] * most[:, 0]).sum(1) + pi[:, 6] * (self.mu[t] * most[:, -1]).sum(1)
            W = here
        return W[0]

    def at_budget(self, budget):
        if budget == 0:
            return self.figures(self.soft(math.inf))
        low, high = -14.0, 5.0                                # ln eta; the KL falls with it
        best = self.figures(self.soft(math.exp(low)))
        if best["kl_base_nats"] <= budget:
            return best
        for _ in range(50):
            mid = (low + high) / 2
            low, high = (mid, high) if self.figures(self.soft(math.exp(mid)))["kl_base_nats"] > budget else (low, mid)
        return self.figures(self.soft(math.exp(high)))


def plan(*sets, status=0, extra=()):
    args = [MIGHTNT, "plan", "--json", *extra]
    for s in sets:
        args += ["--set", s]
    done = subprocess.run(args, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()] if status == 0 else done.stderr


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Transcripts of two exchanges, so that switches at the third are never refuted."""
    out = {}
    for n, turns in ((30, 2), (3, 1), (400, 2)):
        transcripts = draw_transcripts(n, turns, n)
        path = tmp_path_factory.mktemp("plan") / f"{n}.jsonl"
        path.write_text("".join(json.dumps({"symbols": [NAMES[i] for i in t]}) + "\n" for t in transcripts))
        out[n] = str(path), transcripts
    return out


@pytest.mark.parametrize("n, depth, turns, switch, alpha, leaf_alpha, learn_from", [
    (30, 2, 3, False, 0, 0, "all"),
    (30, 0, 2, False, 0, 0, "all"),
    (30, 1, 3, True, 0, 0, "all"),
    (3, 4, 3, True, 0, 0, "all"),
    (3, 2, 3, True, .1, 0, "all"),
    (400, 2, 3, False, .1, .01, "all"),
    (30, 2, 3, True, 1e-4, .01, "all"),
    (3, 1, 2, True, 1e-2, .05, "demonstrator"),
    (3, 3, 2, True, 1e-4, .5, "demonstrator"),
])
def test_every_history(files, n, depth, turns, switch, alpha, leaf_alpha, learn_from):
    path, transcripts = files[n]
    world = Everything(Base(transcripts, depth, turns, switch, alpha, leaf_alpha), turns, learn_from == "demonstrator")
    budgets = [0, .01, .5, 2, 5, 20]
    sets = [f"transcripts={path}", f"depth={depth}", f"turns={turns}", f"switch={str(switch).lower()}",
            f"learn_from={learn_from}", f"budgets={budgets}"]
    if alpha:
        sets.append(f"alpha={alpha}")
    if leaf_alpha:
        sets.append(f"leaf_alpha={leaf_alpha}")
    got = plan(*sets, extra=["--per-turn"])
    assert [g["budget"] for g in got] == budgets
    for g in got:
        want = world.at_budget(g["budget"])
        for key in want:
            np.testing.assert_allclose(g[key], want[key], rtol=1e-8, atol=1e-9, err_msg=f"{key} at {g['budget']}")
        if g["eta"] != "inf" and g["eta"] > 0:
            assert abs(g["kl_base_nats"] - g["budget"]) <= 1e-10 * g["budget"]
    first = [m["value"] for m in got]
    assert first == sorted(first)


def test_direct_optimisation(files):
    """The policy's own numbers moved uphill along the gradient of value - eta KL, from the base on, until it vanishes."""
    path, transcripts = files[30]
    eta, T = .03, 3
    world = Everything(Base(transcripts, 2, T, True, 1e-4, .01), T, False)
    policy = [b.copy() for b in world.base]
    for _ in range(200):
        V, worst = None, 0.0
        for t in reversed(range(T)):                          # exact gradient: what each move adds, less the mean
            with np.errstate(divide="ignore", invalid="ignore"):
                x = np.where(policy[t] > 0, np.log(policy[t] / world.base[t]), 0)
            q = world.rewards(t) + world.moves(t, V) - eta * x
            V = (policy[t] * q).sum(1)
            slope = q - V[:, None]
            worst = max(worst, np.abs(policy[t] * slope).max())
            policy[t] = policy[t] * np.exp(.5 / eta * slope)
            policy[t] /= policy[t].sum(1, keepdims=True)
    assert worst < 1e-12
    want = world.figures(policy)
    got, = plan(f"transcripts={path}", f"turns={T}", "switch=true", "alpha=1e-4", "leaf_alpha=.01", "regularizer=penalty",
                f"budgets=[{eta}]", extra=["--per-turn"])
    for key in want:
        np.testing.assert_allclose(got[key], want[key], rtol=1e-9, atol=1e-10, err_msg=key)


def best_row(base, q, nats):
    """max sum pi q with KL(pi || base) <= nats, by bisection on the tilt."""
    on = base > 0
    b, d = base[on], q[on] - q[on].max()
    low, high = -30.0, 40.0
    for _ in range(70):
        mid = (low + high) / 2
        w = b * np.exp(np.exp(mid) * d)
        w /= w.sum()
        kl = (w * (np.log(np.maximum(w, 1e-300)) - np.log(b))).sum()
        low, high = (mid, high) if kl < nats else (low, mid)
    w = b * np.exp(np.exp(low) * d)
    return (w / w.sum()) @ q[on]


@pytest.mark.parametrize("alpha", [0, .1])
def test_hard_budget_on_its_grid(files, alpha):
    path, transcripts = files[30]
    step, T = .5, 2
    world = Everything(Base(transcripts, 1, T, False, alpha, .1 if alpha else 0), T, False)
    n = 4 + T                                                  # grid steps
    V = None
    for t in reversed(range(T)):
        q = [world.rewards(t) + world.moves(t, V[:, j] if V is not None else None) for j in range(n + 1)]
        V = np.array([[max(best_row(b, q[j][h], (i - j) * step) for j in range(i + 1)) for i in range(n + 1)]
                      for h, b in enumerate(world.base[t])])
    sets = [f"transcripts={path}", "depth=1", f"turns={T}", "hard=true", f"grid_nats={step}", "budgets=[0, 1, 2]"]
    got = plan(*sets, *([f"alpha={alpha}", "leaf_alpha=.1"] if alpha else []))
    for g in got:
        i = round(g["budget"] / step)
        assert abs(g["value"] - V[0, i]) < 1e-9 and abs(g["value_above"] - V[0, i + T]) < 1e-9
        assert g["worst_observation_kl_nats"] <= g["budget"]
    inside = plan(*sets[:3], "budgets=[0, 1, 2]", *([f"alpha={alpha}", "leaf_alpha=.1"] if alpha else []))
    for g, i in zip(got, inside):                              # binding on every path costs something
        assert g["value"] <= i["value"] + 1e-12


def limited(world, kind, limit):
    """Best policy under a limit on each row's divergence, by linear or quadratic programming done slowly."""
    policy, V = [None] * world.T, None
    for t in reversed(range(world.T)):
        q, pi = world.rewards(t) + world.moves(t, V), world.base[t].copy()
        for h in range(len(pi)):
            b = world.base[t][h]
            if kind == "chi2":                                 # pi = base max(0, q - c) / sum: bisect on ln(max q - c)
                d = q[h] - q[h][b > 0].max()

                def tilt(x):
                    w = b * np.maximum(d + math.exp(x), 0)
                    return w / w.sum()

                low, high = -40.0, 25.0
                for _ in range(80):
                    mid = (low + high) / 2
                    w = tilt(mid)
                    low, high = (low, mid) if (w[b > 0] ** 2 / b[b > 0]).sum() - 1 <= limit else (mid, high)
                pi[h] = tilt(high)
            else:                                              # hand mass from the worst to the best
                room, best = limit, q[h][b[:7] > 0].max() if kind == "none" else q[h][:6 + (b[6] > 0)].max()
                for a in np.argsort(q[h], kind="stable"):
                    move = min(room, pi[h][a]) if q[h][a] < best else 0
                    room -= move
                    pi[h][a] -= move
                    pi[h][np.flatnonzero(q[h] == best)[0]] += move
        policy[t] = pi
        V = (pi * q).sum(1)
    return world.figures(policy)


@pytest.mark.parametrize("kind, limits", [("tvd", [0, .05, .3, 1]), ("chi2", [0, .1, 2, 1e6]), ("none", [0])])
def test_limits_of_each_step(files, kind, limits):
    path, transcripts = files[400]
    world = Everything(Base(transcripts, 1, 2, False, 0, 0), 2, False)
    got = plan(f"transcripts={path}", "depth=1", "turns=2", f"regularizer={kind}", f"budgets={limits}")
    for g in got:
        want = limited(world, kind if kind != "none" else "tvd", g["budget"] if kind != "none" else 1e9)
        for key in ("value", "kl_base_nats", "kl_demonstrator_nats", "worst_observation_kl_nats"):
            np.testing.assert_allclose(g[key], want[key], rtol=1e-6, atol=1e-7, err_msg=f"{key} at {g['budget']}")


# ---- what is claimed ----

def test_claims():
    """The agent behaves while the demonstrations last, pays once, and is free; pessimism ends that; help fades with data."""
    without, = plan("budgets=[5]")
    switch, = plan("switch=true", "budgets=[5]", extra=["--per-turn"])
    assert abs(without["kl_base_nats"] - 5) < 1e-9 and 7 < without["kl_demonstrator_nats"] < 12
    assert abs(switch["kl_base_nats"] - 5) < 1e-9 and 27 < switch["kl_demonstrator_nats"] < 37
    turns = np.array(switch["per_turn"])
    assert turns[16:, 1].sum() > .8 * switch["kl_demonstrator_nats"] and turns[16:18, 0].sum() > 3 and turns[19, 0] < .5
    help_asked = []
    for k in (200, 2000):
        base, spent = plan(f"demonstrations={k}", "turns=16", "alpha=.1", "leaf_alpha=.01", "budgets=[0, 10]")
        help_asked.append(base["help_per_episode"])
        assert spent["kl_demonstrator_nats"] <= 10 + spent["help_slack_nats"]
        imitator, = plan(f"demonstrations={k}", "turns=16", "budgets=[10]")
        assert imitator["kl_demonstrator_nats"] > spent["kl_demonstrator_nats"]
    assert help_asked[1] < .6 * help_asked[0]


def test_examples():
    folder = os.path.join(os.path.dirname(__file__), "..", "examples")
    for name, budgets in (("classroom", 6), ("wouldnt", 3), ("mightnt", 3), ("more-data", 1), ("longer", 1), ("tvd", 7),
                          ("unconstrained", 1)):
        assert len(plan(extra=[os.path.join(folder, name + ".yaml")])) == budgets


# ---- the program ----

def test_threads_and_repetition_change_nothing(tmp_path):
    outs = []
    for k, threads in enumerate(("1", "2")):
        sets = [word for s in ("switch=true", "turns=19", "alpha=1e-4", "leaf_alpha=.01", "budgets=[0, 5, 10]")
                for word in ("--set", s)]
        done = subprocess.run([MIGHTNT, "plan", "--json", "--per-turn", "--threads", threads, "--transcripts", "3", "-o",
                               tmp_path / str(k), *sets], capture_output=True)
        assert done.returncode == 0
        outs.append(done.stdout)
    assert outs[0] == outs[1]
    for name in ("plan.json", "policy.jsonl", "transcripts.jsonl"):
        assert (tmp_path / "0" / name).read_bytes() == (tmp_path / "1" / name).read_bytes()


def test_saved_policies_and_transcripts(tmp_path):
    got = plan("turns=3", "switch=true", "demonstration_turns=2", "alpha=1e-4", "leaf_alpha=.01", "budgets=[0, 3]",
               extra=["-o", str(tmp_path / "out"), "--transcripts", "400"])
    saved = json.loads((tmp_path / "out" / "plan.json").read_text())
    assert saved["config"]["turns"] == 3 and [p["value"] for p in saved["plans"]] == [g["value"] for g in got]
    rows = [json.loads(line) for line in (tmp_path / "out" / "policy.jsonl").read_text().splitlines()]
    for g in got:                                              # the expected KL again, from what was saved alone
        mine = [r for r in rows if r["budget"] == g["budget"]]
        total = 0.0
        for r in mine:
            pi, base = np.array(r["policy"]), np.array(r["base"])
            total += r["reached"] * sum(p * math.log(p / b) for p, b in zip(pi, base) if p > 0)
        assert abs(total - g["kl_base_nats"]) < 1e-9
        for t in range(3):
            assert abs(sum(r["reached"] for r in mine if r["step"] == t) - 1) < 1e-9
    episodes = [json.loads(line) for line in (tmp_path / "out" / "transcripts.jsonl").read_text().splitlines()]
    for g in got:
        mine = [e for e in episodes if e["budget"] == g["budget"]]
        assert len(mine) == 400 and all(len(e["turns"]) == 6 for e in mine)
        asked = [sum(t.get("helped", False) for t in e["turns"]) for e in mine]
        error = np.std(asked) / 20
        assert abs(np.mean(asked) - g["help_per_episode"]) < 5 * error + 1e-9
        rewards = [np.mean([t["reward"] for t in e["turns"] if "reward" in t]) for e in mine]
        assert abs(np.mean(rewards) - g["value"]) < 5 * np.std(rewards) / 20


def test_a_saved_imitator(files, tmp_path):
    """`imitate` and `plan --set model` come to what `plan --set transcripts` does."""
    path, _ = files[30]
    done = subprocess.run([MIGHTNT, "imitate", path, "--depth", "2", "--alphabet", " ".join(NAMES), "--start", "start",
                           "-o", tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    sets = [f"transcripts={path}", "turns=4", "switch=true", "alpha=1e-4", "leaf_alpha=.1", "budgets=[0, 3]"]
    assert plan(*sets, f"model={tmp_path / 'model.mn'}") == plan(*sets)


WORLD_FILE = {"symbols": ["go", "stay", "good", "bad"], "depth": 1, "agent": ["go", "stay"], "rewards": {"good": 1},
              "rows": [[.5, .5, 0, 0], [0, 0, .9, .1], [0, 0, .2, .8], [.25, .75, 0, 0], [.5, .5, 0, 0]]}


def test_a_world_of_ones_own(tmp_path):
    """One exchange by hand: base from a file, soft maximum in closed form."""
    (tmp_path / "world.json").write_text(json.dumps(WORLD_FILE))
    base = dict(WORLD_FILE, rows=[[.3, .7, 0, 0]] * 5)
    (tmp_path / "base.json").write_text(json.dumps(base))
    (tmp_path / "plan.yaml").write_text("world: world.json\nmodel: base.json\nturns: 1\nregularizer: penalty\nbudgets: [0.5]\n")
    got, = plan(extra=[str(tmp_path / "plan.yaml")])
    w = np.array([.3 * math.exp(.9 / .5), .7 * math.exp(.2 / .5)])
    pi = w / w.sum()
    assert abs(got["value"] - pi @ [.9, .2]) < 1e-12 and abs(got["kl_base_nats"] - (pi * np.log(pi / [.3, .7])).sum()) < 1e-12
    assert abs(got["kl_demonstrator_nats"] - (pi * np.log(pi / .5)).sum()) < 1e-12


@pytest.mark.parametrize("change, says", [
    ({"rows": WORLD_FILE["rows"][:1] + [[0, 0, .8, .1]] + WORLD_FILE["rows"][2:]}, "sum to 0.9"),
    ({"rows": WORLD_FILE["rows"][:1] + [[0, 0, .9, .2]] + WORLD_FILE["rows"][2:]}, "sums to 1.1"),
    ({"rows": [[.5, .4, 0, .1]] + WORLD_FILE["rows"][1:]}, "sum to 0.9"),
    ({"agent": ["go", "wait"]}, "wait"),
    ({"agent": []}, "agent"),
    ({"agent": ["go", "stay", "good", "bad"]}, "other"),
    ({"rewards": {"great": 1}}, "great"),
    ({"rewards": {"good": "much"}}, "rewards"),
    ({"start": "go"}, "start"),
    ({"roles": ["one"]}, "roles"),
    ({"sentences": {"go": [1]}}, "sentences"),
])
def test_bad_worlds(tmp_path, change, says):
    path = tmp_path / "world.json"
    path.write_text(json.dumps(dict(WORLD_FILE, **change)))
    error = plan(f"world={path}", "turns=2", status=3)
    assert error.count("\n") == 1 and "world.json" in error and says in error, error


@pytest.mark.parametrize("text, status, says", [
    ("alpha: 0\n", 3, "bad.yaml:1:8: alpha"),
    ("turns: 3\nalpha: 2\n", 3, "bad.yaml:2:8: alpha"),
    ("turns: 3\nleaf_alpha: .01\n", 3, "bad.yaml:2:1: leaf_alpha"),
    ("budgets: [1, -1]\n", 3, "bad.yaml:1:14: budgets"),
    ("budgets: []\n", 3, "bad.yaml:1:1: budgets"),
    ("budgets: [.nan]\n", 3, "budgets"),
    ("switch: true\nturns: 20\nmax_states: 1000\n", 4, "1000 states"),
    ("transcripts: none.jsonl\n", 4, "none.jsonl"),
    ("transcripts: unknown.jsonl\n", 3, "unknown.jsonl:2"),
    ("hard: true\nregularizer: tvd\n", 3, "bad.yaml:1:1: hard"),
    ("hard: true\ngrid_nats: 1e-6\nbudgets: [1000]\n", 4, "1000000"),
    ("hard: true\nbudgets: [.inf]\n", 4, "inf"),
    ("depht: 2\n", 3, "did you mean depth"),
    ("turns: 0\n", 3, "bad.yaml:1:8: turns"),
    ("model: nowhere.json\n", 4, "nowhere.json"),
])
def test_bad_configurations(tmp_path, text, status, says):
    (tmp_path / "unknown.jsonl").write_text('{"symbols": ["ask", "right"]}\n{"symbols": ["ask", "rigth"]}\n')
    (tmp_path / "bad.yaml").write_text(text)
    error = plan(status=status, extra=[str(tmp_path / "bad.yaml")])
    assert error.count("\n") == 1 and says in error, error


def test_every_key_is_documented():
    keys = subprocess.run([MIGHTNT, "plan", "--keys"], capture_output=True, text=True, check=True).stdout
    with open(os.path.join(os.path.dirname(__file__), "..", "docs", "planning.md")) as f:
        assert f.read().endswith("## Every key\n\n" + keys)


def test_ample_budgets_cost_what_they_cost():
    """Beyond what the best policy of all spends, more budget changes nothing."""
    got = plan("turns=6", "budgets=[20, 60, 1e6, .inf]")
    assert got[1]["kl_base_nats"] < 60 and {k: v for k, v in got[1].items() if k != "budget"} == {
        k: v for k, v in got[3].items() if k != "budget"} == {k: v for k, v in got[2].items() if k != "budget"}
    assert got[0]["value"] < got[1]["value"] and got[3]["eta"] == 0


def test_no_demonstrations_at_all():
    got, = plan("demonstrations=0", "turns=2", "budgets=[0]", "depth=3")
    assert got["kl_base_nats"] == 0 and got["kl_demonstrator_nats"] > 1
    got, = plan("demonstrations=0", "turns=2", "budgets=[1]", "alpha=.1", "leaf_alpha=.1")
    assert abs(got["help_per_episode"] - 2) < 1e-12 and got["kl_base_nats"] < 1e-12      # nothing is known: all is help
