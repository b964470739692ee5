"""imitate beside brute force over every tree, in fractions, and its output, errors and drawings."""
import collections
import fractions
import itertools
import json
import math
import os
import pathlib
import random
import re
import subprocess

import pytest

PROGRAM = os.environ.get("MIGHTNT", "build/mightnt")
F = fractions.Fraction


def run(*arguments, **more):
    return subprocess.run([PROGRAM, "imitate", *map(str, arguments)], capture_output=True, text=True, timeout=60, **more)


def fit(text, *arguments):
    result = run("-", "--json", *arguments, input=text)
    assert (result.returncode, result.stderr) == (0, "")
    return json.loads(result.stdout)


# ---- brute force ----

def all_trees(A, D):
    """Every tree of depth <= D, each the list of its leaves (contexts, most recent symbol first) in symbol order."""
    if D == 0:
        return [[()]]
    below = all_trees(A, D - 1)
    return [[()]] + [[(a,) + leaf for a in range(A) for leaf in chosen[a]] for chosen in itertools.product(below, repeat=A)]


def counts_of(sequence, A, D):
    counts = collections.defaultdict(lambda: [0] * A)
    for t in range(D, len(sequence)):
        for d in range(D + 1):
            counts[tuple(sequence[t - 1 - i] for i in range(d))][sequence[t]] += 1
    return counts


def kt(counts):
    """Dirichlet(1/2) evidence, one symbol after the other."""
    p, seen, n = F(1), [0] * len(counts), 0
    for a, count in enumerate(counts):
        for _ in range(count):
            p *= (F(seen[a]) + F(1, 2)) / (n + F(len(counts), 2))
            seen[a] += 1
            n += 1
    return p


def brute_force(sequence, A, D, beta):
    """[(joint probability, leaves, prior, log-likelihood)], by falling posterior. alpha^(A-1) = 1 - beta, so priors of trees are rational:
    (leaves - 1) / (A - 1) branchings each weigh 1 - beta."""
    counts = counts_of(sequence, A, D)
    found = []
    for leaves in all_trees(A, D):
        prior = (1 - beta) ** ((len(leaves) - 1) // (A - 1)) * beta ** sum(len(leaf) < D for leaf in leaves)
        joint, likelihood = prior, 0.
        for leaf in leaves:
            c = counts[leaf]
            joint *= kt(c)
            likelihood += sum(x * math.log(x / sum(c)) for x in c if x)
        found.append((joint, leaves, prior, likelihood))
    return sorted(found, key=lambda tree: -tree[0])


def close(a, b):
    return abs(a - b) <= 1e-9 * abs(b)


def check(answer, truth, evidence, A, n, D):
    """Every tree of the answer is what it says, and the ranks are those of the truth, up to the order among equals."""
    by_leaves = {tuple("".join(map(str, leaf)) for leaf in leaves): rest for rest, leaves in
                 (((joint, prior, likelihood), leaves) for joint, leaves, prior, likelihood in truth)}
    seen = set()
    for tree, expected in zip(answer["trees"], truth):
        joint, prior, likelihood = by_leaves[tuple(tree["leaves"])]
        seen.add(tuple(tree["leaves"]))
        assert close(tree["posterior"], float(joint / evidence)) and close(tree["posterior"], float(expected[0] / evidence))
        assert close(tree["prior"], float(prior))
        parameters = len(tree["leaves"]) * (A - 1)
        assert abs(tree["log_likelihood_nats"] - likelihood) <= 1e-9 * max(1, -likelihood)
        assert close(tree["bic"], -2 * likelihood + parameters * math.log(n - D))
        assert close(tree["aic"], -2 * likelihood + 2 * parameters)
    assert len(seen) == len(answer["trees"])


CASES = [(2, 1), (2, 2), (2, 3), (3, 1), (3, 2)]
BETAS = ["0.01", "0.1", "0.25", "0.4", "0.5", "0.6", "0.75", "0.9", "0.99"]


@pytest.mark.parametrize("A, D", CASES)
@pytest.mark.parametrize("beta", BETAS)
def test_every_k_best_is_that_of_brute_force(A, D, beta):
    rng = random.Random(1000 * A + D)
    for n in D + 1, D + 6, 40:
        sequence = list(range(A)) + [rng.choice([0] + list(range(A))) for _ in range(n - A)] if n > A else [0, 1, 2, 0][:n]
        if len(set(sequence)) < A:
            continue
        truth = brute_force(sequence, A, D, F(beta))
        evidence = sum(joint for joint, *_ in truth)
        text = "".join(map(str, sequence))
        everything = fit(text, "--depth", D, "--beta", beta, "--k", len(truth) + 1)
        assert len(everything["trees"]) == len(truth)
        assert close(everything["log_evidence_nats"], math.log(evidence))
        check(everything, truth, evidence, A, len(sequence), D)
        for k in range(1, min(len(truth), 12)):
            assert fit(text, "--depth", D, "--beta", beta, "--k", k)["trees"] == everything["trees"][:k]


@pytest.mark.parametrize("beta", ["0.05", "0.3", "0.5", "0.8"])
def test_k_best_of_730_trees(beta):
    rng = random.Random(7)
    sequence = [rng.choice("0012") for _ in range(60)]
    truth = brute_force([int(x) for x in sequence], 3, 3, F(beta))
    evidence = sum(joint for joint, *_ in truth)
    assert len(truth) == 730
    for k in 1, 2, 10, 100, 730, 1000:
        answer = fit("".join(sequence), "--depth", 3, "--beta", beta, "--k", k)
        assert len(answer["trees"]) == min(k, 730)
        check(answer, truth, evidence, 3, 60, 3)


def test_known_truth():
    """R's package BCT 1.2."""
    answer = fit("10100100111010", "--depth", 2, "--beta", .5, "--k", 9)
    assert answer["symbols"] == 14 and answer["alphabet"] == ["0", "1"] and answer["depth"] == 2
    assert close(answer["log_evidence_nats"], -9.89501297383246)
    expected = [77 / 141, 7 / 47, 49 / 423, 5 / 47, 35 / 423]
    assert len(answer["trees"]) == 5
    assert all(close(tree["posterior"], p) for tree, p in zip(answer["trees"], expected))
    assert answer["trees"][0]["leaves"] == [""]
    assert list(answer) == ["symbols", "alphabet", "depth", "log_evidence_nats", "trees"]
    assert list(answer["trees"][0]) == ["leaves", "posterior", "prior", "log_likelihood_nats", "bic", "aic"]


def test_default_beta():
    for A in 2, 5:
        text = "".join(random.Random(A).choices("abcde"[:A], k=200))
        assert fit(text, "--depth", 2) == fit(text, "--depth", 2, "--beta", 1 - 2 ** -(A - 1))
