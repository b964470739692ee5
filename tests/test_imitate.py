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
import xml.etree.ElementTree

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
    """[(joint probability, leaves, prior, log-likelihood)], by falling posterior. alpha^(A-1) = 1 - beta, so priors of trees
    are rational: (leaves - 1) / (A - 1) branchings each weigh 1 - beta."""
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


CASES = [(2, 1), (2, 2), (2, 3), (3, 1), (3, 2), (7, 2)]
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


# ---- input ----

def lines_of(*sequences):
    return "".join(json.dumps({"symbols": list(sequence)}) + "\n" for sequence in sequences)


def test_several_sequences_have_their_own_beginnings():
    """Counts of two sequences add up; the first D symbols of each only condition, a shorter one says nothing."""
    sequences = ["0110100", "1", "00101101"]
    answer = fit(lines_of(*sequences), "--depth", 2, "--beta", .3, "--k", 5, "--format", "transcripts")
    counts = collections.defaultdict(lambda: [0] * 2)
    for sequence in sequences:
        for context, c in counts_of(list(map(int, sequence)), 2, 2).items():
            counts[context] = [x + y for x, y in zip(counts[context], c)]
    joint = {}
    for leaves in all_trees(2, 2):
        prior = F(7, 10) ** (len(leaves) - 1) * F(3, 10) ** sum(len(leaf) < 2 for leaf in leaves)
        joint[tuple("".join(map(str, leaf)) for leaf in leaves)] = prior * math.prod(kt(counts[leaf]) for leaf in leaves)
    evidence = sum(joint.values())
    assert answer["symbols"] == 16 and close(answer["log_evidence_nats"], math.log(evidence))
    for tree in answer["trees"]:
        assert close(tree["posterior"], float(joint[tuple(tree["leaves"])] / evidence))
        assert close(tree["bic"], -2 * tree["log_likelihood_nats"] + len(tree["leaves"]) * math.log(11))


def test_a_start_symbol_stands_before_each_sequence():
    padded = fit(lines_of("sa", "sb", "sab"), "--depth", 1, "--format", "transcripts")
    started = fit(lines_of("a", "b", "ab"), "--depth", 1, "--format", "transcripts", "--start", "s")
    assert started["alphabet"] == ["a", "b", "s"] == padded["alphabet"]
    assert started["trees"] == padded["trees"] and started["log_evidence_nats"] == padded["log_evidence_nats"]
    assert started["symbols"] == 4 and padded["symbols"] == 7
    known = fit(lines_of("a", "b", "ab"), "--depth", 1, "--format", "transcripts", "--start", "s", "--alphabet", "a b s")
    assert known == started


def test_roles_and_fields(tmp_path):
    turns = [{"role": "teacher", "text": "x", "move": "ask"}, {"role": "student", "text": "y"},
             {"role": "teacher", "text": "z", "move": "tell"}]
    path = tmp_path / "lessons.jsonl"
    path.write_text(json.dumps({"turns": turns * 3}) + "\n")
    moves = json.loads(run(path, "--depth", 1, "--role", "teacher", "--field", "move", "--json").stdout)
    assert moves["alphabet"] == ["ask", "tell"] and moves["symbols"] == 6
    texts = json.loads(run(path, "--depth", 1, "--json").stdout)
    assert texts["alphabet"] == ["x", "y", "z"] and texts["symbols"] == 9


def test_contexts_of_words_are_joined_by_spaces():
    words = fit("left right right left right right left right left left", "--depth", 2, "--beta", .01)
    assert words["trees"][0]["leaves"] == ["left left", "left right", "right left", "right right"]
    letters = fit("\u00e4\u00f6\u00f6\u00e4\u00f6\u00f6\u00e4\u00f6\u00e4\u00e4", "--depth", 2, "--beta", .01)
    assert letters["trees"][0]["leaves"] == ["\u00e4\u00e4", "\u00e4\u00f6", "\u00f6\u00e4", "\u00f6\u00f6"]


