"""Training from the command line, on a small table world: it learns within its budget, its log stands an audit and no changed
digit does, it goes on after a kill to the same bytes, and whatever goes wrong ends in one line."""
import json
import os
import random
import shutil
import signal
import subprocess
import time

import pytest

MIGHTNT = os.path.abspath(os.environ.get("MIGHTNT", "build/mightnt"))
SYMBOLS = [" a", " good", "\n", "\n\nTeacher:", "\n\nStudent:", " great", " bad"]


def table():
    """A student who answers ` great` to ` good`, and mostly ` bad` to anything else."""
    size = len(SYMBOLS) + 1
    rows = [None] * size**2

    def row(**p):
        return [p.get("p%d" % a, 0.0) for a in range(len(SYMBOLS))]

    for last in range(-1, size - 1):
        for before in range(-1, size - 1):
            if last == 3:
                r = row(p0=0.90, p1=0.05, p2=0.05)
            elif last == 4:
                r = row(p5=0.9, p6=0.1) if before == 1 else row(p5=0.3, p6=0.7)
            elif last in (5, 6):
                r = row(p2=1.0)
            else:
                r = row(p0=0.45, p1=0.05, p2=0.5)
            rows[(last + 1) + size * (before + 1)] = r
    return {"symbols": SYMBOLS, "depth": 2, "rows": rows}


def run(*args, timeout=120, **kw):
    return subprocess.run([MIGHTNT, *map(str, args)], capture_output=True, text=True, timeout=timeout, **kw)


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train")
    (folder / "table.json").write_text(json.dumps(table()))
    path = folder / "config.yaml"
    path.write_text(
        """
steps: 30
episodes: 32
base_episodes: 64
log_every: 10
model: {type: table, path: table.json}
world: {tokens: 24}
regularizer: {budget_nats: 6}
"""
    )
    return path


@pytest.fixture(scope="module")
def trained(config):
    out = config.parent / "trained"
    result = run("train", config, "-o", out)
    assert result.returncode == 0, result.stderr
    return out


def lines(path):
    return [json.loads(line) for line in open(path)]


def one_error(result, status, *words):
    assert result.returncode == status, result.stderr
    errors = [line for line in result.stderr.splitlines() if line]
    assert len(errors) == 1 and errors[0].startswith("mightnt"), result.stderr
    for word in words:
        assert word in errors[0], result.stderr
    return errors[0]


# ---- what a run leaves ----


def test_starts_at_the_base_and_learns_within_the_budget(trained):
    steps = lines(trained / "steps.jsonl")
    assert [s["step"] for s in steps] == list(range(31))
    assert steps[0]["nats"] == 0 and steps[0]["nats_max"] == 0
    assert all(s["nats_max"] <= s["budget_nats"] == 6 for s in steps)
    last = [s["return"] for s in steps[-3:]]
    assert sum(last) / 3 > steps[0]["return"] + 4 * steps[0]["return_se"]


def test_episodes_add_up(trained):
    for e in lines(trained / "episodes.jsonl"):
        columns = ["speaker", "token", "text", "lp_policy", "lp_base", "nats", "help_mass"]
        assert {len(e[c]) for c in columns} == {24}
        assert abs(sum(e["nats"]) - e["spent_nats"]) <= 1e-9 and e["spent_nats"] <= e["budget_nats"]
        assert all(n == 0 for n, who in zip(e["nats"], e["speaker"]) if who == "student")
        assert all(lp == base for lp, base, who in zip(e["lp_policy"], e["lp_base"], e["speaker"]) if who == "student")
        if e["rewards"]:
            assert e["return"] == pytest.approx(sum(r["value"] for r in e["rewards"]) / len(e["rewards"]), abs=1e-15)
        else:
            assert e["return"] == 0.5  # VADER's value of an empty reply


def test_base_probabilities_are_the_tables(trained):
    rows, size = table()["rows"], len(SYMBOLS) + 1
    import math

    for e in lines(trained / "episodes.jsonl"):
        context, speaker = [3], "teacher"
        for who, token, lp in zip(e["speaker"], e["token"], e["lp_base"]):
            assert who == speaker
            last, before = context[-1], context[-2] if len(context) > 1 else -1
            assert lp == pytest.approx(math.log(rows[(last + 1) + size * (before + 1)][token]), abs=1e-12)
            if token == 2:
                speaker = "student" if speaker == "teacher" else "teacher"
                context.append(4 if speaker == "student" else 3)
            else:
                context.append(token)


