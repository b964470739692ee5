"""The verb budget: exact answers, streaming, messages, exit status."""
import json
import math
import os
import subprocess

import pytest

PROGRAM = os.environ.get("MIGHTNT", "build/mightnt")


def run(rows, *arguments):
    text = "".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows)
    return subprocess.run([PROGRAM, "budget", *arguments], input=text, capture_output=True, text=True, timeout=60)


def answers(rows, *arguments):
    result = run(rows, "--json", *arguments)
    assert result.returncode == 0 and not result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def kl(policy, base):
    return math.fsum(p * math.log(p / q) for p, q in zip(policy, base) if p)


def test_a_row_by_hand():
    """Two symbols and l = 1: the policy is (1, e)/(1 + e) from a fair base."""
    [answer] = answers([{"base": [.5, .5], "scores": [0, 1], "budget_nats": 1}])
    p = math.e / (1 + math.e)
    assert list(answer) == ["lambda", "nats", "policy"]
    assert answer["lambda"] == 1
    assert answer["policy"] == pytest.approx([1 - p, p], rel=1e-15)
    assert answer["nats"] == pytest.approx(kl([1 - p, p], [.5, .5]), rel=1e-13)


def test_the_limit_binds():
    base, scores = [.5, .3, .2], [0, 1, 2]
    [answer] = answers([{"base": base, "scores": scores, "budget_nats": .1}])
    weights = [p * math.exp(answer["lambda"] * z) for p, z in zip(base, scores)]
    assert answer["policy"] == pytest.approx([w / sum(weights) for w in weights], rel=1e-14)
    assert .1 - 1e-13 <= answer["nats"] <= .1 and kl(answer["policy"], base) == pytest.approx(.1, rel=1e-12)


def test_logarithms_and_probabilities_agree():
    base = [.5, .3, .2]
    a, b = answers([{"base": base, "scores": [1, 0, 3], "budget_nats": .2},
                    {"lp_base": [math.log(p) for p in base], "scores": [1, 0, 3], "budget_nats": .2}])
    assert a == b


def test_no_budget_gives_the_base_to_the_digit():
    base = [.1, .2, .7, 0]
    [answer] = answers([{"base": base, "scores": [3, 1, 4, 1], "budget_nats": 0}])
    assert answer == {"lambda": 0, "nats": 0, "policy": base}


def test_help_is_the_last_entry():
    [answer] = answers([{"base": [.5, .3], "help": .2, "scores": [0, 1, 5], "budget_nats": .1}])
    assert len(answer["policy"]) == 3 and answer["policy"][2] > .2
    [plain] = answers([{"base": [.5, .3, .2], "scores": [0, 1, 5], "budget_nats": .1}])
    assert plain == answer


def test_limit_serves_rows_without_a_budget():
    row, own = {"base": [.5, .5], "scores": [0, 9]}, {"base": [.5, .5], "scores": [0, 9], "budget_nats": .1}
    a, b = answers([row, own], "--limit", ".3")
    assert a["nats"] == pytest.approx(.3, rel=1e-12) and b["nats"] == pytest.approx(.1, rel=1e-12)
    [free] = answers([row], "--limit", "inf")
    assert free["lambda"] == 1


def test_infinities_are_strings():
    a, b, c = answers(['{"base": [0.5, 0.5], "scores": [0, "-inf"], "budget_nats": 0.69}\n',
                       '{"base": [0.5, 0.5], "scores": [0, "-inf"], "budget_nats": 0.7}\n',
                       '{"lp_base": [0, "-inf"], "scores": [0, 1], "budget_nats": "inf"}\n'])
    assert a == {"lambda": 0, "nats": 0, "policy": [.5, .5]}
    assert b["lambda"] == 1 and b["policy"] == [1, 0] and b["nats"] == pytest.approx(math.log(2), rel=1e-15)
    assert c["policy"] == [1, 0] and c["nats"] == 0


