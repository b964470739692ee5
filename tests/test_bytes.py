"""The byte model against its definitions, in exact fractions: the sum over all prunings of the context tree, the sum over all
sequences of switches, the zero-redundancy estimator as a mixture of block probabilities; and on more data against a plain model
in a dictionary, one entry for each decision in each context."""
import ctypes
import itertools
import math
import os
import random
from fractions import Fraction

import numpy as np
import pytest

PROGRAM = os.environ.get("MIGHTNT", "build/mightnt")
LIBRARY = ctypes.CDLL(os.path.join(os.path.dirname(os.path.abspath(PROGRAM)), "libmightnt.so"))
HALF, QUARTER = Fraction(1, 2), Fraction(1, 4)


class Options(ctypes.Structure):
    _fields_ = [("depth", ctypes.c_size_t), ("switching", ctypes.c_bool), ("discount", ctypes.c_double)]


class Model:
    def __init__(self, depth, switching=False, discount=0):
        self.handle, self.worker = ctypes.c_void_p(), ctypes.c_void_p()
        assert LIBRARY.mn_bytes_new(ctypes.byref(self.handle), ctypes.byref(Options(depth, switching, discount)), None) == 0

    def learn(self, data, begins=True):
        lp = np.full(len(data), np.nan)
        out = lp.ctypes.data_as(ctypes.POINTER(ctypes.c_double))
        assert LIBRARY.mn_bytes_learn(self.handle, out, data, ctypes.c_size_t(len(data)), ctypes.c_bool(begins), None) == 0
        return lp

    def session(self, length=4096):
        if not self.worker:
            most, length = ctypes.c_size_t(4), ctypes.c_size_t(length)
            assert LIBRARY.mn_worker_new(ctypes.byref(self.worker), self.handle, most, length, None) == 0
        return Session(self.worker)

    def __del__(self):
        LIBRARY.mn_worker_free(self.worker)
        LIBRARY.mn_model_free(self.handle)


class Session:
    def __init__(self, worker):
        self.handle = ctypes.c_void_p()
        assert LIBRARY.mn_session_begin(ctypes.byref(self.handle), worker, None) == 0

    def extend(self, data, learn):
        ids = (ctypes.c_int32 * len(data))(*data)
        verb = LIBRARY.mn_session_learn if learn else LIBRARY.mn_session_append
        assert verb(self.handle, ids, ctypes.c_size_t(len(data)), None) == 0

    def predict(self):
        lp = np.full(256, np.nan)
        assert LIBRARY.mn_session_predict(self.handle, lp.ctypes.data_as(ctypes.POINTER(ctypes.c_double)), None) == 0
        return lp


# ---- definitions ----

def by_counts(bits, discount):
    """Block probability by Dirichlet(1/4, 1/4) counts."""
    p, counts = Fraction(1), [Fraction(0), Fraction(0)]
    for bit in bits:
        p *= (counts[bit] + QUARTER) / (sum(counts) + HALF)
        counts = [c * discount for c in counts]
        counts[bit] += 1
    return p


def zero_redundancy(bits, discount):
    return HALF * by_counts(bits, discount) + QUARTER * (1 not in bits) + QUARTER * (0 not in bits)


def decisions(data):
    """For each place in a byte: the times it is reached and the bits decided there."""
    places = {}
    for t, byte in enumerate(data):
        for p in range(8):
            places.setdefault((p, byte >> (8 - p)), []).append((t, byte >> (7 - p) & 1))
    return list(places.values())


def context(data, t, d):
    """The last d bytes before time t; None before the start."""
    return tuple(data[t - k] if t >= k else None for k in range(1, d + 1))


def prunings(data, visits, d, depth):
    """All prunings of the tree of contexts that occur, from a node at depth d with these visits on: (prior, leaves' visits)."""
    if d == depth:
        return [(Fraction(1), [visits])]
    children = {}
    for visit in visits:
        children.setdefault(context(data, visit[0], d + 1), []).append(visit)
    out = [(HALF, [visits])]
    for choice in itertools.product(*(prunings(data, c, d + 1, depth) for c in children.values())):
        out.append((HALF * math.prod(c[0] for c in choice), [leaf for c in choice for leaf in c[1]]))
    return out