# ---- output ----

def test_samples_are_trees_with_parameters():
    arguments = ["--depth", 2, "--beta", .5, "--samples", 200]
    answer = fit("10100100111010", *arguments, "--k", 5)
    posterior = {tuple(tree["leaves"]): tree["posterior"] for tree in answer["trees"]}
    for sample in answer["samples"]:
        assert close(sample["posterior"], posterior[tuple(sample["leaves"])])
        assert len(sample["parameters"]) == len(sample["leaves"])
        assert all(len(row) == 2 and abs(sum(row) - 1) < 1e-12 and min(row) > 0 for row in sample["parameters"])
    assert {tuple(sample["leaves"]) for sample in answer["samples"]} == set(posterior)
    assert fit("10100100111010", *arguments)["samples"] == answer["samples"]
    assert fit("10100100111010", *arguments[:-1], 3)["samples"] == answer["samples"][:3]
    assert fit("10100100111010", *arguments, "--seed", 1)["samples"] != answer["samples"]


DRAWING = """\
6 symbols of 3, depth 1, beta 0.1
evidence  ln P = {evidence:.6f} nats, {bits:.4f} bits a symbol over 5 predicted; 4 contexts

The likeliest tree, most recent symbol first; how many symbols followed, the likeliest next:
\u00b7
\u251c\u2500 a          2  b 0.71  others 0.29
\u251c\u2500 b          2  a 0.43  c 0.43  others 0.14
\u2514\u2500 c          1  a 0.60  others 0.40

tree        posterior        prior   leaves   log-lik., nats          BIC          AIC
1        {posterior:12.6g}          0.9        3          -1.3863        12.43        14.77
"""


def test_drawing_for_people():
    truth = brute_force([0, 1, 2, 0, 1, 0], 3, 1, F(1, 10))
    evidence = sum(joint for joint, *_ in truth)
    result = run("-", "--depth", 1, "--beta", .1, input="abcaba")
    nats = math.log(evidence)
    assert result.stdout == DRAWING.format(evidence=nats, bits=-nats / 5 / math.log(2), posterior=float(truth[0][0] / evidence))


def test_large_trees_are_cut_with_a_note():
    result = run("-", "--depth", 5, "--beta", 1e-6, input="0123456")
    lines = result.stdout.split("next:\n")[1].split("\n\ntree")[0].splitlines()
    assert len(lines) == 41 and max(map(len, lines)) <= 80
    (more,) = re.findall(r"^\.\.\. and (\d+) more leaves$", lines[-1])
    shown = sum(int(n) for n in re.findall(r"(\d+) others", result.stdout)) + result.stdout.count("never seen")
    shown -= len(re.findall(r"others .*never seen", result.stdout))
    assert shown + int(more) == 7 ** 5


def test_what_is_saved(tmp_path):
    text = "ab<&\u00e9>" * 9 + "ba<\u00e9&>>"
    folder = tmp_path / "out"
    result = run("-", "--depth", 2, "-o", folder, input=text)
    assert result.returncode == 0, result.stderr
    assert {path.name for path in folder.iterdir()} == {"model.mn", "tree.svg"}
    picture = xml.etree.ElementTree.parse(folder / "tree.svg").getroot()
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"
    shown = "".join(picture.itertext())
    assert all(symbol in shown for symbol in text)
    assert not re.search(r"(href|src|url)\s*[=(]", (folder / "tree.svg").read_text())
    again = run("-", "--depth", 2, "-o", folder, input=text)
    assert again.returncode == 0 and again.stdout == result.stdout
    score = subprocess.run([PROGRAM, "score", "-", "--model", folder / "model.mn"], input="ab<&", text=True,
                           capture_output=True)
    assert score.returncode == 0, score.stderr


