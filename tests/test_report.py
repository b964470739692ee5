"""The page of `mightnt report`: numbers against numpy's, text against hostile transcripts, markup against a parser."""
import hashlib
import html.parser
import json
import math
import os
import re
import subprocess

import numpy as np
import pytest

PROGRAM = os.environ.get("MIGHTNT", "build/mightnt")
HOSTILE = ["</script><script>alert(1)</script>", "\"quoted\" 'text' & <b>", " \U0001f600\ufffd\ufffd", "\x01\x7f\u202e",
           "`rm -rf`", " https://example.org/x", "<!--", "\\", " $PATH %s", "]]>", " two", "\n", ""]
ROLES = ["teacher", "<student>"]


def number(x):
    return "inf" if x == math.inf else float(x)


def episode(rng, n, step, seed, budget, T, bias):
    agent = np.arange(T) // 6 % 2 == 0
    nats = rng.exponential(1, T) ** 2 * agent * (step > 0)
    if math.isfinite(budget) and step:
        nats *= budget * rng.uniform(.85, .999) / nats.sum()
    text = [HOSTILE[rng.integers(len(HOSTILE) - 2)] for _ in range(T)]
    for t in range(5, T, 6):
        text[t] = HOSTILE[-2 + t % 2]
    rewards = [{"t": t, "text": "".join(text[t - 5:t]), "value": float(np.clip(rng.normal(bias, .1), 0, 1))}
               for t in range(11, T, 12)]
    return {"episode": n, "step": step, "seed": seed, "opening": n % 3, "budget_nats": number(budget),
            "spent_nats": float(nats.sum()), "return": float(np.mean([r["value"] for r in rewards])), "help": 0.0,
            "speaker": [ROLES[not a] for a in agent],
            "token": rng.integers(0, 49152, T).tolist(), "text": text, "lp_policy": (-rng.exponential(1, T)).tolist(),
            "lp_base": ["-inf"] + (-rng.exponential(2, T - 1)).tolist(), "nats": nats.tolist(), "help_mass": [0] * T,
            "rewards": rewards}


