"""Training in the world of a plan: PPO against the exact optimum under the same budget."""
import json
import math
import os
import subprocess

import pytest

MIGHTNT = os.path.abspath(os.environ.get("MIGHTNT", "build/mightnt"))
EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "examples")


def run(*args):
    return subprocess.run([MIGHTNT, *map(str, args)], capture_output=True, text=True, timeout=300)


def lines(path):
    return [json.loads(line) for line in open(path)]


def train(out, *sets, threads=1):
    options = ["--threads", threads]
    for item in sets:
        options += ["--set", item]
    result = run("train", os.path.join(EXAMPLES, "learn-lesson.yaml"), "-o", out, *options)
    assert result.returncode == 0, result.stderr
    return lines(out / "steps.jsonl")


@pytest.fixture(scope="module")
def optimum():
    result = run("plan", os.path.join(EXAMPLES, "lesson.yaml"), "--json")
    assert result.returncode == 0, result.stderr
    return {row["budget"]: row for row in map(json.loads, result.stdout.splitlines())}


@pytest.mark.parametrize("budget", [2, 10])
def test_learns_most_of_what_the_budget_allows(tmp_path, optimum, budget):
    """A quarter of the example's episodes, so that the sanitizers get through: docs/planning.md has what all of them come to."""
    steps = train(tmp_path / "run", "regularizer.budget_nats=%d" % budget, "steps=60", "episodes=512", threads=2)
    base, best = optimum[0]["value"], optimum[budget]
    assert abs(steps[0]["return"] - base) < 4 * steps[0]["return_se"]
    last = steps[-6:]
    value = sum(s["return"] for s in last) / len(last)
    error = math.sqrt(sum(s["return_se"] ** 2 for s in last)) / len(last)
    assert value - base > 0.9 * (best["value"] - base)
    assert value < best["value_above"] + 4 * error
    assert max(s["nats_max"] for s in steps) <= budget
    assert run("audit", tmp_path / "run").returncode == 0


def test_moves_switches_and_threads(tmp_path):
    """Sixteen moves an episode; a base that learns from them; the same bytes for any number of threads."""
    plan = tmp_path / "plan.yaml"
    plan.write_text("turns: 20\nswitch: true\n")
    sets = ("world.plan=%s" % plan, "steps=3", "episodes=64", "base_episodes=64", "log_every=3")
    for threads in (1, 2):
        train(tmp_path / str(threads), *sets, threads=threads)
        assert run("audit", tmp_path / str(threads)).returncode == 0
    for name in ("steps.jsonl", "episodes.jsonl"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
    for episode in lines(tmp_path / "1" / "episodes.jsonl"):
        assert episode["speaker"] == [0, 1] * 20 or episode["speaker"] == ["teacher", "student"] * 20
        assert len(episode["rewards"]) == 20
        reward = dict(right=0.7, wrong=0.2, confused=0.1, thanks=1, quiet=0.5)
        assert all(mark["value"] == reward[mark["text"]] for mark in episode["rewards"])


def test_other_demonstrations_are_another_run(tmp_path):
    plan = tmp_path / "plan.yaml"
    plan.write_text("turns: 4\n")
    train(tmp_path / "run", "world.plan=%s" % plan, "steps=1", "episodes=8", "base_episodes=8")
    plan.write_text("turns: 4\ndemonstrations: 100\n")
    for verb in (("audit", tmp_path / "run"), ("train", "--resume", tmp_path / "run")):
        result = run(*verb)
        assert result.returncode == 3 and "the plan has changed since this run began" in result.stderr


@pytest.mark.parametrize(
    "text, sets, words",
    [
        ("alpha: 0.1\n", [], "asks for help, which training cannot"),
        ("turn: 4\n", [], "plan.yaml:1:1: unknown key 'turn'"),
        ("turns: 4\n", ["model.path=x.gguf"], "world.plan has its own models"),
    ],
)
def test_refusals(tmp_path, text, sets, words):
    plan = tmp_path / "plan.yaml"
    plan.write_text(text)
    options = [word for item in ["world.plan=%s" % plan, *sets] for word in ("--set", item)]
    result = run("train", "-o", tmp_path / "run", *options)
    assert result.returncode == 3 and words in result.stderr, result.stderr
    assert len(result.stderr.splitlines()) == 1 and not (tmp_path / "run").exists()
