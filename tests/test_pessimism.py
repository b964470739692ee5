"""Pessimists against an oracle in plain Python (a context tree by its evidence, switches member by member, floors by bisection)
and by simulation: how often the truth is ever lost, against what Ville's inequality allows (pytest -s prints the figures)."""
import bisect
import ctypes as C
import math
import os

import mpmath as mp
import numpy as np

PROGRAM = os.environ.get("MIGHTNT", "build/mightnt")
LIBRARY = C.CDLL(os.path.join(os.path.dirname(os.path.abspath(PROGRAM)), "libmightnt.so"))
LIBRARY.mn_session_inner.restype = C.c_void_p
for free in (LIBRARY.mn_model_free, LIBRARY.mn_worker_free, LIBRARY.mn_session_free):
    free.restype, free.argtypes = None, [C.c_void_p]
INF = math.inf


# ---- the library ----

def call(name, *arguments):
    status = getattr(LIBRARY, name)(*arguments)
    assert status == 0, f"{name}: {status}"


def doubles(array):
    return array.ctypes.data_as(C.POINTER(C.c_double))


def symbols(ids):
    return (C.c_int32 * len(ids))(*ids)


class SwitchOpts(C.Structure):
    _fields_ = [("model", C.c_void_p), ("allowed", C.POINTER(C.c_bool)), ("turns", C.c_size_t)]


class BctOpts(C.Structure):
    _fields_ = [("A", C.c_size_t), ("D", C.c_size_t), ("beta", C.c_double), ("start", C.c_int32), ("names", C.c_void_p),
                ("members", C.c_size_t)]


class Model:
    """Freed, like what is made of it, in the order of Python's references: a model holds those inside."""

    def __init__(self, name, A, *arguments, inside=()):
        self.A, self.inside, self.pointer = A, inside, C.c_void_p()
        call(name, C.byref(self.pointer), *arguments, None)

    def __del__(self):
        LIBRARY.mn_model_free(self.pointer)


def table(p):
    A = p.shape[1]
    with np.errstate(divide="ignore"):
        lp = np.log(p)
    texts = (C.c_char_p * A)(*[b"%d" % a for a in range(A)])
    return Model("mn_table_new", A, C.c_size_t(A), C.c_size_t(p.shape[0] > 1), doubles(lp), texts)


def kt(A):
    return Model("mn_kt_new", A, C.c_size_t(A), C.c_double(0), None)


def bct(A, D, start=-1, beta=0, members=0):
    return Model("mn_bct_new", A, C.byref(BctOpts(A, D, beta, start, None, members)))


def mixture(models, prior):
    pointers = (C.c_void_p * len(models))(*[m.pointer for m in models])
    return Model("mn_mixture_new", models[0].A, pointers, doubles(np.log(prior)), C.c_size_t(len(models)), C.c_double(0),
                 inside=models)


def flags(allowed):
    return (C.c_bool * len(allowed))(*allowed)


def only(model, allowed):
    return Model("mn_only_new", model.A, model.pointer, flags(allowed), inside=model)


def switch(model, allowed, turns):
    return Model("mn_switch_new", model.A, C.byref(SwitchOpts(model.pointer, flags(allowed), turns)), inside=model)


def pessimist(model, alpha, leaf_alpha=0.):
    return Model("mn_pessimist_new", model.A, model.pointer, C.c_double(alpha), C.c_double(leaf_alpha), inside=model)


def credible(model, leaf_alpha):
    return Model("mn_credible_new", model.A, model.pointer, C.c_double(leaf_alpha), inside=model)


class Session:
    MOST = 64

    def __init__(self, model, length):
        self.model, self.worker, self.session = model, C.c_void_p(), C.c_void_p()
        self.lp, self.n = np.empty(model.A), C.c_size_t()
        self.lp_weights, self.rows = np.empty(self.MOST), np.empty((self.MOST, model.A))
        self.pointers = [doubles(x) for x in (self.lp, self.lp_weights, self.rows)]
        call("mn_worker_new", C.byref(self.worker), model.pointer, C.c_size_t(1), C.c_size_t(length), None)
        self.begin()

    def begin(self):
        LIBRARY.mn_session_free(self.session)
        call("mn_session_begin", C.byref(self.session), self.worker, None)
        return self

    def learn(self, *ids):
        call("mn_session_learn", self.session, symbols(ids), C.c_size_t(len(ids)), None)

    def append(self, *ids):
        call("mn_session_append", self.session, symbols(ids), C.c_size_t(len(ids)), None)

    def predict(self):
        """lp: [A], the same array each time."""
        call("mn_session_predict", self.session, self.pointers[0], None)
        return self.lp

    def members(self):
        """The rows of the members, likeliest first; the same array each time."""
        call("mn_session_members", self.session, *self.pointers[1:], C.c_size_t(self.MOST), C.byref(self.n), None)
        assert self.n.value <= self.MOST
        return self.rows[:self.n.value]

    def shows(self, lp):
        """One of the members speaks so, to the bits."""
        return any(row.tobytes() == lp.tobytes() for row in self.members())

    def __del__(self):
        LIBRARY.mn_worker_free(self.worker)