def test_run_json_is_enough_to_repeat_it(trained):
    run_json = json.load(open(trained / "run.json"))
    assert run_json["config"]["regularizer"]["budget_nats"] == 6 and run_json["seed"] == 1
    assert len(run_json["model"]["sha256"]) == 64 and run_json["machine"]["cores"] >= 1


# ---- the same bytes ----


def same_logs(a, b):
    return all((a / name).read_bytes() == (b / name).read_bytes() for name in ("steps.jsonl", "episodes.jsonl"))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_same_bytes_for_any_threads(config, trained, threads):
    out = config.parent / f"threads{threads}"
    assert run("train", config, "-o", out, "--threads", threads).returncode == 0
    assert same_logs(out, trained)


def test_another_seed_is_another_run(config, trained):
    out = config.parent / "seed2"
    assert run("train", config, "-o", out, "--seed", 2, "--set", "steps=1").returncode == 0
    assert not same_logs(out, trained)


def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(config, trained):
    rng = random.Random(1)
    out = config.parent / "killed"
    kills = 0
    process = subprocess.Popen([MIGHTNT, "train", str(config), "-o", str(out)], stdout=subprocess.DEVNULL)
    for _ in range(12):
        try:
            process.wait(timeout=rng.uniform(0.02, 0.25))
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
            if not (out / "run.json").exists():  # killed before it was made
                shutil.rmtree(out, ignore_errors=True)
                process = subprocess.Popen([MIGHTNT, "train", str(config), "-o", str(out)], stdout=subprocess.DEVNULL)
            else:
                process = subprocess.Popen([MIGHTNT, "train", "--resume", str(out)], stdout=subprocess.DEVNULL)
    assert process.wait(timeout=60) == 0
    assert kills >= 2
    assert same_logs(out, trained)
    assert run("audit", out).returncode == 0


def test_interrupt_ends_in_order_and_resumes(config, trained):
    out = config.parent / "interrupted"
    process = subprocess.Popen([MIGHTNT, "train", str(config), "-o", str(out)], stderr=subprocess.PIPE, text=True)
    while not (out / "timing.jsonl").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    stderr = process.communicate(timeout=30)[1]
    assert process.returncode == 130 and "--resume" in stderr
    assert run("train", "--resume", out).returncode == 0
    assert same_logs(out, trained)
    assert run("train", "--resume", out).returncode == 0  # finished: nothing to do
    assert same_logs(out, trained)


def test_a_torn_newest_checkpoint_falls_back_to_the_one_before(config, trained):
    out = config.parent / "torn"
    shutil.copytree(trained, out)
    newest = max(out.glob("checkpoint.*"))
    newest.write_bytes(newest.read_bytes()[:-7])
    assert run("train", "--resume", out).returncode == 0
    assert same_logs(out, trained)


# ---- the audit ----


def test_audit_passes(trained):
    result = run("audit", trained, "--json")
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert answer["differences"] == 0 and answer["same_machine"] and answer["episodes"] == 64 + 3 * 32
    assert abs(answer["z"]) < 4 and answer["worst_spent_share"] <= 1


def change_digit(text, at):
    """Another digit in place of the first one at or after `at`."""
    while not text[at].isdigit():
        at += 1
    return text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :]


