"""The verb score against context-tree weighting by its definition: exact fractions, all of it anew for every symbol."""
import json
import math
import os
import pathlib
import random
import re
import subprocess
from fractions import Fraction

import pytest

PROGRAM = os.environ.get("MIGHTNT", "build/mightnt")


def run(*arguments, text=None):
    return subprocess.run([PROGRAM, "score", *map(str, arguments)], input=text, capture_output=True, text=True, timeout=60)


def score(*arguments, text=None):
    result = run(*arguments, "--json", text=text)
    assert result.returncode == 0 and not result.stderr, result.stderr
    return json.loads(result.stdout)


def imitate(folder, *arguments):
    subprocess.run([PROGRAM, "imitate", *map(str, arguments), "-o", str(folder)], check=True, capture_output=True, timeout=60)
    return folder / "model.mn"


class Tree:
    """The mixture over all trees of depth at most D. data: pairs of a context, most recent symbol first, and what came."""

    def __init__(self, A, D, beta):
        self.A, self.D, self.beta, self.data = A, D, Fraction(beta), []

    def estimate(self, counts):
        p, n = Fraction(1), 0
        for c in counts:
            for k in range(c):
                p *= (k + Fraction(1, 2)) / (n + Fraction(self.A, 2))
                n += 1
        return p

    def weighted(self, data, depth, known):
        """known: how far back the contexts go; there a node is a leaf, as at depth D."""
        if not data:
            return Fraction(1)
        p = self.estimate([sum(x == a for _, x in data) for a in range(self.A)])
        if depth == self.D:
            return p
        below = Fraction(1)
        for a in range(self.A):
            below *= self.weighted([d for d in data if d[0][depth] == a], depth + 1, known)
        return self.beta * p + (1 - self.beta) * below

    def predict(self, context):
        base = self.weighted(self.data, 0, self.D)
        return [self.weighted(self.data + [(context, x)], 0, self.D) / base for x in range(self.A)]

    def learn(self, context, x):
        self.data.append((context, x))


def default_beta(A):
    return 1 - Fraction(1, 2 ** (A - 1))


def expected(tree, sequences, train, learns=True, start=None):
    """Losses, errors, last distribution: each symbol with D before it (or start for them) after the first `train` of all."""
    losses, errors, seen, context = [], [], 0, None
    for sequence in sequences:
        history = [] if start is None else [start] * tree.D
        for x in sequence:
            if len(history) >= tree.D:
                context = tuple(history[::-1][:tree.D])
                if seen >= train:
                    p = tree.predict(context)
                    losses.append(-math.log(p[x]))
                    errors.append(p.index(max(p)) != x)
                if learns:
                    tree.learn(context, x)
            history.append(x)
            seen += 1
        context = tuple(history[::-1][:tree.D])
    return losses, errors, [float(p) for p in tree.predict(context)]


def agrees(answer, losses, errors, following):
    assert list(answer)[:4] == ["log_loss_nats", "bits_per_symbol", "zero_one_loss", "next"]
    mean = math.fsum(losses) / len(losses)
    assert answer["log_loss_nats"] == pytest.approx(mean, rel=1e-12)
    assert answer["bits_per_symbol"] == pytest.approx(mean / math.log(2), rel=1e-12)
    assert answer["zero_one_loss"] == pytest.approx(sum(errors) / len(errors), rel=1e-15)
    assert answer["next"] == pytest.approx(following, rel=1e-11)
    assert answer["scored"] == len(losses)


def drawn(seed, n, A):
    rng, x, out = random.Random(seed), 0, []
    for _ in range(n):
        x = (x * 2 + rng.choice([0, 0, 0, 1, 2])) % A
        out.append(x)
    return out


def as_text(symbols):
    return "".join(map(str, symbols))


def as_jsonl(path, sequences):
    path.write_text("".join(json.dumps({"symbols": list(map(str, s))}) + "\n" for s in sequences))
    return path


def test_what_is_published():
    """Kontoyiannis et al. 2022, as the R package BCT has it: the first prediction after 8 symbols is (33/70, 37/70)."""
    answer = score("-", "--depth", 2, "--beta", .5, text="10100100")
    assert answer["next"] == pytest.approx([33 / 70, 37 / 70], rel=1e-14)
    whole = score("-", "--depth", 2, "--beta", .5, text="10100100111010")
    assert whole["scored"] == 12
    assert 12 * whole["log_loss_nats"] == pytest.approx(9.89501297383246, rel=1e-13)


@pytest.mark.parametrize("A, D, beta, train", [(2, 0, None, 0), (2, 1, None, 5), (2, 3, Fraction(1, 4), 0), (3, 2, None, 10),
                                               (3, 2, Fraction(7, 8), 1), (4, 1, Fraction(1, 8), 3), (2, 4, None, 2)])