def make_run(folder, seed=1, budget=10.0, steps=30, planned=None, T=48, log_every=10, **config):
    """A run directory as `train` leaves it; returns its episodes by step."""
    rng = np.random.default_rng([seed, int(min(budget, 1e6) * 100), steps])
    folder.mkdir()
    regularizer = {"type": "budget", "budget_nats": number(budget), "warmup_steps": 5} | config.pop("regularizer", {})
    (folder / "run.json").write_text(json.dumps({
        "version": "0.1.0", "command": "mightnt train </td> \"x\"", "seed": seed, "threads": 2, "roles": ROLES,
        "config": {"seed": seed, "steps": planned or steps, "episodes": 8, "ppo": {"clip": .2, "learning_rate": .001},
                   "world": {"prompt": "Say <hello> & \"goodbye\".\nNow."}, "regularizer": regularizer} | config,
        "model": {"path": "/models/a&b.gguf", "sha256": "0" * 64, "weights": "", "weights_sha256": "ab" * 32},
        "machine": {"cpu": "A <fast> one", "cores": 2, "system": "Linux", "build": "x"}}))
    number_of, played, lines, log = 0, [], [], []
    for step in range(steps + 1):
        now = min(1, step / 5) * budget if math.isfinite(budget) else budget
        episodes = []
        for _ in range(16 if step == 0 else 8):
            episodes.append(episode(rng, number_of, step, seed, now, T, .5 + .012 * min(budget, 20) * min(step, 15) / 15))
            number_of += 1
        values, nats = [e["return"] for e in episodes], [e["spent_nats"] for e in episodes]
        line = {"step": step, "episodes": len(episodes), "tokens": T * len(episodes), "turns": 4, "return": np.mean(values),
                "return_se": np.std(values, ddof=1) / len(values) ** .5, "nats": np.mean(nats), "nats_max": max(nats),
                "budget_nats": number(now), "help": 0, "lambda": .5, "share": .5}
        lines.append(json.dumps(line | ({"grad_norm": .1} if step else {})))
        if step in (0, steps) or step % log_every == 0:
            log += [json.dumps(e) for e in episodes]
        played.append(episodes)
    (folder / "steps.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "episodes.jsonl").write_text("\n".join(log) + "\n")
    (folder / "timing.jsonl").write_text("".join(json.dumps({"step": i, "seconds": 2.0 + i, "tokens_per_s": 1000.0 + i}) + "\n"
                                                 for i in range(steps + 1)))
    return played


def report(*arguments, **more):
    return subprocess.run([PROGRAM, "report", *map(str, arguments)], capture_output=True, text=True, timeout=120, **more)


def page_of(*dirs, out=None):
    result = report(*dirs, *(["-o", out] if out else []))
    assert (result.returncode, result.stderr) == (0, "")
    path = str(out or dirs[0] / "report.html")
    assert result.stdout == path + "\n"
    with open(path, encoding="utf-8") as file:
        return file.read()


class Page(html.parser.HTMLParser):
    """Checks that what is opened is closed, and collects texts by table, article and id."""
    VOID = {"meta", "link", "br"}
    SHAPES = {"path", "rect", "circle", "use", "polygon", "polyline"}

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.stack, self.ids, self.scripts, self.urls, self.cells, self.articles, self.notes = [], [], 0, [], {}, [], []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        for name in attributes:
            assert not name.startswith("on"), name
            if name in ("src", "href", "xlink:href", "action", "data"):
                self.urls.append(attributes[name])
        if "id" in attributes:
            self.ids.append(attributes["id"])
        self.scripts += tag == "script"
        if tag == "table":
            self.table = attributes["id"]
            self.cells[self.table] = []
        if tag == "tr":
            self.cells[self.table].append([])
        if tag in ("td", "th"):
            self.cells[self.table][-1].append("")
        if tag == "article":
            self.articles.append({"text": "", "titles": [], "rewards": []})
        if tag == "span" and "title" in attributes:
            self.articles[-1]["titles"].append(attributes["title"])
        if tag == "span" and attributes.get("class") == "reward":
            self.articles[-1]["rewards"].append("")
        if tag == "li":
            self.notes.append("")
        if tag not in self.VOID:
            self.stack.append((tag, attributes.get("class")))

    def handle_startendtag(self, tag, attributes):
        assert tag in self.SHAPES
        self.handle_starttag(tag, attributes)
        self.stack.pop()

    def handle_endtag(self, tag):
        assert self.stack and self.stack[-1][0] == tag, (tag, self.stack[-3:])
        self.stack.pop()

    def handle_data(self, data):
        tags = [tag for tag, _ in self.stack]
        if "script" in tags or "style" in tags:
            return
        self.text += data
        if "td" in tags or "th" in tags:
            self.cells[self.table][-1][-1] += data
        if "article" in tags:
            self.articles[-1]["text"] += data
        if ("span", "reward") in self.stack:
            self.articles[-1]["rewards"][-1] += data
        if "li" in tags:
            self.notes[-1] += data


def plain(text):
    return text.replace("\u2212", "-").replace("\u202f", "")


def expected(runs, tail):
    """Base, trained, gain (mean, standard error), nats and the most, over several runs of episodes by step."""
    def summary(x):
        return np.mean(x), np.std(x, ddof=1) / len(x) ** .5
    returns = np.array([[np.mean([e["return"] for e in step]) for step in run] for run in runs])
    nats = np.array([[np.mean([e["spent_nats"] for e in step]) for step in run] for run in runs])
    after = returns[:, -tail:].mean(axis=1)
    most = max(e["spent_nats"] for run in runs for step in run for e in step)
    return summary(returns[:, 0]), summary(after), summary(after - returns[:, 0]), nats[:, -tail:].mean(), most


@pytest.fixture(scope="module")
def frontier(tmp_path_factory):
    """Three budgets, three seeds each, given in no order."""
    folder = tmp_path_factory.mktemp("frontier")
    runs = {(b, s): make_run(folder / f"b{b}s{s}", seed=s, budget=b) for b in (20.0, 5.0, 10.0) for s in (1, 2, 3)}
    return folder, runs, page_of(*(folder / f"b{b}s{s}" for b, s in runs), out=folder / "out.html")


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    folder = tmp_path_factory.mktemp("single") / "it's a \"run\" <x>"
    return folder, make_run(folder, T=100), page_of(folder)


def test_one_self_contained_well_formed_page(frontier, single):
    for _, _, text in (frontier, single):
        page = Page(text)
        assert all(url == "#gpPt6" for url in page.urls) and page.urls
        assert len(page.ids) == len(set(page.ids))
        assert "http:" not in text and "//" not in text.replace("https://example.org/x", "")
        assert page.scripts == 1
        assert {"chart-return", "chart-nats", "chart-position", "chart-frontier"} <= set(page.ids)
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text)
        assert "rgb(  0" not in text and "Gnuplot" not in text