def weighted(data, depth, discount):
    """Block probability of data: for each decision the sum over trees."""
    p = Fraction(1)
    for visits in decisions(data):
        p *= sum(prior * math.prod(zero_redundancy([bit for _, bit in leaf], discount) for leaf in leaves)
                 for prior, leaves in prunings(data, visits, 0, depth))
    return p


def chain(data, t, depth):
    """Contexts before time t with the prior of ending there: whole bytes, and bit pairs of the nearest two (0 at the start)."""
    out = [((), HALF)]
    for d in range(1, depth + 1):
        if d <= 2:
            byte = data[t - d] if t >= d else 0
            out += [((context(data, t, d - 1), j, byte >> (8 - j)), Fraction(1, 5)) for j in (2, 4, 6)]
        out.append((context(data, t, d), HALF))
    return out


def switched(data, depth, discount):
    """Block probability of data: at each node the sum over all sequences of who speaks, the node or the longer context."""
    total = Fraction(1)
    for visits in decisions(data):
        chains = [chain(data, t, depth) for t, _ in visits]
        cache = {}

        def estimates(level, upto):
            bits = [visits[i][1] for i in range(upto + 1) if chains[i][level][0] == chains[upto][level][0]]
            return zero_redundancy(bits, discount) / zero_redundancy(bits[:-1], discount)

        def block(level, mine):
            """Of the visits `mine` to one node."""
            if not mine:
                return Fraction(1)
            said = [(estimates(level, i), says(level + 1, i)) for i in mine]
            prior = chains[mine[0]][level][1]
            p = Fraction(0)
            for who in itertools.product((0, 1), repeat=len(mine)):
                path = prior if who[0] == 0 else 1 - prior
                for k, i in enumerate(mine):
                    if k:
                        change = Fraction(1, visits[mine[k - 1]][0] + 3)
                        path *= change if who[k] != who[k - 1] else 1 - change
                    path *= said[k][who[k]]
                p += path
            return p

        def says(level, i):
            """Probability of the i-th visit's bit by the node at this level, given its visits before."""
            if level == len(chains[i]) - 1:
                return estimates(level, i)
            if (level, i) not in cache:
                mine = [j for j in range(i + 1) if chains[j][level][0] == chains[i][level][0]]
                cache[level, i] = block(level, mine) / block(level, mine[:-1])
            return cache[level, i]

        total *= math.prod(says(0, i) for i in range(len(visits)))
    return total


def assert_block(model, data, expected):
    assert abs(model.learn(data).sum() / math.log(expected) - 1) < 1e-12


@pytest.mark.parametrize("discount", [1, .75, .98])
@pytest.mark.parametrize("depth, alphabet, n",
                         [(0, b"\x00\xff", 12), (1, b"abz", 14), (2, b"ab", 14), (2, b"a\xe1!", 12), (3, b"\x01\x00", 11)])
def test_weighting_is_the_sum_over_prunings(depth, alphabet, n, discount):
    rng = random.Random(depth * 100 + n)
    for _ in range(4):
        data = bytes(rng.choice(alphabet) for _ in range(n))
        assert_block(Model(depth, discount=discount), data, weighted(data, depth, Fraction(discount)))


@pytest.mark.parametrize("discount", [1, .75])
@pytest.mark.parametrize("depth, alphabet, n", [(0, b"\x00\xff", 8), (1, b"abz", 7), (2, b"ab", 6), (3, b"a\xe1", 7)])
def test_switching_is_the_sum_over_sequences_of_switches(depth, alphabet, n, discount):
    rng = random.Random(depth * 100 + n)
    for _ in range(2):
        data = bytes(rng.choice(alphabet) for _ in range(n))
        assert_block(Model(depth, True, discount), data, switched(data, depth, Fraction(discount)))