# ---- credible floors ----

def exact_floor(counts, a, leaf_alpha):
    """ln of the least credible theta_a, to 40 digits."""
    n, M, c = sum(counts), mp.mpf(len(counts)), mp.mpf(counts[a])
    most = sum(x * mp.log(mp.mpf(x) / n) for x in counts if x)
    kt = mp.loggamma(M / 2) - mp.loggamma(n + M / 2) + sum(mp.loggamma(x + mp.mpf(.5)) - mp.log(mp.pi) / 2 for x in counts)
    nats = most - kt - mp.log(mp.mpf(leaf_alpha))

    def too_low(u):
        return -c * (u - mp.log(c / n)) + ((n - c) * mp.log((1 - c / n) / -mp.expm1(u)) if c < n else 0) > nats
    low, high = mp.log(c / n) - nats - 2 * n, mp.log(c / n)
    while high - low > mp.mpf(10)**-22 * abs(low):
        middle = (low + high) / 2
        low, high = (middle, high) if too_low(middle) else (low, middle)
    return low


def test_floors_to_the_last_digits():
    rng = np.random.default_rng(1)
    with mp.workdps(40):
        for n in (1, 2, 3, 10, 100, 3000, 200000):
            for M, leaf_alpha in ((1, .1), (2, .5), (3, 1e-9), (6, .01), (40, .9)):
                counts = rng.multinomial(n, rng.dirichlet(np.full(M, .5)))
                s = Session(credible(kt(M), leaf_alpha), n)
                s.learn(*np.repeat(np.arange(M), counts))
                lp = s.predict()
                for a in np.unique([np.argmin(counts), np.argmax(counts)]):
                    if not counts[a]:
                        assert lp[a] == -INF
                        continue
                    plain = mp.log((int(counts[a]) + mp.mpf(.5)) / (n + mp.mpf(M) / 2))
                    exact = min(exact_floor([int(c) for c in counts], a, leaf_alpha), plain)
                    assert mp.mpf(lp[a]) <= exact + (abs(exact) * mp.mpf(2)**-52 if exact == plain else 0)
                    assert exact - mp.mpf(lp[a]) < 4e-15 * abs(exact) + 1e-15


# ---- the classroom ----

A, D = 12, 2
TEACHER, STUDENT = range(1, 7), range(7, 12)
ALLOWED = [a in TEACHER for a in range(A)]
EXPLAIN, ASK, HINT, PRAISE, CORRECT, SILENCE, RIGHT, WRONG, CONFUSED, THANKS, QUIET = range(1, 12)
MU = {0: {EXPLAIN: .7, ASK: .3}, RIGHT: {PRAISE: .6, ASK: .25, EXPLAIN: .15}, WRONG: {CORRECT: .5, HINT: .4, EXPLAIN: .1},
      CONFUSED: {EXPLAIN: .5, HINT: .5}, THANKS: {ASK: .6, EXPLAIN: .4}, QUIET: {ASK: .7, HINT: .3}}
STUDENTS = {EXPLAIN: {CONFUSED: .35, THANKS: .2, QUIET: .45}, ASK: {RIGHT: .45, WRONG: .35, CONFUSED: .2},
            HINT: {RIGHT: .5, WRONG: .2, CONFUSED: .3}, PRAISE: {THANKS: .9, QUIET: .1},
            CORRECT: {CONFUSED: .4, THANKS: .3, QUIET: .3}, SILENCE: {QUIET: .8, CONFUSED: .2}}


def chances(rows, moves):
    out = {}
    for context, row in rows.items():
        weights = np.array([row.get(a, 0) + 1e-6 if a in moves else 0 for a in range(A)])
        out[context] = weights / weights.sum()
    return out


TEACHES, ANSWERS = chances(MU, TEACHER), chances(STUDENTS, STUDENT)