def test_learning_as_it_goes(A, D, beta, train):
    symbols = list(range(A)) + drawn(A * 10 + D, 36, A)
    options = ["--beta", float(beta)] if beta else []
    answer = score("-", "--depth", D, "--train", train, *options, text=as_text(symbols))
    agrees(answer, *expected(Tree(A, D, beta or default_beta(A)), [symbols], train))


def test_order_zero_by_hand():
    """KT: 1/2, then (1/2)/2 for the other symbol; an equal is an error unless its id is the lowest."""
    answer = score("-", "--depth", 0, text="10")
    assert answer["log_loss_nats"] == pytest.approx((math.log(2) + math.log(4)) / 2, rel=1e-15)
    assert answer["zero_one_loss"] == 1
    assert score("-", "--depth", 0, text="01")["zero_one_loss"] == .5
    assert answer["next"] == [.5, .5]


@pytest.mark.parametrize("start", [None, "0"])
def test_sequences(tmp_path, start):
    sequences = [drawn(k, n, 3) for k, n in enumerate([9, 1, 2, 14, 6])] + [[0, 1, 2]]
    file = as_jsonl(tmp_path / "s.jsonl", sequences)
    options = ["--start", start] if start else []
    answer = score(file, "--depth", 2, "--train", 4, *options)
    agrees(answer, *expected(Tree(3, 2, default_beta(3)), sequences, 4, start=start and int(start)))
    assert answer["sequences"] == 6 and answer["symbols"] == 35


@pytest.mark.parametrize("learn", [False, True])
@pytest.mark.parametrize("start", [None, "1", "begin"])
def test_trained_trees(tmp_path, learn, start):
    """Held-out sequences: the tree stays as it is unless it is to learn; saved or not is the same."""
    old = [drawn(k, 12, 3) for k in range(3)] + [[0, 1, 2]]
    new = [drawn(k, n, 3) for k, n in ((7, 11), (8, 1), (9, 8))]
    old_file, new_file = as_jsonl(tmp_path / "old.jsonl", old), as_jsonl(tmp_path / "new.jsonl", new)
    A, first = (4, 3) if start == "begin" else (3, start and int(start))
    tree = Tree(A, 2, default_beta(A))
    expected(tree, old, math.inf, start=first)
    options = (["--start", start] if start else [])
    also = ["--learn"] if learn else []
    answer = score(new_file, "--train-file", old_file, "--depth", 2, *options, *also)
    agrees(answer, *expected(tree, new, 0, learns=learn, start=first))
    model = imitate(tmp_path / "out", old_file, "--depth", 2, *options)
    assert score(new_file, "--model", model, *also) == answer


def test_long_sequences_come_in_pieces(tmp_path):
    """50,000 symbols are several readings; a tree that stays as it is then predicts from its counts alone."""
    rng = random.Random(3)
    old, new = [[rng.choice("aab") for _ in range(n)] for n in (300, 50000)]
    (tmp_path / "old").write_text("".join(old))
    (tmp_path / "new").write_text("".join(new))
    model = imitate(tmp_path / "out", tmp_path / "old", "--depth", 1, "--beta", 1e-300)
    answer = score(tmp_path / "new", "--model", model)
    p = {}
    for before in "ab":
        after = [y for x, y in zip(old, old[1:]) if x == before]
        p[before] = {x: (after.count(x) + .5) / (len(after) + 1) for x in "ab"}
    losses = [-math.log(p[x][y]) for x, y in zip(new, new[1:])]
    errors = [y != max("ab", key=lambda z: p[x][z]) for x, y in zip(new, new[1:])]
    agrees(answer, losses, errors, [p[new[-1]][x] for x in "ab"])


