"""Context trees against a sum over all trees in exact fractions, and against the recursion in 50 digits on longer sequences."""
import functools
import itertools
import os
import pathlib
import random
import subprocess
from fractions import Fraction

import mpmath
import pytest

DRIVER = pathlib.Path(os.environ.get("MIGHTNT", "build/mightnt")).resolve().parent / "tests" / "drive_bct"


def ours(cases):
    """For (A, D, beta, start, symbols) each: ln evidence, ln p of the symbols, ln p of the next."""
    lines = "".join(f"{A} {D} {float(beta)!r} {start} {' '.join(map(str, x))}\n" for A, D, beta, start, x in cases)
    out = subprocess.run([DRIVER], input=lines, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(out) == len(cases)
    for (A, _, _, _, x), line in zip(cases, out):
        numbers = [float(word) for word in line.split()]
        assert len(numbers) == 1 + len(x) + A
        yield numbers[0], numbers[1:len(x) + 1], numbers[len(x) + 1:]


@functools.lru_cache(None)
def trees(A, depth):
    """Every proper and complete tree of at most this depth, as the tuple of its leaves: contexts, most recent symbol first."""
    if depth == 0:
        return [((),)]
    below = trees(A, depth - 1)
    return [((),)] + [tuple((a,) + leaf for a, tree in enumerate(choice) for leaf in tree)
                      for choice in itertools.product(below, repeat=A)]


def counts_of(sequences, D, start):
    """counts[context][symbol] of all depths, and how many symbols were predicted."""
    counts = {}
    for x in sequences:
        x = [start] * D + list(x) if start >= 0 else list(x)
        for i in range(D, len(x)):
            for d in range(D + 1):
                c = counts.setdefault(tuple(reversed(x[i - d:i])), {})
                c[x[i]] = c.get(x[i], 0) + 1
    return counts


def estimate(counts, A, one=Fraction):
    """The Krichevsky-Trofimov evidence of counts, symbol after symbol."""
    p, n = one(1), 0
    for c in counts.values():
        for k in range(c):
            p *= (one(2 * k + 1) / 2) / (one(2 * n + A) / 2)
            n += 1
    return p


def evidence_by_trees(A, D, split_odds, beta, counts):
    """Sum over trees of prior times evidence; the prior of a tree: (1-beta) a branching, beta a leaf above depth D."""
    total = Fraction(0)
    for tree in trees(A, D):
        branchings = (len(tree) - 1) // (A - 1)
        p = split_odds ** branchings * beta ** sum(len(leaf) < D for leaf in tree)
        for leaf in tree:
            p *= estimate(counts.get(leaf, {}), A)
        total += p
    return total


def logarithm(x):
    return float(mpmath.log(mpmath.mpf(x.numerator) / x.denominator)) if isinstance(x, Fraction) else float(mpmath.log(x))


SHAPES = [(2, 0), (2, 1), (2, 2), (2, 3), (3, 1), (3, 2)]
BETAS = [Fraction(1, 2), Fraction(1, 8), Fraction(1, 64), Fraction(7, 8), Fraction(1023, 1024)]


@pytest.mark.parametrize("A,D", SHAPES)
@pytest.mark.parametrize("start", [-1, 0, 1])
def test_all_trees(A, D, start):
    rng = random.Random(100 * A + 10 * D + start)
    cases = [(A, D, beta, start, [rng.randrange(A) if rng.random() < .6 else i % A for i in range(n)])
             for beta in BETAS for n in (0, D, D + 1, 8, 17)]
    for (_, _, beta, _, x), (evidence, lp, following) in zip(cases, ours(cases)):
        exact = evidence_by_trees(A, D, 1 - beta, beta, counts_of([x], D, start))
        assert evidence == pytest.approx(logarithm(exact), rel=1e-12, abs=1e-14)
        first = 0 if start >= 0 else min(D, len(x))
        assert sum(lp[first:]) == pytest.approx(logarithm(exact), rel=1e-12, abs=1e-14)
        if start >= 0 or len(x) >= D:  # the chain rule: what comes next, as a ratio of evidences
            for a in range(A):
                longer = evidence_by_trees(A, D, 1 - beta, beta, counts_of([x + [a]], D, start))
                assert following[a] == pytest.approx(logarithm(longer / exact), rel=1e-9, abs=1e-13)


def test_three_symbols_depth_three():
    """1 + (1 + (1 + 1)^3)^3 = 730 trees."""
    assert len(trees(3, 3)) == 730
    rng = random.Random(3)
    cases = [(3, 3, beta, -1, [rng.randrange(3) if rng.random() < .4 else (i * i) % 3 for i in range(40)]) for beta in BETAS]
    for (_, _, beta, _, x), (evidence, _, _) in zip(cases, ours(cases)):
        exact = evidence_by_trees(3, 3, 1 - beta, beta, counts_of([x], 3, -1))
        assert evidence == pytest.approx(logarithm(exact), rel=1e-12)


def test_the_prior_is_one():
    for A, D in SHAPES + [(3, 3)]:
        for beta in BETAS:
            assert evidence_by_trees(A, D, 1 - beta, beta, {}) == 1


def weighted(counts, A, D, beta, rest, context=()):
    if context not in counts:
        return mpmath.mpf(1)
    p = estimate(counts[context], A, mpmath.mpf)
    if len(context) == D:
        return p
    product = mpmath.mpf(1)
    for a in range(A):
        product *= weighted(counts, A, D, beta, rest, context + (a,))
    return beta * p + rest * product


@pytest.mark.parametrize("A,D,beta,start", [(2, 12, .5, -1), (2, 8, 1e-6, 0), (2, 8, 1 - 1e-6, -1), (4, 6, 0, -1), (7, 3, 0, -1),
                                            (12, 2, 0, 0), (60, 2, 0, -1), (500, 1, 0, -1)])
def test_longer_sequences(A, D, beta, start):
    """Alphabets whose default beta rounds to 1 among them."""
    rng = random.Random(A)
    x = [0, 0]
    for i in range(2998):
        x.append((x[-2] + 1) % A if rng.random() < .7 else rng.randrange(A))
    (evidence, lp, following), = ours([(A, D, beta, start, x)])
    with mpmath.workdps(50):
        rest = mpmath.mpf(1 - mpmath.mpf(beta)) if beta else mpmath.mpf(2) ** -(A - 1)
        exact = weighted(counts_of([x], D, start), A, D, 1 - rest, rest)
        assert evidence == pytest.approx(logarithm(exact), rel=1e-12)
        assert sum(lp[0 if start >= 0 else D:]) == pytest.approx(logarithm(exact), rel=1e-11)
        for a in (0, 1, A - 1):
            longer = weighted(counts_of([x + [a]], D, start), A, D, 1 - rest, rest)
            assert following[a] == pytest.approx(logarithm(longer / exact), rel=1e-10)
        assert mpmath.fsum(mpmath.exp(v) for v in following) == pytest.approx(1, abs=1e-12)