def transcripts(rng, k, turns):
    out = []
    for _ in range(k):
        ids = [0]
        for _ in range(turns):
            ids.append(rng.choice(A, p=TEACHES[ids[-1]]))
            ids.append(rng.choice(A, p=ANSWERS[ids[-1]]))
        out.append(ids[1:])
    return out


class Imitator:
    """The context tree, from its definition: every context's counts, P_w = beta P_e + (1 - beta) prod P_w of the children."""

    def __init__(self, data):
        self.log_rest = -(A - 1) * math.log(2)
        self.log_beta = math.log1p(-math.exp(self.log_rest))
        self.counts, self.known = {}, {}
        for ids in data:
            padded = [0] * D + list(ids)
            for t in range(D, len(padded)):
                for d in range(D + 1):
                    self.counts.setdefault(tuple(padded[t - d:t][::-1]), np.zeros(A))[padded[t]] += 1
        self.log_weighted = {}
        self.weigh(())

    @staticmethod
    def log_estimate(c):
        n = c.sum()
        return math.lgamma(A / 2) - math.lgamma(n + A / 2) + sum(math.lgamma(x + .5) - math.lgamma(.5) for x in c if x)

    def mix(self, context, estimate, below):
        return estimate if len(context) == D else np.logaddexp(self.log_beta + estimate, self.log_rest + below)

    def weigh(self, context):
        if context not in self.counts:
            return 0.
        below = sum(self.weigh(context + (a,)) for a in range(A)) if len(context) < D else 0
        self.log_weighted[context] = self.mix(context, self.log_estimate(self.counts[context]), below)
        return self.log_weighted[context]

    def evidence_with(self, context, full, symbol):
        """ln P_w of this context, had the symbol come once more after full."""
        c = self.counts.get(context, np.zeros(A)).copy()
        c[symbol] += 1
        below = 0
        if len(context) < D:
            for a in range(A):
                child = context + (a,)
                on_path = full[:len(child)] == child
                below += self.evidence_with(child, full, symbol) if on_path else self.log_weighted.get(child, 0)
        return self.mix(context, self.log_estimate(c), below)

    def predict(self, ids):
        """Among the teacher's moves, and their counts at the deepest context."""
        full = tuple(([0] * D + list(ids))[::-1][:D])
        if full not in self.known:
            p = np.zeros(A)
            for a in TEACHER:
                p[a] = math.exp(self.evidence_with((), full, a) - self.log_weighted[()])
            self.known[full] = p / p.sum(), self.counts.get(full, np.zeros(A))[list(TEACHER)]
        return self.known[full]


def floor_by_bisection(p, counts, leaf_alpha):
    """The imitator's credible floor, over the teacher's moves."""
    out, n, M = np.zeros(A), counts.sum(), len(counts)
    if n == 0:
        return out
    kt = math.lgamma(M / 2) - math.lgamma(n + M / 2) + sum(math.lgamma(c + .5) - math.lgamma(.5) for c in counts)
    nats = sum(c * math.log(c / n) for c in counts if c) - kt - math.log(leaf_alpha)
    for a, c in zip(TEACHER, counts):
        low, high = 0., c / n
        for _ in range(200 if c else 0):
            q = (low + high) / 2
            spent = c * math.log(c / n / q) + ((n - c) * math.log((1 - c / n) / (1 - q)) if c < n else 0) if q else INF
            low, high = (q, high) if spent > nats else (low, q)
        out[a] = min(low, p[a])
    return out


class Switches:
    """Members (0, None), (n, a) with log weights; a member's weight moves by what it said of each learnt move."""

    def __init__(self, imitator, turns, data):
        self.imitator, self.turns = imitator, turns
        self.weights = {(0, None): math.log(.5 + .5 / (turns + 1))}
        self.weights |= {(n, a): -math.log(12 * n * (n + 1)) for n in range(1, turns + 1) for a in TEACHER}
        for ids in data:
            for t in range(0, len(ids), 2):
                self.learn(ids[:t], ids[t])

    def learn(self, past, move):
        turn, p = len(past) // 2 + 1, None
        for (n, a), weight in self.weights.items():
            if n == 0 or n > turn or weight == -INF:
                continue # as the imitator: relative to it nothing moves
            if a == move and p is None:
                p = self.imitator.predict(past)[0][move]
            self.weights[n, a] = weight - math.log(p) if a == move else -INF

    def says(self, member, past, own):
        n, a = member
        return np.eye(A)[a] if n and len(past) // 2 + 1 >= n else own

    def pessimist(self, past, alpha, leaf_alpha):
        own, counts = self.imitator.predict(past)
        if leaf_alpha:
            own = floor_by_bisection(own, counts, leaf_alpha)
        ranked = sorted((-w, m[0], m[1] or 0, m) for m, w in self.weights.items() if w > -INF)
        least, total = np.ones(A), 0.
        for minus, _, _, member in ranked:
            weight = math.exp(ranked[0][0] - minus)
            total += weight
            if weight < alpha * total:
                break
            least = np.minimum(least, self.says(member, past, own))
        return least

    def predict(self, past):
        own = self.imitator.predict(past)[0]
        most = max(self.weights.values())
        weights = {m: math.exp(w - most) for m, w in self.weights.items() if w > -INF}
        return sum(w * self.says(m, past, own) for m, w in weights.items()) / sum(weights.values())