def test_comparison(tmp_path):
    """The standard error, over sequences as units, from the losses of each symbol."""
    old = as_jsonl(tmp_path / "old.jsonl", [drawn(k, 30, 3) for k in range(8)])
    new = as_jsonl(tmp_path / "new.jsonl", [drawn(100 + k, 10 + k, 3) for k in range(6)])
    models = [imitate(tmp_path / str(D), old, "--depth", D) for D in (2, 0)]
    table = tmp_path / "each.tsv"
    answer = score(new, "--model", models[0], "--against", models[1], "--each", table)
    heading, *rows = [line.split("\t") for line in table.read_text().splitlines()]
    assert heading == ["sequence", "position", "symbol", "loss_nats", "error", "against_loss_nats", "against_error"]
    assert [(int(r[0]), int(r[1])) for r in rows] == [(k + 1, i + 1) for k in range(6) for i in range(2, 10 + k)]
    assert [int(r[2]) for r in rows] == [x for k in range(6) for x in drawn(100 + k, 10 + k, 3)[2:]]
    a, b = ([float(r[column]) for r in rows] for column in (3, 5))
    n, units = len(rows), {}
    for row, x, y in zip(rows, a, b):
        units.setdefault(row[0], []).append(x - y)
    mean = (math.fsum(a) - math.fsum(b)) / n
    squares = math.fsum((math.fsum(u) - mean * len(u)) ** 2 for u in units.values())
    assert answer["log_loss_nats"] == pytest.approx(math.fsum(a) / n, rel=1e-13)
    assert answer["against"]["log_loss_nats"] == pytest.approx(math.fsum(b) / n, rel=1e-13)
    assert answer["against"]["zero_one_loss"] == pytest.approx(sum(r[6] == "1" for r in rows) / n, rel=1e-15)
    assert answer["difference_nats"] == pytest.approx(mean, rel=1e-12)
    assert answer["standard_error_nats"] == pytest.approx(math.sqrt(6 / 5 * squares) / n, rel=1e-10)
    assert answer["units"] == 6
    alone = score(new, "--model", models[1])  # counts two symbols more of each sequence
    assert alone["scored"] == n + 12
    swapped = score(new, "--model", models[1], "--against", models[0])
    assert swapped["difference_nats"] == pytest.approx(-mean, rel=1e-12)
    assert swapped["standard_error_nats"] == pytest.approx(answer["standard_error_nats"], rel=1e-12)


def test_comparison_within_one_sequence(tmp_path):
    text = tmp_path / "text"
    text.write_text(as_text(drawn(5, 400, 3)))
    model, table = imitate(tmp_path / "out", text, "--depth", 1), tmp_path / "each"
    answer = score(text, "--depth", 2, "--against", model, "--each", table)
    rows = [line.split("\t") for line in table.read_text().splitlines()[1:]]
    d = [float(r[3]) - float(r[5]) for r in rows]
    mean = math.fsum(d) / len(d)
    deviation = math.sqrt(math.fsum((x - mean) ** 2 for x in d) / (len(d) - 1))
    assert answer["units"] == len(d) == 398
    assert answer["difference_nats"] == pytest.approx(mean, rel=1e-11)
    assert answer["standard_error_nats"] == pytest.approx(deviation / math.sqrt(len(d)), rel=1e-10)


@pytest.mark.parametrize("switching", [[], ["--switching"]])
def test_bytes(tmp_path, switching):
    """The chain rule: the losses of a file are those of its first half, and of the rest where the first half does not count."""
    rng = random.Random(1)
    data = bytes(rng.choice(b"the cat sat on the mat\x00\xff\n") for _ in range(3000))
    file = tmp_path / "data"
    file.write_bytes(data)
    half = tmp_path / "half"
    half.write_bytes(data[:1000])
    whole, first, rest = score(file, "--bytes", *switching), score(half, "--bytes", *switching), score(
        file, "--bytes", "--train", 1000, *switching)
    assert list(whole) == ["log_loss_nats", "bits_per_symbol", "next", "scored", "symbols", "sequences"]
    assert (whole["scored"], first["scored"], rest["scored"]) == (3000, 1000, 2000)
    parts = 1000 * first["log_loss_nats"] + 2000 * rest["log_loss_nats"]
    assert 3000 * whole["log_loss_nats"] == pytest.approx(parts, rel=1e-12)
    assert len(first["next"]) == 256 and math.fsum(first["next"]) == pytest.approx(1, abs=1e-12)
    longer = tmp_path / "longer"
    longer.write_bytes(data[:1001])
    loss = 1001 * score(longer, "--bytes", *switching)["log_loss_nats"] - 1000 * first["log_loss_nats"]
    assert loss == pytest.approx(-math.log(first["next"][data[1000]]), rel=1e-9)
    assert whole["bits_per_symbol"] < 8


def test_output_for_people(tmp_path):
    result = run("-", "--depth", 2, "--beta", .5, "--train", 7, text="10100100")
    assert result.stdout == (
        "1 of 8 symbols count, in 1 sequence\n"
        "\n"
        "                                nats/symbol    bits/symbol     errors\n"
        "the tree                           {:.6f}       {:.6f}     {:.4f}\n"
        "\n"
        "next:  1 0.5286  0 0.4714\n").format(*last_of_published())
    file = tmp_path / "bytes"
    file.write_bytes(b"abc")
    lines = run(file, "--bytes").stdout.splitlines()
    assert lines[0] == "3 of 3 symbols count, in 1 sequence" and lines[3].startswith("bytes  ")