@pytest.mark.parametrize("key", ["nats", "lp_base", "lp_policy", "token", "spent_nats", "return", "budget_nats", "value", "seed", "episode"])
def test_audit_finds_one_changed_digit(config, trained, key):
    rng = random.Random(key)
    for trial in range(4):
        out = config.parent / "tampered"
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(trained, out)
        log = (out / "episodes.jsonl").read_text().splitlines()
        number = rng.choice([i for i, line in enumerate(log) if f'"{key}"' in line])
        line = log[number]
        begin = line.index(f'"{key}"') + len(key) + 3
        end = line.index("]", begin) if line[begin:].lstrip().startswith("[") else line.index(",", begin)
        digits = [i for i in range(begin, end) if line[i].isdigit()]
        log[number] = change_digit(line, rng.choice(digits))
        (out / "episodes.jsonl").write_text("\n".join(log) + "\n")
        result = run("audit", out)
        assert result.returncode in (1, 3), (key, log[number][:200])
        if result.returncode == 3:  # the digit made the line unreadable (a leading zero): it must say so with its position
            assert f"episodes.jsonl:{number + 1}" in result.stderr
        elif key in ("nats", "lp_base", "token"):
            assert f"episode {json.loads(line)['episode']}, token " in result.stderr


def test_audit_says_what_it_cannot_check(config, trained):
    out = config.parent / "headless"
    shutil.copytree(trained, out)
    for heads in out.glob("heads.*"):
        heads.unlink()
    result = run("audit", out)
    assert result.returncode == 0 and "not checked" in result.stdout


# ---- what goes wrong ----


@pytest.mark.parametrize(
    "text, words",
    [
        ("steps: many", ["config.yaml:1:8", "steps"]),
        ("stepz: 3", ["config.yaml:1:1", "steps"]),
        ("regularizer: {budget_nats: -1}", ["config.yaml:1:28", "budget_nats"]),
        ("regularizer: {budget_nats: nan}", ["config.yaml:1:28"]),
        ("world: {tokens: 0}", ["config.yaml:1:17"]),
        ("model: {path: nothing.gguf}", ["nothing.gguf"]),
        ("model: {type: table}", ["model.path"]),
        ("world: {transcripts: nothing.jsonl}", ["nothing.jsonl"]),
        ("world: {agent: x, other: x}", ["both roles"]),
        ("reward: {type: command}", ["reward.command"]),
        ("a: [", ["config.yaml:"]),
    ],
)
def test_bad_configurations(tmp_path, text, words):
    (tmp_path / "config.yaml").write_text(text + "\n")
    result = run("train", tmp_path / "config.yaml", "-o", tmp_path / "run")
    assert result.returncode in (3, 4)
    one_error(result, result.returncode, *words)
    assert not (tmp_path / "run").exists()


def test_bad_rows_and_sets(config, tmp_path):
    bad = table()
    bad["rows"][3][0] += 0.5
    (tmp_path / "table.json").write_text(json.dumps(bad))
    one_error(run("train", config, "-o", tmp_path / "run", "--set", f"model.path={tmp_path}/table.json"), 3, "table.json", "row 3")
    one_error(run("train", config, "-o", tmp_path / "run", "--set", "ppo.clip=0"), 3, "ppo.clip")
    one_error(run("train", config, "-o", tmp_path / "run", "--set", "steps"), 3, "KEY=VALUE")
    one_error(run("train", config), 2, "-o DIR")
    assert not (tmp_path / "run").exists()


def test_a_folder_in_use_is_not_touched(config, trained):
    before = sorted((p.name, p.read_bytes()) for p in trained.iterdir() if p.is_file())
    one_error(run("train", config, "-o", trained), 2, "--resume")
    assert before == sorted((p.name, p.read_bytes()) for p in trained.iterdir() if p.is_file())


@pytest.mark.parametrize(
    "command, status, word",
    [
        ("exit 7", 4, "7"),
        ("sleep 60", 4, "0.5"),
        ("while read x; do echo '{\"reward\": nan}'; done", 3, "nan"),
        ("while read x; do echo '{\"reward\": 2}'; done", 3, "2"),
        ("while read x; do echo happy; done", 3, "happy"),
    ],
)
def test_a_failed_reward_stops_the_run(config, tmp_path, command, status, word):
    sets = ["--set", "reward.type=command", "--set", f"reward.command={command}", "--set", "reward.timeout_s=0.5"]
    result = run("train", config, "-o", tmp_path / "run", *sets)
    one_error(result, status, word)