def test_the_classroom_against_plain_python():
    rng, turns = np.random.default_rng(2), 12
    data = transcripts(rng, 60, 9)
    data += [ids[:2 * k] for k, ids in enumerate(transcripts(rng, 9, 9))] # short ones too
    tree = bct(A, D, start=0)
    for ids in data:
        call("mn_bct_learn", tree.pointer, symbols(ids), C.c_size_t(len(ids)), True, None)
    closed = switch(tree, ALLOWED, turns)
    for ids in data:
        call("mn_switch_learn", closed.pointer, symbols(ids), C.c_size_t(len(ids)), None)
    imitator = Imitator(data)
    trained = Switches(imitator, turns, data)
    asked = 0
    for alpha, leaf_alpha in ((.1, 0.), (.1, .01), (.01, .01), (1e-4, .2)):
        plain, wary = Session(closed, 2 * turns), Session(pessimist(closed, alpha, leaf_alpha), 2 * turns)
        alone = Session(pessimist(only(tree, ALLOWED), alpha, leaf_alpha), 2 * turns)
        for episode in range(12):
            oracle, past = Switches(imitator, turns, ()), []
            oracle.weights = dict(trained.weights)
            favourite = rng.choice(TEACHER)
            for s in (plain, wary, alone):
                s.begin()
            for t in range(turns):
                expected = oracle.pessimist(past, alpha, leaf_alpha)
                own, counts = imitator.predict(past)
                np.testing.assert_allclose(np.exp(plain.predict()), oracle.predict(past), rtol=1e-9, atol=0)
                np.testing.assert_allclose(np.exp(wary.predict()), expected, rtol=1e-9, atol=0)
                floors = floor_by_bisection(own, counts, leaf_alpha) if leaf_alpha else own
                np.testing.assert_allclose(np.exp(alone.predict()), floors, rtol=1e-9, atol=0)
                asked += 1 - expected.sum()
                move = favourite if t > 7 and episode % 3 else rng.choice(TEACHER)
                learnt = episode % 4 < 2 or rng.random() < .3
                if learnt:
                    oracle.learn(past, move)
                past += [move, rng.choice(STUDENT)]
                for s in (plain, wary, alone):
                    (s.learn if learnt and s is not alone else s.append)(*past[-2:])
    print(f"help in the mean: {asked / (4 * 12 * turns):.3f}")


def test_help_fades_as_transcripts_come_in():
    """At the prompt of every context that mu meets, weighted by how often it meets it."""
    rng, help_at = np.random.default_rng(3), {}
    visits = [(t[i - 2:i], t[i]) for t in transcripts(rng, 100, 16) for i in range(2, 32, 2)]
    data = transcripts(rng, 2000, 16)
    for k in (20, 200, 2000):
        tree = bct(A, D, start=0)
        for ids in data[:k]:
            call("mn_bct_learn", tree.pointer, symbols(ids), C.c_size_t(len(ids)), True, None)
        s, missing = Session(pessimist(only(tree, ALLOWED), .1, .01), 2), []
        for context, _ in visits:
            s.begin().append(*context)
            missing.append(1 - np.exp(s.predict()).sum())
        help_at[k] = np.mean(missing)
    print("help a turn:", {k: round(x, 4) for k, x in help_at.items()})
    assert help_at[20] > 2 * help_at[200] > 4 * help_at[2000] > 0


# ---- how often the truth is lost ----

RUNS = 1000


def rate(lost, runs=RUNS):
    return f"{lost / runs:.3f}"


def kept_of(log_weights, alpha):
    order = np.argsort(-log_weights, kind="stable")
    ranked = np.exp(log_weights[order] - log_weights[order[0]])
    return order[ranked >= alpha * np.cumsum(ranked)]