def test_hostile_text_stays_text(frontier):
    text = frontier[2]
    page = Page(text)
    for piece in ("</script><script>alert(1)</script>", "\"quoted\" 'text' & <b>", "`rm -rf`", "<!--", "]]>", "\u2401\u2421",
                  "Say <hello> & \"goodbye\".\nNow.", "<student>", "mightnt train </td> \"x\"", "A <fast> one"):
        assert piece in page.text
    assert text.count("<script") == 1 and "<!--" not in text and "<student>" not in text


def test_results_are_numpys(frontier):
    _, runs, text = frontier
    rows = [[plain(c) for c in row] for row in Page(text).cells["results"]]
    groups = [row for row in rows[1:] if not row[0].startswith("seed")]
    assert [row[0] for row in groups] == ["5 nats", "10 nats", "20 nats"]
    for budget, row in zip((5.0, 10.0, 20.0), groups):
        before, after, gain, nats, most = expected([runs[budget, s] for s in (1, 2, 3)], 3)
        assert row[1:] == ["3", "%.3f±%.3f" % before, "%.3f±%.3f" % after, "%.3f±%.3f" % gain, "%.1f" % (gain[0] / gain[1]),
                           "%.2f" % nats, "%.3f" % most, "1020"]
    seeds = [row for row in rows if row[0] == "seed 2"]
    returns = [np.mean([e["return"] for e in step]) for step in runs[10.0, 2]]
    errors = [np.std([e["return"] for e in step], ddof=1) / len(step) ** .5 for step in runs[10.0, 2]]
    assert seeds[1][2:4] == ["%.3f±%.3f" % (returns[0], errors[0]),
                             "%.3f±%.3f" % (np.mean(returns[-3:]), np.linalg.norm(errors[-3:]) / 3)]


def table(path):
    rows = [line.split("\t") for line in path.read_text().splitlines() if line]
    return rows[0], np.array(rows[1:], dtype=float)


def test_chart_data_are_numpys(frontier):
    folder, runs, _ = frontier
    heads, x = table(folder / "out-data" / "return.tsv")
    assert heads == ["group", "step", "return", "low", "high"] and len(x) == 3 * 31
    for i, budget in enumerate((5.0, 10.0, 20.0)):
        returns = np.array([[np.mean([e["return"] for e in step]) for step in runs[budget, s]] for s in (1, 2, 3)])
        error = returns.std(axis=0, ddof=1) / 3 ** .5
        mine = x[x[:, 0] == i + 1]
        mean = returns.mean(axis=0)
        np.testing.assert_allclose(mine[:, 2:], np.stack([mean, mean - error, mean + error], 1), rtol=1e-8)
    heads, x = table(folder / "out-data" / "nats.tsv")
    assert heads == ["group", "step", "nats", "most", "budget"]
    spent = np.array([[[e["spent_nats"] for e in step] for step in runs[10.0, s][1:]] for s in (1, 2, 3)])
    mine = x[(x[:, 0] == 2) & (x[:, 1] > 0)]
    np.testing.assert_allclose(mine[:, 2], spent.mean(axis=(0, 2)), rtol=1e-8)
    np.testing.assert_allclose(mine[:, 3], spent.max(axis=(0, 2)), rtol=1e-8)
    np.testing.assert_allclose(mine[:, 4], [min(1, s / 5) * 10 for s in range(1, 31)])
    heads, x = table(folder / "out-data" / "frontier.tsv")
    for i, budget in enumerate((5.0, 10.0, 20.0)):
        _, after, _, nats, _ = expected([runs[budget, s] for s in (1, 2, 3)], 3)
        np.testing.assert_allclose(x[i, 1:3], [nats, after[0]], rtol=1e-8)
        np.testing.assert_allclose(x[i, 4], after[1], rtol=1e-8)


def test_positions_are_binned_and_sum_to_what_was_spent(single):
    folder, run, _ = single
    heads, x = table(folder / "report-data" / "position.tsv")
    nats = np.array([e["nats"] for e in run[-1]]).mean(axis=0)
    assert heads == ["group", "from", "to", "nats"] and len(x) == 50
    np.testing.assert_allclose(x[:, 3], nats.reshape(50, 2).mean(axis=1), rtol=1e-8)
    assert math.isclose(sum((x[:, 2] - x[:, 1]) * x[:, 3]), np.mean([e["spent_nats"] for e in run[-1]]), rel_tol=1e-7)


def shown(x):
    return "\u2212\u221e" if x == "-inf" else ("%.4f" % x).replace("-", "\u2212")