def test_a_command_rewards(config, tmp_path):
    command = """python3 -uc '
import json, sys
for line in sys.stdin:
    turn = json.loads(line)
    print(json.dumps({"reward": 1.0 if "great" in turn["text"] else 0.0}))'"""
    sets = ["--set", "reward.type=command", "--set", f"reward.command={command}", "--set", "steps=2"]
    assert run("train", config, "-o", tmp_path / "run", *sets).returncode == 0
    result = run("audit", tmp_path / "run")
    assert result.returncode == 0 and "outside command" in result.stdout


@pytest.mark.parametrize("kind", ["penalty", "tvd", "chi2", "none"])
def test_the_other_regularisers_train_and_audit(config, tmp_path, kind):
    sets = ["--set", f"regularizer.type={kind}", "--set", "steps=4"]
    if kind == "penalty":
        sets += ["--set", "regularizer.target_nats=2"]
    assert run("train", config, "-o", tmp_path / "run", *sets).returncode == 0
    assert run("audit", tmp_path / "run").returncode == 0
    assert lines(tmp_path / "run" / "episodes.jsonl")[-1]["budget_nats"] == "inf"


def test_openings_from_transcripts(config, tmp_path):
    turns = [{"role": "teacher", "text": "a good"}, {"role": "student", "text": "great"}, {"role": "teacher", "text": "a"}]
    (tmp_path / "t.jsonl").write_text(json.dumps({"turns": turns}) + "\n" + json.dumps({"turns": turns[:2] * 2}) + "\n")
    sets = ["--set", f"world.transcripts={tmp_path}/t.jsonl", "--set", "world.opening_turns=2", "--set", "steps=2"]
    result = run("train", config, "-o", tmp_path / "run", *sets)
    assert result.returncode == 0, result.stderr
    assert run("audit", tmp_path / "run").returncode == 0
    assert {e["opening"] for e in lines(tmp_path / "run" / "episodes.jsonl")} == {1, 2}


def test_another_speaker_may_be_another_model(config, tmp_path):
    """Two tables over the same texts in another order, so that ids must not be mixed up."""

    def constant(symbols, weights):
        return {"symbols": symbols, "depth": 0, "rows": [[weights.get(s, 0.0) for s in symbols]]}

    labels = ["\n\nTeacher:", "\n\nStudent:"]
    base = constant([" a", " good", "\n", " great", " bad"] + labels, {" a": 0.5, " good": 0.1, "\n": 0.4})
    other = constant(labels + [" bad", "\n", " great", " good", " a"], {" bad": 0.3, " great": 0.3, "\n": 0.4})
    (tmp_path / "base.json").write_text(json.dumps(base))
    (tmp_path / "other.json").write_text(json.dumps(other))
    sets = [f"model.path={tmp_path}/base.json", f"speaker.path={tmp_path}/other.json", "speaker.type=table", "steps=2"]
    arguments = [x for s in sets for x in ("--set", s)]
    out = tmp_path / "run"
    result = run("train", config, "-o", out, *arguments)
    assert result.returncode == 0, result.stderr
    assert run("audit", out).returncode == 0
    assert run("train", config, "-o", tmp_path / "one", "--threads", 1, *arguments).returncode == 0
    assert same_logs(out, tmp_path / "one")
    for e in lines(out / "episodes.jsonl"):
        for who, text in zip(e["speaker"], e["text"]):
            assert text in ((" a", " good", "\n") if who == "teacher" else (" bad", " great", "\n"))


def test_a_full_disk_ends_in_one_line_and_can_be_resumed(config, trained, tmp_path):
    """The disk is a tmpfs where we may mount one, else a limit on file sizes, which fails writes the same way."""
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "none", str(small)], capture_output=True).returncode == 0:
        try:
            one_error(run("train", config, "-o", small / "run"), 4, "No space left")
            shutil.copytree(small / "run", tmp_path / "run")
        finally:
            subprocess.run(["umount", str(small)], check=True)
    else:
        limited = f"trap '' XFSZ; ulimit -f 200; exec '{MIGHTNT}' train '{config}' -o '{tmp_path}/run'"
        one_error(subprocess.run(["bash", "-c", limited], capture_output=True, text=True), 4, "File too large")
    assert run("train", "--resume", tmp_path / "run").returncode == 0
    assert same_logs(tmp_path / "run", trained)
