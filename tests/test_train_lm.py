"""Training on the real language model, as small as it gets: the examples run, the same bytes for any threads, the audit passes bit
for bit and finds a changed digit."""
import json
import os
import subprocess

import pytest

MIGHTNT = os.path.abspath(os.environ.get("MIGHTNT", "build/mightnt"))
EXAMPLES = os.path.join(os.path.dirname(__file__), "..", "examples")
SMALL = ["steps=2", "episodes=6", "base_episodes=4", "log_every=1", "world.tokens=12", "ppo.minibatch=16"]


def run(*args):
    return subprocess.run([MIGHTNT, *map(str, args)], capture_output=True, text=True, timeout=600)


def train(example, out, *args):
    sets = [x for s in SMALL for x in ("--set", s)]
    return run("train", os.path.join(EXAMPLES, example), "-o", out, *sets, *args)


def training_examples():
    """Those that say how to train; the others are plans."""
    for name in sorted(os.listdir(EXAMPLES)):
        if name.endswith(".yaml") and "\nsteps:" in open(os.path.join(EXAMPLES, name)).read():
            yield name


@pytest.mark.parametrize("example", training_examples())
def test_examples_train_to_the_same_bytes_and_pass_the_audit(example, tmp_path):
    for threads in (1, 2):
        result = train(example, tmp_path / f"run{threads}", "--threads", threads)
        assert result.returncode == 0, result.stderr
    for name in ("steps.jsonl", "episodes.jsonl"):
        assert (tmp_path / "run1" / name).read_bytes() == (tmp_path / "run2" / name).read_bytes()
    result = run("audit", tmp_path / "run1", "--json")
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert answer["differences"] == 0 and answer["same_machine"] and answer["unchecked_policy"] == 0

    log = (tmp_path / "run1" / "episodes.jsonl").read_text().splitlines()
    episode = json.loads(log[-1])
    token = episode["token"][3]
    episode["token"][3] = token - 1 if token % 10 else token + 1
    log[-1] = json.dumps(episode)
    (tmp_path / "run1" / "episodes.jsonl").write_text("\n".join(log) + "\n")
    result = run("audit", tmp_path / "run1")
    assert result.returncode == 1 and f"episode {episode['episode']}, token 3: " in result.stderr


def test_openings_are_those_of_the_transcripts(tmp_path):
    assert train("openings.yaml", tmp_path / "run").returncode == 0
    openings = [json.loads(line)["opening"] for line in open(tmp_path / "run" / "episodes.jsonl")]
    assert all(1 <= o <= 8 for o in openings) and len(set(openings)) > 3


def test_the_models_file_is_part_of_the_run(tmp_path):
    """A run whose weights have changed is another run: neither audit nor resume goes on with it."""
    assert train("teacher.yaml", tmp_path / "run").returncode == 0
    path = tmp_path / "run" / "run.json"
    path.write_text(path.read_text().replace('"weights_sha256": "', '"weights_sha256": "0'))
    for verb in (["audit"], ["train", "--resume"]):
        result = run(*verb, tmp_path / "run")
        assert result.returncode == 3 and "has changed since this run began (weights_sha256" in result.stderr
