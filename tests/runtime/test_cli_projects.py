"""`new` and `test`: a folder is made whole, what is in it works, and tests run once or at each change."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from skverdict.runtime.cli import main
from skverdict.runtime.cli import new as new_command
from skverdict.runtime.cli.new import TEMPLATES

from tests.runtime.jobs_kit import heed_interrupts

Output = pytest.CaptureFixture[str]
MODULE = [sys.executable, "-m", "skverdict.runtime.cli"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_new_project_works_as_it_is(template: str, folder: Path, capsys: Output) -> None:
    assert main(["new", "gate", "--template", template]) == 0
    printed = capsys.readouterr().out.splitlines()
    files = sorted(str(path) for path in Path("gate").rglob("*") if path.is_file())
    assert sorted(printed) == files
    os.chdir("gate")
    assert main(["check", "gate.py"]) == 0
    assert capsys.readouterr().err == ""
    done = subprocess.run([*MODULE, "test", "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    outcomes = {test["name"]: test["outcome"] for test in json.loads(done.stdout)["tests"]}
    kernel = [name for name, outcome in outcomes.items() if outcome == "skipped"]
    assert [name.rpartition("[")[2] for name in kernel] == ["kernel]"]
    assert len(outcomes) >= 4


def test_the_commands_of_a_new_project_s_readme_and_workflow_are_there(folder: Path, capsys: Output) -> None:
    assert main(["new", "gate"]) == 0
    os.chdir("gate")
    text = Path("README.md").read_text() + Path(".github/workflows/test.yml").read_text()
    lines = re.findall(r"^(?:      - run: )?skverdict (.*?)(?: +#.*)?$", text, re.MULTILINE)
    commands = [line.split() for line in lines]
    assert {words[0] for words in commands} == {"check", "test", "build", "inspect"}
    for words in commands:
        if words[0] != "test":
            assert main(words) == 0, capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "1st", "class", "über", "test_x", "../up"])
def test_a_name_that_is_no_module_s_is_refused(name: str, folder: Path, capsys: Output) -> None:
    assert main(["new", name]) == 2
    assert capsys.readouterr().err == f"skverdict: {name!r} is no name for a Python module that tests are written for\n"


def test_a_name_with_a_dash_is_told_the_one_without(folder: Path, capsys: Output) -> None:
    assert main(["new", "with-dash"]) == 2
    assert capsys.readouterr().err.endswith(" that tests are written for; 'with_dash' is\n")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("kind", ["file", "folder", "dangling link"])
def test_what_is_there_is_not_touched(kind: str, folder: Path, capsys: Output) -> None:
    if kind == "file":
        Path("gate").write_text("mine")
    elif kind == "folder":
        Path("gate").mkdir()
    else:
        Path("gate").symlink_to("nowhere")
    assert main(["new", "gate"]) == 1
    assert capsys.readouterr().err == "skverdict: gate: is there already\n"
    assert [path.name for path in folder.iterdir()] == ["gate"]


def test_a_project_that_cannot_be_written_leaves_nothing(
    folder: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", fail)
    assert main(["new", "gate"]) == 1
    assert capsys.readouterr().err == "skverdict: gate: No space left on device\n"
    assert list(folder.iterdir()) == []


def test_new_as_json(folder: Path, capsys: Output) -> None:
    assert main(["new", "gate", "elsewhere", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["folder"] == "elsewhere"
    assert all(Path("elsewhere", path).is_file() for path in told["files"])


def test_templates_are_those_of_the_package() -> None:
    folder = Path(new_command.__file__).with_name("templates")
    policies = {path.name.removesuffix(".py.template") for path in folder.glob("*.py.template")}
    assert policies == {*TEMPLATES, *(f"test_{name}" for name in TEMPLATES)}


@pytest.mark.parametrize(
    ("text", "own", "code"),
    [
        ("def test_it(): pass\n", 0, 0),
        ("def test_it(): assert 0\n", 1, 1),
        ("def (", 2, 1),
        ("", 5, 5),
    ],
)
def test_exit_codes_are_those_of_the_command_line(text: str, own: int, code: int, folder: Path) -> None:
    Path("test_it.py").write_text(text)
    done = subprocess.run([*MODULE, "test", "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert json.loads(done.stdout)["exit_code"] == own


def test_tests_that_are_not_there_are_a_wrong_command_line(folder: Path) -> None:
    done = subprocess.run([*MODULE, "test", "nothere"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "file or directory not found: nothere" in done.stderr


def test_arguments_behind_dashes_are_for_pytest(folder: Path) -> None:
    Path("test_it.py").write_text("def test_one(): pass\ndef test_two(): pass\n")
    command = [*MODULE, "test", "test_it.py", "--json", "--", "-k", "two"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [test["name"] for test in json.loads(done.stdout)["tests"]] == ["test_it.py::test_two"]


def test_watching_runs_again_at_a_change(folder: Path) -> None:
    Path("test_it.py").write_text("def test_it(): assert 0\n")
    with Path("out").open("wb") as out:
        process = subprocess.Popen(
            [*MODULE, "test", "--watch"], stdout=out, stderr=out, preexec_fn=heed_interrupts
        )
    try:
        _wait_for("1 failed")
        assert Path("out").read_text().count("watching this folder") == 1
        Path("test_it.py").write_text("def test_it(): assert 1\n")
        _wait_for("1 passed")
    finally:
        process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) in (0, 130)


def _wait_for(text: str) -> None:
    end = time.monotonic() + 60
    while f"{text} in" not in (shown := Path("out").read_text()) or not shown.endswith("Ctrl-C\n"):
        assert time.monotonic() < end, shown
        time.sleep(0.05)
