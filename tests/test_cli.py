"""The program's own frame: verbs, options, help, exit status. Messages are compared exactly."""
import os
import pathlib
import subprocess

import pytest

PROGRAM = os.environ.get("MIGHTNT", "build/mightnt")


def run(*arguments, **more):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=60, **more)


def verbs():
    lines = run("help").stdout.splitlines()
    return [line.split()[0] for line in lines if line.startswith("  ")]


def test_without_a_verb_the_verbs_are_listed():
    assert run().returncode == 0
    assert run().stdout == run("help").stdout == run("--help").stdout
    assert {"help", "version"} <= set(verbs())


@pytest.mark.parametrize("verb", verbs())
def test_every_verb_has_help_with_an_example(verb):
    direct, asked = run(verb, "--help"), run("help", verb)
    assert direct.returncode == asked.returncode == 0
    assert direct.stdout == asked.stdout and not direct.stderr
    assert direct.stdout.startswith(f"mightnt {verb}: ")
    assert f"\nUsage: mightnt {verb}" in direct.stdout
    assert f"mightnt {verb}" in direct.stdout.split("\nExample:\n")[1]
    assert max(map(len, direct.stdout.splitlines())) <= 128


def test_documents_are_up_to_date():
    root = pathlib.Path(__file__).resolve().parent.parent
    readme = (root / "README.md").read_text()
    assert [verb for verb in verbs() if f"\n| `{verb}" not in readme] == []
    written = (root / "docs" / "configuration.md").read_text()
    assert written[written.index("\n- `") + 1:] == run("train", "--keys").stdout  # else paste what --keys prints


def test_version():
    assert run("--version").stdout == run("version").stdout
    assert run("version").stdout.split()[0] == "mightnt"


@pytest.mark.parametrize("arguments, message", [
    (["versoin"], "mightnt: unknown verb 'versoin' (did you mean version?); see mightnt help\n"),
    (["xyzzy"], "mightnt: unknown verb 'xyzzy'; see mightnt help\n"),
    (["help", "xyzzy"], "mightnt: unknown verb 'xyzzy'; see mightnt help\n"),
    (["version", "--hepl"], "mightnt version: unknown option --hepl (did you mean --help?); see mightnt help version\n"),
    (["version", "--xyzzy=1"], "mightnt version: unknown option --xyzzy; see mightnt help version\n"),
    (["version", "-z"], "mightnt version: unknown option -z; see mightnt help version\n"),
    (["version", "more"], "mightnt version: unexpected argument 'more'; see mightnt help version\n"),
    (["version", "--", "--help"], "mightnt version: unexpected argument '--help'; see mightnt help version\n"),
    (["version", "-"], "mightnt version: unexpected argument '-'; see mightnt help version\n"),
])
def test_wrong_use_is_one_line_and_status_2(arguments, message):
    result = run(*arguments)
    assert (result.returncode, result.stdout, result.stderr) == (2, "", message)


def test_output_that_cannot_be_written_is_status_4():
    with open("/dev/full", "w") as full:
        result = subprocess.run([PROGRAM, "help"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert result.returncode == 4
    assert result.stderr == "mightnt: stdout: cannot be written: No space left on device\n"
    read, write = os.pipe()
    os.close(read)
    result = subprocess.run([PROGRAM, "help"], stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert result.returncode == 4
    assert result.stderr == "mightnt: stdout: cannot be written: Broken pipe\n"