def test_predictions_are_ratios_of_block_probabilities():
    data = b"abaabb"
    model = Model(2, discount=1)
    before = weighted(data, 2, 1)
    session = model.session()
    session.extend(data, True)
    lp = session.predict()
    for x in b"abc\x00\xff":
        assert abs(math.exp(lp[x]) / (weighted(data + bytes([x]), 2, 1) / before) - 1) < 1e-12


# ---- more data, against a dictionary ----

class Plain:
    """One entry for each decision in each context; each decision by itself, without shortcuts."""

    def __init__(self, depth, switching, discount):
        self.depth, self.switching, self.discount, self.table, self.t = depth, switching, discount, {}, 0

    def chain(self, history):
        out = chain(history, len(history), self.depth) if self.switching else [
            (context(history, len(history), d), HALF) for d in range(self.depth + 1)]
        return [(key, float(prior)) for key, prior in out]

    def bit(self, contexts, place, bit, learn):
        nodes = [self.table.get((key, place)) for key, _ in contexts]
        p = None
        for k in reversed(range(len(nodes))):
            zeros, ones, counted, here = nodes[k] or (0., 0., 1., contexts[k][1])
            of_counts = ((ones if bit else zeros) + .25) / (zeros + ones + .5)
            mixed = .5 * counted + (.25 if zeros == 0 else 0) + (.25 if ones == 0 else 0)
            certain = .25 if (zeros if bit else ones) == 0 else 0
            own = (.5 * counted * of_counts + certain) / mixed
            both = own if p is None else here * own + (1 - here) * p
            if learn:
                a = 1 / (self.t + 3) if self.switching else 0
                here = here if p is None else a + (1 - 2 * a) * here * own / both
                zeros, ones = zeros * self.discount, ones * self.discount
                if bit:
                    ones += 1
                else:
                    zeros += 1
                self.table[contexts[k][0], place] = zeros, ones, counted * of_counts, here
            p = both
        return p

    def byte(self, history, x, learn):
        contexts, p = self.chain(history), 1.
        for i in range(8):
            p *= self.bit(contexts, (i, x >> (8 - i)), x >> (7 - i) & 1, learn)
        self.t += learn
        return p


def some_text(rng, n):
    """Repetitive, with rare bytes of all values, and runs."""
    words = [bytes(rng.choice(b"etaoin shrdlu") for _ in range(rng.randint(1, 7))) for _ in range(12)]
    words += [b"aaaaaaaa", b"\x00\x00\x00"]
    out = b""
    while len(out) < n:
        out += rng.choice(words) if rng.random() < .9 else bytes([rng.randrange(256)])
    return out[:n]


@pytest.mark.parametrize("switching", [False, True])
@pytest.mark.parametrize("depth, discount", [(0, .9), (1, 1), (2, .98), (5, .98)])
def test_every_byte_as_by_plain_means(depth, discount, switching):
    rng = random.Random(depth)
    plain, model = Plain(depth, switching, discount), Model(depth, switching, discount)
    for n in (900, 300):  # the second sequence begins anew
        data = some_text(rng, n)
        lp = model.learn(data)
        for t, x in enumerate(data):
            assert abs(lp[t] - math.log(plain.byte(data[:t], x, True))) < 1e-9, (t, x)


@pytest.mark.parametrize("switching", [False, True])
def test_sessions_as_by_plain_means(switching):
    rng = random.Random(7)
    plain, model = Plain(3, switching, .98), Model(3, switching)
    data = some_text(rng, 400)
    model.learn(data)
    for t, x in enumerate(data):
        plain.byte(data[:t], x, True)
    session, history = model.session(), b""
    for _ in range(60):
        learn, more = rng.random() < .5, some_text(rng, rng.randint(1, 6))
        session.extend(more, learn)
        for x in more:
            if learn:
                plain.byte(history, x, True)
            history += bytes([x])
        lp = session.predict()
        for x in {*b"e a\x00", rng.randrange(256)}:
            assert abs(lp[x] - math.log(plain.byte(history, x, False))) < 1e-9