def test_a_file_and_empty_lines(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('\n{"base": [1], "scores": [2], "budget_nats": 1}\n\n')
    result = subprocess.run([PROGRAM, "budget", str(path), "--json"], capture_output=True, text=True)
    assert (result.returncode, len(result.stdout.splitlines())) == (0, 1)


def test_a_table_for_people():
    result = run([{"base": [.5, .5], "scores": [0, 1], "budget_nats": b} for b in (.01, 0)])
    head, first, second = result.stdout.splitlines()
    assert head.split()[:5] == ["line", "entries", "limit_nats", "nats", "lambda"]
    assert first.split()[:4] == ["1", "2", "0.01", "0.01"] and "1: 0.5 -> 0.57" in first and "0: 0.5 -> 0.4294" in first
    assert second.split() == ["2", "2", "0", "0", "0", "-", "-"]


def test_rows_are_answered_as_they_come():
    program = subprocess.Popen([PROGRAM, "budget", "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for _ in range(3):
        program.stdin.write('{"base": [0.5, 0.5], "scores": [0, 1], "budget_nats": 0.01}\n')
        program.stdin.flush()
        assert json.loads(program.stdout.readline())["lambda"] < 1
    program.stdin.close()
    assert program.wait() == 0


GOOD = '{"base": [0.5, 0.5], "scores": [0, 1], "budget_nats": 1}\n'


@pytest.mark.parametrize("row, message", [
    ('{"base": [0.5, 0.4], "scores": [0, 1], "budget_nats": 1}', "the base sums to 0.9, expected 1"),
    ('{"base": [0.5, 0.3], "help": 0.1, "scores": [0, 1, 2], "budget_nats": 1}', "the base sums to 0.9, expected 1"),
    ('{"base": [1.5, -0.5], "scores": [0, 1], "budget_nats": 1}', "base, entry 0: 1.5 is not a probability"),
    ('{"base": [0.5, 0.5], "help": -0.1, "scores": [0, 1, 2], "budget_nats": 1}', "help: -0.1 is not a probability"),
    ('{"base": [0.5, 0.5], "scores": [0, "inf"], "budget_nats": 1}', "entry 1: the score is +inf"),
    ('{"base": [0.5, 0.5], "scores": ["-inf", "-inf"], "budget_nats": 1}', "every score on the support is -inf"),
    ('{"base": [0.5, 0.5], "scores": [0, "nan"], "budget_nats": 1}', "scores, entry 1: expected a number"),
    ('{"base": [0.5, 0.5], "scores": [0], "budget_nats": 1}', "scores: expected 2 (one for each entry of the base), got 1"),
    ('{"base": [0.5, 0.5], "help": 0, "scores": [0, 1], "budget_nats": 1}',
     "scores: expected 3 (one for each entry of the base, and help), got 2"),
    ('{"base": [], "scores": [], "budget_nats": 1}', "the base has no entries"),
    ('{"base": [0.5, 0.5], "scores": [0, 1], "budget_nats": -1}', "budget_nats: expected at least 0, got -1"),
    ('{"base": [0.5, 0.5], "scores": [0, 1], "budget_nats": "much"}', "budget_nats: expected a number"),
    ('{"base": [0.5, 0.5], "scores": [0, 1]}', "no budget_nats, and no limit for rows without one"),
    ('{"base": [0.5, 0.5], "scores": [0, 1], "budget": 1}', "unknown key budget"),
    ('{"scores": [0, 1], "budget_nats": 1}', "expected either base or lp_base"),
    ('{"base": [1], "lp_base": [0], "scores": [0], "budget_nats": 1}', "expected either base or lp_base"),
    ('{"base": 1, "scores": [0], "budget_nats": 1}', "base: expected a list of numbers"),
    ('{"base": [1], "scores": 0, "budget_nats": 1}', "scores: expected a list of numbers"),
    ('[1, 2]', "expected an object with base and scores"),
])
def test_a_bad_row_is_named_after_the_good_ones_are_answered(row, message):
    result = run([GOOD, GOOD, row + "\n", GOOD], "--json")
    assert (result.returncode, result.stderr) == (3, f"mightnt: stdin:3: {message}\n")
    assert len(result.stdout.splitlines()) == 2


def test_what_is_not_json_is_named_with_its_column():
    result = run([GOOD, '{"base": [0.5, NaN]}\n'], "--json")
    assert result.returncode == 3 and result.stderr.startswith("mightnt: stdin:2:18: not valid JSON: ")


@pytest.mark.parametrize("arguments, status, message", [
    (["--limit", "-1"], 2, "mightnt budget: --limit: expected at least 0, got -1; see mightnt help budget\n"),
    (["--limit", "much"], 2, "mightnt budget: --limit: expected a number, got 'much'; see mightnt help budget\n"),
    (["no/such/file"], 4, "mightnt: no/such/file: cannot be opened: No such file or directory\n"),
])
def test_wrong_use(arguments, status, message):
    result = run([], *arguments)
    assert (result.returncode, result.stdout, result.stderr) == (status, "", message)