def test_transcripts_are_the_first_of_base_and_last_step_with_every_agent_token(single):
    _, run, text = single
    articles = [a for a in Page(text).articles if a["text"]]
    assert len(articles) == 16 + 8
    for article, e in zip(articles, [e for pair in zip(run[0][:8], run[-1]) for e in pair] + run[0][8:]):
        head = f"Trained, step {e['step']}" if e["step"] else "Base policy"
        assert f"{head}, episode {e['episode']}return" in article["text"]
        agent = [t for t in range(len(e["token"])) if e["speaker"][t] == "teacher"]
        keys = ("lp_policy", "lp_base", "nats")
        assert article["titles"] == ["  ".join(f"{key} {shown(e[key][t])}" for key in keys) for t in agent]
        assert article["rewards"] == ["reward %.3f" % r["value"] for r in e["rewards"]]


def test_same_inputs_same_bytes(frontier):
    folder, runs, text = frontier
    dirs = [folder / f"b{b}s{s}" for b, s in runs]
    data = {p.name: p.read_bytes() for p in (folder / "out-data").iterdir()}
    (folder / "elsewhere").mkdir()
    environment = {**os.environ, "LC_ALL": "de_DE.UTF-8", "HOME": str(folder), "TZ": "Asia/Tokyo"}
    (folder / ".gnuplot").write_text("set terminal png\n")
    result = report(*dirs, "-o", folder / "elsewhere" / "out.html", env=environment)
    assert result.returncode == 0
    again = (folder / "elsewhere" / "out.html").read_text(encoding="utf-8")
    assert hashlib.sha256(again.encode()).digest() == hashlib.sha256(text.encode()).digest()
    assert data == {p.name: p.read_bytes() for p in (folder / "elsewhere" / "out-data").iterdir()}


def edit(path, line, **change):
    lines = path.read_text().splitlines()
    lines[line] = json.dumps(json.loads(lines[line]) | change)
    path.write_text("\n".join(lines) + "\n")


def notes(tmp_path, *runs):
    dirs = []
    for i, run in enumerate(runs):
        make_run(tmp_path / f"run{i}", **run)
        dirs.append(tmp_path / f"run{i}")
    return dirs, lambda: Page(page_of(*dirs)).notes


def test_notes_tell_what_weakens_the_result(tmp_path):
    (d,), said = notes(tmp_path, dict(steps=4, planned=40))
    text = "\n".join(said())
    assert "run0 is not finished: 4 of 40 steps are done." in text
    assert "Few steps: the last tenth is one step of 4." in text
    assert "One seed: errors are over its episodes" in text
    assert "spent more" not in text and "never bound" not in text


def test_a_budget_that_never_bound_is_told(tmp_path):
    (d,), said = notes(tmp_path, dict(steps=12))
    for line in range(13):
        edit(d / "steps.jsonl", line, nats_max=1.25 * (line > 0))
    assert "The budget never bound: the most that an episode spent is 1.25 of 10.00 nats." in "\n".join(said())


def test_a_torn_log_is_passed_over_and_told(tmp_path):
    (d,), said = notes(tmp_path, dict(steps=12))
    whole = page_of(d)
    lines = (d / "episodes.jsonl").read_bytes()
    (d / "episodes.jsonl").write_bytes(lines + lines[:1000])
    assert "a log ends in the middle of a line" in "\n".join(said())
    assert Page(whole).cells == Page(page_of(d)).cells
    (d / "steps.jsonl").write_bytes((d / "steps.jsonl").read_bytes()[:-20])
    assert "is not finished: 11 of 12" in "\n".join(said())


def test_an_overspent_budget_is_told(tmp_path):
    (d,), said = notes(tmp_path, dict(steps=12))
    edit(d / "steps.jsonl", 5, nats_max=10.000000000000002, budget_nats=10)
    assert "An episode spent more than its budget" in "\n".join(said())


def test_other_worlds_and_settings_are_told_apart(tmp_path):
    dirs, said = notes(tmp_path, dict(steps=12), dict(steps=12, seed=2, world={"prompt": "Other"}),
                       dict(steps=12, seed=2, episodes=9), dict(steps=12, seed=2))
    text = "\n".join(said())
    assert "not on one scale" in text
    rows = Page(page_of(*dirs)).cells["results"]
    groups = [row[0] for row in rows[1:] if not row[0].startswith("seed")]
    assert len(groups) == 3 and len(set(groups)) == 3
    assert any("world.prompt Other" in g for g in groups) and any("episodes 9" in g for g in groups)


