"""The demo's first chapter: its five lines and its page against what `mightnt plan` says when it is asked for each figure by itself,
and against the shapes that the theory asks for."""
import html.parser
import json
import os
import re
import subprocess

import pytest

PROGRAM = os.environ.get("MIGHTNT", "build/mightnt")
SIZES = [20, 200, 2000, 20000]
WARY = {"alpha": "1e-4", "leaf_alpha": .01}


def demo(out, *arguments, **more):
    return subprocess.run([PROGRAM, "demo", "--classroom", "-o", out, *arguments], capture_output=True, text=True, timeout=300, **more)


def plan(budgets, **keys):
    sets = {"demonstration_turns": 16, "depth": 2, "turns": 20, "switch": "true", "budgets": budgets} | keys
    words = [word for key, value in sets.items() for word in ("--set", f"{key}={value}")]
    out = subprocess.run([PROGRAM, "plan", *words, "--json", "--per-turn"], capture_output=True, text=True, timeout=300, check=True)
    return [json.loads(line) for line in out.stdout.splitlines()]


class Page(html.parser.HTMLParser):
    VOID = {"meta", "br", "hr"}

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.text, self.rows, self.turns = [], [], [], "", [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.links += [value for key, value in attributes.items() if key in ("href", "src", "xlink:href")]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "article":
            self.turns.append([])
        if "turn" in attributes.get("class", "").split():
            self.turns[-1].append("")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.links += [value for key, value in attributes if key in ("href", "src", "xlink:href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.text += data
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data
        if "article" in self.open and self.turns[-1] and "div" in self.open:
            self.turns[-1][-1] += data


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    out = demo(folder / "one", "--threads", "1")
    assert (out.returncode, out.stderr) == (0, "")
    return folder, out.stdout, Page((folder / "one" / "classroom.html").read_text())


@pytest.fixture(scope="module")
def plans():
    return {wary: [plan("[0,5]", demonstrations=k, **(WARY if wary else {})) for k in SIZES] for wary in (False, True)}


def table(told, name):
    """Lines of a chart's file: lists of points."""
    text = (told[0] / "one" / "classroom-data" / f"{name}.tsv").read_text().split("\n", 1)[1]
    return [[tuple(map(float, row.split("\t"))) for row in part.splitlines() if row and row[0] != "#"] for part in text.split("\n\n\n")]


def close(xs, ys):
    assert len(xs) == len(ys) and all(abs(x - y) <= 1e-8 * max(1, abs(y)) for x, y in zip(xs, ys)), (xs, ys)


def after(answer, column, first=16, last=20):
    return sum(row[column] for row in answer["per_turn"][first:last])


def test_two_threads_write_the_same_bytes(told):
    folder, said, _ = told
    out = demo(folder / "two", "--threads", "2")
    assert out.stdout == said.replace(str(folder / "one"), str(folder / "two"))
    names = sorted(path.relative_to(folder / "one") for path in (folder / "one").rglob("*") if path.is_file())
    assert len(names) == 7
    for name in names:
        assert (folder / "one" / name).read_bytes() == (folder / "two" / name).read_bytes()


def test_five_lines_in_eighty_columns(told):
    lines = told[1].splitlines()
    assert all(len(line) <= 80 for line in lines if not line.startswith("page"))
    assert [line[0] for line in lines if re.match(r"\d  \S", line)] == list("12345")
    assert lines[-1] == f"page     {told[0]}/one/classroom.html"


def test_the_figures_of_the_lines_are_the_planners(told, plans):
    said = [" ".join(part.split()) for part in re.split(r"\n\d  ", told[1])]
    idle, spent = ([answers[i] for answers in plans[False]] for i in (0, 1))
    wary_idle, wary = ([answers[i] for answers in plans[True]] for i in (0, 1))

    def has(line, text):
        assert text in said[line], (said[line], text)

    def many(xs):
        return ", ".join(f"{x:.1f}" for x in xs)

    has(1, f"lessons {idle[1]['value']:.3f}; {idle[1]['kl_demonstrator_nats']:.1f} nats")
    has(2, f"Reward {spent[1]['value']:.3f}; 5.00 nats from the imitator")
    has(3, f"is {spent[1]['kl_demonstrator_nats']:.1f} nats from the teacher, {after(spent[1], 1):.1f} of them after exchange 16")
    has(3, f"The price: {after(spent[1], 0, 16, 18):.1f} nats in exchanges 17 and 18, then {after(spent[1], 0, 18) / 2:.1f} an")
    has(3, "learn from: " + many(a["kl_demonstrator_nats"] for a in spent) + " nats from the teacher")
    shut, = plan("[5]", switch="false")
    tvd, = plan("[.1]", switch="false", regularizer="tvd")
    has(3, f"let {shut['kl_demonstrator_nats']:.1f} through (reward {shut['value']:.3f}), a total variation of 0.1 a move "
           f"{tvd['kl_demonstrator_nats']:.1f}, for less reward ({tvd['value']:.3f})")
    has(4, f"5.00 nats from the pessimist let {wary[1]['kl_demonstrator_nats']:.1f} nats through, {after(wary[1], 1):.1f} of them")
    has(4, f"and {wary[1]['help_slack_nats']:.1f} for the help asked for); reward {wary[1]['value']:.3f}")
    brief = [[plan("[10]", demonstrations=k, turns=16, switch="false", **more)[0]["kl_demonstrator_nats"] for k in SIZES[1:]]
             for more in ({}, {"alpha": .1, "leaf_alpha": .01})]
    has(4, f"imitator let {many(brief[0])} through; from the pessimist (alpha 0.1) {many(brief[1])}.")
    has(5, f"asks in {many(after(a, 3, 0, 16) for a in wary_idle)} of the first 16")
    has(5, f"The agent asks in {after(wary[1], 3, 0, 16):.1f} of these, and after exchange 16 in {after(wary[1], 3):.1f} of 4.")


def test_the_charts_numbers_are_the_planners(told, plans):
    budgets = [0, .5, 1, 2, 3, 5, 7, 10, 14, 20]
    for i, more in enumerate(({}, WARY)):
        answers = plan(json.dumps(budgets), **more)
        base, teacher = table(told, "frontier-base")[i], table(told, "frontier-teacher")[i]
        close([x for x, _ in base], [a["kl_base_nats"] for a in answers])
        close([x for x, _ in teacher], [a["kl_demonstrator_nats"] for a in answers])
        close([y for _, y in base], [a["value"] for a in answers])
        close([y for _, y in teacher], [a["value"] for a in answers])
        spent = answers[budgets.index(5)]["per_turn"]
        lines = table(told, "exchanges-pessimist" if i else "exchanges-imitator")
        for line, column in zip(lines, (0, 1, 3)):
            assert [x for x, _ in line] == list(range(1, 21))
            close([y for _, y in line], [row[column] for row in spent])
    for i, wary in enumerate((False, True)):
        close([y for _, y in table(told, "more-data")[i]], [a[1]["kl_demonstrator_nats"] for a in plans[wary]])
    shown, never = table(told, "help")
    close([y for _, y in shown], [after(a[0], 3, 0, 16) for a in plans[True]])
    close([y for _, y in never], [after(a[0], 3) for a in plans[True]])


def test_they_have_the_shapes_that_the_theory_asks_for(told):
    spent, through = table(told, "exchanges-imitator")
    most = max(range(20), key=lambda t: spent[t][1])
    assert most == 16 and spent[16][1] > 10 * max(y for _, y in spent[:16]) and spent[19][1] < .1
    assert abs(sum(y for _, y in spent) - 5) < 20 * 5e-9  # each is written with nine digits
    assert 25 < sum(y for _, y in through) < 40 and sum(y for _, y in through[16:]) > .9 * sum(y for _, y in through)
    imitator, pessimist, budget = table(told, "more-data")
    assert [x for x, _ in imitator] == SIZES and all(y == 5 for _, y in budget)
    assert max(y for _, y in imitator[1:]) < 1.02 * min(y for _, y in imitator[1:]) and all(y < 5 for _, y in pessimist)
    _, wary, asked = table(told, "exchanges-pessimist")
    lost = 1e-4 / .5  # Ville: how probably the demonstrator's own moves evict the imitator, of prior weight 1/2
    assert all(y < lost for _, y in wary[16:]) and all(y > 1 - lost for _, y in asked[16:])
    shown, never = table(told, "help")
    assert all(b < .5 * a + 1e-9 for (_, a), (_, b) in zip(shown, shown[1:])) and all(4 - 4 * lost < y < 4 + 1e-9 for _, y in never)


def test_one_self_contained_page(told):
    page = told[2]
    assert set(page.links) == {"#gpPt6"} and len(page.ids) == len(set(page.ids))
    assert {f"chart-{name}" for name in ("frontier-base", "frontier-teacher", "exchanges-imitator", "exchanges-pessimist", "more-data",
                                         "help")} <= set(page.ids)
    said = " ".join(told[1].split())
    for sentence in re.findall(r"[^.]{30,}\.", " ".join(page.text.split("The claim in five lines")[1].split("Written by")[0].split())):
        assert sentence.strip() in said, sentence


def test_the_tables_rows(told, plans):
    answers = [plans[wary][1][i] for wary in (False, True) for i in (0, 1)]
    for row, a in zip(told[2].rows[1:5], answers):
        assert row[1:] == [f"{a['value']:.3f}", f"{a['kl_base_nats']:.2f}", f"{a['kl_demonstrator_nats']:.1f}", f"{after(a, 1):.1f}",
                           f"{after(a, 3, 0, 16):.1f}", f"{after(a, 3):.1f}"]


def test_lessons_side_by_side(told):
    normal, flatterer, asker = told[2].turns
    for lesson in (normal, flatterer, asker):
        assert len(lesson) == 40 and all(turn.startswith("student") for turn in lesson[1::2])
    praise = re.compile("brilliant|Wonderful|clever")
    assert all(praise.search(turn) for turn in flatterer[32::2]) and not all(praise.search(turn) for turn in flatterer[:32:2])
    assert all("asked for help: the teacher" in turn for turn in asker[32::2])
    assert not any("asked for help" in turn for turn in normal + flatterer)
    assert not all(praise.search(turn) for turn in normal[32::2])


def test_what_cannot_be_written_or_drawn_is_one_line(tmp_path):
    out = demo(tmp_path / "none" / "demo")
    assert out.returncode == 4 and out.stderr == f"mightnt: {tmp_path}/none/demo: cannot be made: No such file or directory\n"
    (tmp_path / "file").write_text("")
    assert demo(tmp_path / "file").returncode == 4
    out = demo("x" * 5000)
    assert out.returncode == 2 and "--out: the path is too long" in out.stderr
    out = demo(tmp_path / "demo", env={**os.environ, "PATH": str(tmp_path)})
    assert (out.returncode, out.stderr) == (4, "mightnt: gnuplot, which draws the charts, is not installed\n")
    assert not (tmp_path / "demo" / "classroom.html").exists()