def fading(early, late):
    return f"help {np.mean(early):.3f}, then {np.mean(late):.3f}"


def draw(rng, cumulative):
    """An index, by cumulative probabilities."""
    return min(bisect.bisect_right(cumulative, rng.random() * cumulative[-1]), len(cumulative) - 1)


def test_a_member_is_seldom_lost():
    """mu is one of twelve chains. The demonstrator moves when help is asked for, and only from that is learnt; else the agent
    does what mu does least, whatever the pessimist lets through."""
    rng, K, S, steps = np.random.default_rng(4), 12, 4, 50
    chains = [rng.dirichlet(np.full(S, 1.), S + 1) * .97 + .03 / S for _ in range(K)]
    chains = [.5 * c + .5 * chains[0] for c in chains] # near each other, so that one can be taken for another
    models, prior = [table(c) for c in chains], np.full(K, 1 / K)
    logs, sums = [np.log(c) for c in chains], [np.cumsum(c, 1).tolist() for c in chains]
    for alpha in (.02, .005):
        s = Session(pessimist(mixture(models, prior), alpha), steps)
        lost, moved, early, late = 0, 0, [], []
        for _ in range(RUNS):
            mu, last = rng.integers(K), -1
            s.begin()
            for t in range(steps):
                truth = logs[mu][last + 1]
                if not s.shows(truth):
                    lost += 1
                    break
                nu = s.predict()
                assert (nu <= truth).all()
                missing = 1 - np.exp(nu).sum()
                (early if t < 10 else late if t >= steps - 10 else []).append(missing)
                if rng.random() < missing:
                    last = draw(rng, sums[mu][last + 1])
                    s.learn(last)
                else:
                    last = int(truth.argmin())
                    s.append(last)
                    moved += 1
        print(f"mixture, alpha {alpha}: lost {rate(lost)}, allowed {alpha * K:.3f}; {fading(early, late)}")
        assert 0 < lost / RUNS <= alpha * K
        assert np.mean(late) < np.mean(early) and moved > RUNS


def test_a_switch_is_seldom_lost():
    """mu is drawn from the switches' own prior: the model, or from the n-th turn on always a."""
    rng, turns, alpha = np.random.default_rng(5), 6, .02
    rows = rng.dirichlet([2, 2, 1, 1], 5)
    rows /= rows.sum(1, keepdims=True)
    allowed, M = [True, True, False, False], 2
    s = Session(pessimist(switch(table(rows), allowed, turns), alpha), 2 * turns)
    members = [(0, 0)] + [(n, a) for n in range(1, turns + 1) for a in range(M)]
    prior = np.array([.5 + .5 / (turns + 1)] + [1 / (2 * M * n * (n + 1)) for n, a in members[1:]])
    prior_sums, runs, lost = np.cumsum(prior).tolist(), np.zeros(len(members)), np.zeros(len(members))
    for _ in range(2 * RUNS):
        which = draw(rng, prior_sums)
        weights, last = np.log(prior), -1
        s.begin()
        runs[which] += 1
        for t in range(turns):
            own = rows[last + 1] * allowed
            says = np.array([np.eye(4)[a] if n and t + 1 >= n else own / own.sum() for n, a in members])
            if which not in kept_of(weights, alpha):
                lost[which] += 1
                break
            assert (np.exp(s.predict()) <= says[which] * (1 + 1e-12)).all()
            move = draw(rng, np.cumsum(says[which]).tolist())
            s.learn(move)
            with np.errstate(divide="ignore"):
                weights += np.log(says[:, move])
            last = 2 + int(rng.integers(2))
            s.append(last)
    for which, member in enumerate(members):
        if which < 5:
            print(f"switch {member}: lost {rate(lost[which], runs[which])}, allowed {alpha / prior[which]:.3f}")
        assert lost[which] <= alpha / prior[which] * runs[which]
    assert lost.sum() > 0


class Context:
    """Counts under a true theta: ln of their likelihood, and of their evidence under Dirichlet(1/2), symbol by symbol."""

    def __init__(self, theta):
        self.theta, self.logs, self.sums = theta, np.log(theta), np.cumsum(theta).tolist()
        self.counts, self.lik, self.evidence, self.inside = [0] * len(theta), 0., 0., True

    def learn(self, symbol, leaf_alpha):
        self.lik += self.logs[symbol]
        self.evidence += math.log((self.counts[symbol] + .5) / (sum(self.counts) + .5 * len(self.counts)))
        self.counts[symbol] += 1
        self.inside &= bool(self.lik >= self.evidence + math.log(leaf_alpha))