@pytest.mark.parametrize("arguments, text, status, message", [
    (["-", "--depth", 4], "", 3, "stdin: no symbols"),
    (["-", "--depth", 4], "aaaa", 3, "stdin: only one symbol"),
    (["-", "--depth", 4], "abab", 3, "more than --depth 4 symbols"),
    (["-", "--depth", 4, "--alphabet", "a b"], "abcab", 3, "c"),
    (["/nonexistent", "--depth", 4], "", 4, "/nonexistent: "),
    (["-", "--depth", 9, "--beta", 1e-9], "0123456012345", 4, "too large to be written out"),
    (["-", "--depth", 2, "-o", "/nonexistent/folder"], "abababab", 4, "/nonexistent/folder: cannot be made"),
    (["-", "--depth", 2, "-o", "/dev/null"], "abababab", 4, "/dev/null"),
    (["-"], "abab", 2, "expected --depth D"),
    (["--depth", 2], "abab", 2, "expected a FILE"),
    (["-", "--depth", -1], "abab", 2, "--depth: expected"),
    (["-", "--depth", 1025], "abab", 2, "--depth: expected"),
    (["-", "--depth", 1, "--beta", 0], "abab", 2, "--beta: expected 0 < beta < 1"),
    (["-", "--depth", 1, "--beta", 1], "abab", 2, "--beta: expected 0 < beta < 1"),
    (["-", "--depth", 1, "--k", 0], "abab", 2, "--k: expected"),
    (["-", "--depth", 1, "--samples", -1], "abab", 2, "--samples: expected"),
    (["-", "--depth", 1, "--format", "tokns"], "abab", 2, "--format: expected"),
])
def test_errors(arguments, text, status, message):
    result = run(*arguments, input=text)
    assert (result.returncode, result.stdout) == (status, "")
    assert result.stderr.count("\n") == 1 and message in result.stderr, result.stderr


# ---- the page ----

def test_the_page_says_what_its_commands_print(tmp_path):
    """docs/imitate.md, command by command, with what is built, installed."""
    root, build = pathlib.Path(__file__).resolve().parent.parent, os.environ["MIGHTNT_BUILD"]
    install = [os.environ["MIGHTNT_CMAKE"], "--install", build, "--prefix", tmp_path / "installed"]
    subprocess.run(install, check=True, capture_output=True)
    cache = dict(re.findall(r"^(\w+):\w+=(.*)$", (pathlib.Path(build) / "CMakeCache.txt").read_text(), re.M))
    sanitize = f"-fsanitize={cache['MN_SANITIZE']}" if cache["MN_SANITIZE"] else ""
    compiler = tmp_path / "installed" / "bin" / "cc" # a library built under a sanitizer wants its clients built so, too
    compiler.write_text(f'#!/bin/sh\nexec {cache["CMAKE_C_COMPILER"]} {sanitize} "$@"\n')
    compiler.chmod(0o755)
    (library,) = (tmp_path / "installed").glob("lib*/**/libmightnt.so")
    environment = {**os.environ, "PATH": f"{compiler.parent}:{os.environ['PATH']}", "LD_LIBRARY_PATH": str(library.parent),
                   "PKG_CONFIG_PATH": str(library.parent / "pkgconfig")}
    page = (root / "docs" / "imitate.md").read_text()
    work = tmp_path / "work"
    work.mkdir()
    (work / "lessons.jsonl").write_text((root / "examples" / "lessons.jsonl").read_text())
    (work / "ask.c").write_text(re.search(r"```c\n(.*?)```", page, re.S)[1])
    commands = re.findall(r"^\$ (.*)\n((?:(?!```|\$ ).*\n)*)", "\n".join(re.findall(r"```console\n(.*?```)", page, re.S)), re.M)
    assert len(commands) == page.count("\n$ ")
    for command, printed in commands:
        result = subprocess.run(["sh", "-c", command], cwd=work, env=environment, capture_output=True, text=True, timeout=60)
        assert (result.returncode, result.stderr, result.stdout) == (0, "", printed), command