def test_without_a_budget_there_is_none_on_the_page(tmp_path):
    dirs, said = notes(tmp_path, dict(steps=12, budget=math.inf), dict(steps=12, budget=math.inf, seed=2, regularizer={
        "type": "penalty", "coefficient": .05, "target_nats": 0}))
    page = Page(page_of(*dirs))
    assert [row[0] for row in page.cells["results"][1:]] == ["no limit", "penalty of 0.05 a nat"]
    assert "never bound" not in "\n".join(page.notes)
    assert "inf" in (dirs[0] / "report-data" / "nats.tsv").read_text()


def test_a_run_that_never_moved(tmp_path):
    make_run(tmp_path / "run", steps=3, budget=0.0)
    for line in range(4):
        edit(tmp_path / "run" / "steps.jsonl", line, **{"return": .5, "return_se": 0})
    page = Page(page_of(tmp_path / "run"))
    row = [plain(cell) for cell in page.cells["results"][1]]
    assert row[:8] == ["0 nats", "1", "0.500±0.000", "0.500±0.000", "0.000±0.000", "0.0", "0.00", "0.000"]
    assert "0.0 standard errors, so no clear change." in page.text and "Return 0.500 \u2192 0.500 within 0 nats" in page.text


def test_the_same_seed_twice_is_told(tmp_path):
    (d,), _ = notes(tmp_path, dict(steps=12))
    assert "The same seed twice" in "\n".join(Page(page_of(d, d)).notes)


@pytest.mark.parametrize("file, line, change, message", [
    ("steps.jsonl", 3, {"return": None}, "steps.jsonl:4: \"return\": expected a finite number"),
    ("steps.jsonl", 4, {"nats": "inf"}, "steps.jsonl:5: \"nats\": expected a finite number"),
    ("steps.jsonl", 4, {"budget_nats": []}, "steps.jsonl:5: \"budget_nats\": expected a number, \"inf\" or \"-inf\""),
    ("steps.jsonl", 3, {"step": 7}, "steps.jsonl:4: \"step\": expected 3, the next, got 7"),
    ("episodes.jsonl", 20, {"nats": [1]}, "episodes.jsonl:21: \"nats\": expected 48 entries, as \"speaker\" has, got 1"),
    ("timing.jsonl", 1, {"seconds": "x"}, "timing.jsonl:2: \"seconds\": expected a finite number"),
    ("run.json", 0, {"roles": ["a", "a"]}, "run.json: \"roles\": expected two different names"),
    ("run.json", 0, {"config": {}}, "run.json: \"config\": expected a whole number \"steps\""),
])
def test_bad_runs_are_named_in_one_line(tmp_path, file, line, change, message):
    make_run(tmp_path / "run", steps=5)
    edit(tmp_path / "run" / file, line, **change)
    result = report(tmp_path / "run")
    assert (result.returncode, result.stdout, result.stderr) == (3, "", f"mightnt: {tmp_path}/run/{message}\n")
    assert not (tmp_path / "run" / "report.html").exists()


def test_what_is_no_run_and_what_has_not_begun(tmp_path):
    result = report(tmp_path)
    assert (result.returncode, result.stderr) == (4, f"mightnt: {tmp_path}: is not a run directory: it has no run.json\n")
    make_run(tmp_path / "run", steps=5)
    (tmp_path / "run" / "steps.jsonl").write_text((tmp_path / "run" / "steps.jsonl").read_text().splitlines()[0] + "\n")
    result = report(tmp_path / "run")
    assert (result.returncode, result.stderr) == (3, f"mightnt: {tmp_path}/run: has no trained step yet: nothing to report\n")
    assert report().returncode == 2


def test_gnuplot_missing_or_failing_is_one_line(tmp_path):
    make_run(tmp_path / "run", steps=5)
    result = report(tmp_path / "run", env={"PATH": str(tmp_path)})
    assert (result.returncode, result.stderr) == (4, "mightnt: gnuplot, which draws the charts, is not installed\n")
    (tmp_path / "gnuplot").write_text("#!/bin/sh\necho no display >&2\nexit 7\n")
    (tmp_path / "gnuplot").chmod(0o755)
    result = report(tmp_path / "run", env={"PATH": str(tmp_path)})
    assert (result.returncode, result.stderr) == (4, "mightnt: gnuplot failed (status 7): no display\n")
    assert not (tmp_path / "run" / "report.html").exists()


def test_a_page_that_cannot_be_written_is_status_4(tmp_path):
    make_run(tmp_path / "run", steps=5)
    result = report(tmp_path / "run", "-o", tmp_path / "none" / "page.html")
    assert result.returncode == 4 and result.stderr.count("\n") == 1