def test_the_credible_set_seldom_loses_the_parameters():
    """One context tree that learns from a chain: each context has its set, which loses the truth at most at leaf_alpha."""
    rng, M, steps, leaf_alpha = np.random.default_rng(6), 3, 90, .1
    s = Session(credible(bct(M, 1), leaf_alpha), steps + 1)
    lost, early, late = np.zeros(M), [], []
    for _ in range(RUNS):
        mu = [Context(theta * .999 + .001 / M) for theta in rng.dirichlet(np.full(M, .5), M)]
        last = int(rng.integers(M))
        s.begin().append(last)
        for t in range(steps):
            here, nu = mu[last], s.predict()
            if here.inside:
                assert (nu <= here.logs + 1e-12).all()
                (early if t < 15 else late if t >= steps - 15 else []).append(1 - np.exp(nu).sum())
            last = draw(rng, here.sums)
            here.learn(last, leaf_alpha)
            s.learn(last)
        lost += [not context.inside for context in mu]
    print(f"credible, leaf_alpha {leaf_alpha}: lost {', '.join(map(rate, lost))} by context; {fading(early, late)}")
    assert (0 < lost).all() and (lost <= leaf_alpha * RUNS).all()
    assert np.mean(late) < np.mean(early)


TREES = [[()], [(0,), (1,)], [(0, 0), (0, 1), (1,)], [(0,), (1, 0), (1, 1)], [(0, 0), (0, 1), (1, 0), (1, 1)]]


def test_the_true_tree_is_seldom_lost():
    """All five trees of depth 2 over two symbols are members, each leaf with its floor; the truth is drawn from the prior."""
    rng, steps, alpha, leaf_alpha = np.random.default_rng(7), 60, .01, .05
    prior = np.array([.5, .125, .125, .125, .125])
    s = Session(pessimist(bct(2, 2, beta=.5, members=5), alpha, leaf_alpha), steps + 2)
    runs, lost, checked = np.zeros(5), np.zeros(5), 0
    for _ in range(RUNS):
        which = draw(rng, np.cumsum(prior).tolist())
        theta = [{leaf: Context(rng.dirichlet([.5, .5]) * .999 + .0005) for leaf in leaves} for leaves in TREES] # one is true
        weights, past = np.log(prior), [0, 0]
        s.begin().append(*past)
        runs[which] += 1
        for t in range(steps):
            if which not in kept_of(weights, alpha):
                lost[which] += 1
                break
            recent = (past[-1], past[-2])
            here = [next(c for leaf, c in leaves.items() if recent[:len(leaf)] == leaf) for leaves in theta]
            if here[which].inside:
                assert (s.predict() <= here[which].logs + 1e-12).all()
                checked += 1
            past.append(draw(rng, here[which].sums))
            for i, context in enumerate(here):
                weights[i] -= context.evidence
                context.learn(past[-1], leaf_alpha)
                weights[i] += context.evidence
            s.learn(past[-1])
    for i in range(5):
        print(f"tree {i}, alpha {alpha}: lost {rate(lost[i], runs[i])}, allowed {alpha / prior[i]:.3f}")
    assert (lost <= alpha / prior * runs).all() and lost.sum() > 0 and checked > RUNS * steps * .8


def test_an_agent_that_is_learnt_from_evicts_the_demonstrator():
    """Learning from all moves: the agent flatters for ever, each move of its own is evidence for the flatterer and against mu,
    until mu is lost and all is let through. When only the demonstrator's moves are learnt, mu stays whatever the agent does."""
    mu, flatterer = np.array([[.5, .4, .1]]), np.array([[.05, .05, .9]])
    s = Session(pessimist(mixture([table(mu), table(flatterer)], np.array([.9, .1])), .05), 40)
    for t in range(40):
        s.append(2)
    assert len(s.members()) == 2 and (np.exp(s.predict()) <= mu[0] + 1e-15).all()
    s.begin()
    evicted_at = None
    for t in range(40):
        if not s.shows(np.log(mu[0])):
            evicted_at = t
            break
        s.learn(2)
    share = [.9 * .1**t / (.9 * .1**t + .1 * .9**t) for t in range(40)]
    assert evicted_at == next(t for t in range(40) if share[t] < .05) == 3
    assert np.exp(s.predict())[2] > .89