def last_of_published():
    losses, errors, _ = expected(Tree(2, 2, Fraction(1, 2)), [[1, 0, 1, 0, 0, 1, 0, 0]], 7)
    return losses[0], losses[0] / math.log(2), errors[0]


@pytest.mark.parametrize("arguments, message", [
    ([], "expected a FILE, or - for stdin"),
    (["-"], "expected one of --depth D, --model M.mn and --bytes"),
    (["-", "--depth", "1", "--model", "m"], "expected one of --depth D, --model M.mn and --bytes"),
    (["-", "--bytes", "--model", "m"], "expected one of --depth D, --model M.mn and --bytes"),
    (["-", "--depth", "-1"], "--depth: expected 0 to 1024"),
    (["-", "--depth", "1", "--beta", "1"], "--beta: expected 0 < beta < 1, got 1"),
    (["-", "--depth", "1", "--train", "-1"], "--train: expected at least 0"),
    (["-", "--depth", "1", "--learn"], "--learn is for trained trees: --depth by itself learns always"),
    (["-", "--depth", "1", "--switching"], "--switching is of --bytes"),
    (["-", "--model", "m", "--start", "x"], "--model has its own beta, start, alphabet and training"),
    (["-", "--bytes", "--beta", ".5"], "--bytes goes with --depth, --switching, --train and --each only"),
    (["-", "--depth", "1", "--format", "csv"],
     "--format: expected auto, characters, tokens, transcripts or bytes, got 'csv'"),
])
def test_wrong_use(arguments, message):
    result = run(*arguments, text="0110")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"mightnt score: {message}; see mightnt help score\n"


def test_bad_input(tmp_path):
    def fails(status, message, *arguments, text="0110"):
        result = run(*arguments, text=text)
        assert (result.returncode, result.stdout, result.stderr) == (status, "", f"mightnt: {message}\n")

    fails(3, "stdin: no symbols: expected at least one", "-", "--depth", 1, text="")
    fails(3, "stdin: no symbol counts: of 4, none is after --train 4 with 1 before it in its sequence", "-", "--depth", 1,
          "--train", 4)
    fails(3, "stdin: no symbol counts: of 4, none is after --train 0 with 9 before it in its sequence", "-", "--depth", 9)
    fails(3, 'stdin:1:3: "1" is not in the alphabet of 2 symbols: 0 2', "-", "--depth", 1, "--alphabet", "02", text="001")
    fails(4, "/nowhere/x: cannot be opened: No such file or directory", "/nowhere/x", "--depth", 1)
    fails(4, "/nowhere/x: cannot be opened: No such file or directory", "-", "--depth", 1, "--each", "/nowhere/x")
    text = tmp_path / "text"
    text.write_text("0110100110010110")
    model = imitate(tmp_path / "out", text, "--depth", 1)
    fails(3, 'stdin:1:2: "2" is not in the alphabet of 2 symbols: 0 1', "-", "--model", model, text="020")
    other = tmp_path / "other"
    other.write_text("0110120110210")
    fails(3, f"{model}: another alphabet: its symbol 3 is not there, here it is 2", other, "--depth", 1, "--alphabet", "012",
          "--against", model)
    data = bytearray(model.read_bytes())
    for at in range(0, len(data), 7):
        data[at] ^= 16
        model.write_bytes(data)
        result = run(text, "--model", model)
        assert result.returncode == 3 and result.stderr.startswith(f"mightnt: {model}: ") and not result.stdout
        data[at] ^= 16
    model.write_bytes(data[:-1])
    fails(3, f"{model}: damaged: shorter or longer than it was saved", text, "--model", model)
    with open("/dev/full", "w") as full:
        result = subprocess.run([PROGRAM, "score", str(text), "--depth", "1"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert result.returncode == 4
    fails(4, "/dev/full: cannot be written: No space left on device", text, "--depth", 1, "--each", "/dev/full")


def test_the_page_says_what_its_commands_print(tmp_path):
    """docs/score.md, command by command."""
    root = pathlib.Path(__file__).resolve().parent.parent
    page = (root / "docs" / "score.md").read_text()
    (tmp_path / "lessons.jsonl").write_text((root / "examples" / "lessons.jsonl").read_text())
    environment = {**os.environ, "PATH": f"{pathlib.Path(PROGRAM).resolve().parent}:{os.environ['PATH']}"}
    commands = re.findall(r"^\$ (.*)\n((?:(?!```|\$ ).*\n)*)", "\n".join(re.findall(r"```console\n(.*?```)", page, re.S)), re.M)
    assert len(commands) == page.count("\n$ ") == 7
    for command, printed in commands:
        result = subprocess.run(["sh", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True,
                                timeout=60)
        assert (result.returncode, result.stderr, result.stdout) == (0, "", printed), command
