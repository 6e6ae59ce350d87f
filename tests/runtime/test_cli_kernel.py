"""The commands about this machine's kernel, as far as they go without one."""

from __future__ import annotations

import json
import os
import pty
import signal
import sys
import threading
from pathlib import Path

import pytest
from skverdict.runtime.cli import main
from skverdict.runtime.cli.live import as_data, tables, watch
from skverdict.runtime.cli.signals import held_back
from skverdict.runtime.kernel import abilities, inventory, records
from skverdict.runtime.kernel.counters import Counts, ProgramCount
from skverdict.runtime.kernel.inventory import MapState, ProgramState, State
from skverdict.runtime.kernel.libbpf import REFUSAL_VARIABLE
from skverdict.runtime.kernel.results import Results

EXAMPLES = Path(__file__).parents[2] / "examples"
BYPASS = str(EXAMPLES / "local_bypass.py")

COUNTS = Counts(
    [
        ProgramCount("parser", "stream_parser", 6, 600, Results(1, 2, 0, 3)),
        ProgramCount("verdict", "stream_verdict", 5, 1000, Results(0, 2, 3, 0)),
        ProgramCount("fill", "sock_ops", 0, 0, Results(0, 0, 0, 0)),
        ProgramCount("other", "skb_verdict", 1234, 0, None),
    ],
    [MapState("sockets", "sockhash", 2, 2), MapState("records", "ringbuf", None, 4096)],
)


def test_results_are_told_by_what_they_mean() -> None:
    programs, maps = tables(COUNTS)
    assert programs.rows == [
        ("parser", "stream_parser", "6", "100", "refused 1, incomplete 2, message 3"),
        ("verdict", "stream_verdict", "5", "200", "drop 2, pass 3"),
        ("fill", "sock_ops", "0", "-", "-"),
        ("other", "skb_verdict", "1,234", "0", "-"),
    ]
    assert maps.rows == [("sockets", "sockhash", "2 full", "2"), ("records", "ringbuf", "-", "4,096")]


def test_counts_as_data() -> None:
    data = json.loads(json.dumps(as_data(COUNTS)))
    assert data["programs"][1] == {
        "name": "verdict",
        "kind": "stream_verdict",
        "runs": 5,
        "run_time": 1000,
        "results": {"drop": 2, "pass": 3},
    }
    assert data["maps"][1] == {"name": "records", "kind": "ringbuf", "entries": None, "max_entries": 4096}


def test_watching_ends_in_time(capsys: pytest.CaptureFixture[str]) -> None:
    watch(lambda: COUNTS, "lab is attached.", seconds=0, printed=lambda: ["a line"], as_json=False)
    output = capsys.readouterr().out
    assert output.startswith("lab is attached.\na line\nPrograms\n")
    assert "drop 2, pass 3" in output


def test_on_a_terminal_it_changes_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    master, slave = pty.openpty()
    with open(slave, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        watch(lambda: COUNTS, "lab is attached.", seconds=0, printed=lambda: ["[a] line"], as_json=False)
        terminal.flush()
        content = os.read(master, 1 << 16).decode()
    os.close(master)
    assert "[a] line" in content
    assert "drop 2, pass 3" in content
    assert "\x1b[2K" in content  # a line that is written anew


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_watching_ends_by_a_signal_that_interrupts_nothing(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    with held_back():
        signal.pthread_kill(threading.get_ident(), number)
        watch(lambda: COUNTS, "lab is attached.", seconds=None, printed=None, as_json=True)
    assert json.loads(capsys.readouterr().out)["maps"][0]["name"] == "sockets"


def test_this_suite_may_not_attach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(records, "records_folder", lambda: tmp_path)
    assert main(["attach", BYPASS, "--cgroup", "/sys/fs/cgroup"]) == 1
    assert REFUSAL_VARIABLE in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([BYPASS], "which connections is remember for? Say it with --cgroup PATH"),
        ([str(EXAMPLES / "port_redirect.py")], "no sock_ops program puts sockets into the maps: use --pin"),
        ([BYPASS, "--cgroup", "/", "--attach", "none"], "no socket map 'none'"),
        ([BYPASS, "--cgroup", "/", "--attach", "endpoints:none"], "'none' is no program for a map"),
        ([BYPASS, "--seconds", "-1"], "no number of seconds"),
        ([BYPASS, "--seconds", "nan"], "no number of seconds"),
    ],
)
def test_what_cannot_be_attached_is_told(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["attach", *arguments]) == 2
    assert told in capsys.readouterr().err


STATE = State(
    "bypass",
    "running",
    62,
    "/policies/bypass.py",
    "/sys/fs/cgroup/web",
    [MapState("sockets", "sockhash", 3, 1024), MapState("lost", "gone", None, 0)],
    [ProgramState("verdict", True, 5, 1000), ProgramState("gone", False, 0, 0)],
    [],
)


@pytest.fixture
def attached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with one record."""
    (tmp_path / "bypass").mkdir()
    monkeypatch.setattr(records, "records_folder", lambda: tmp_path)
    monkeypatch.setattr("skverdict.runtime.kernel.libbpf.load_library", lambda: None)
    monkeypatch.setattr(inventory, "states", lambda bpf, folder: [STATE])
    return tmp_path


def test_status_is_a_table(attached: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split("  ")[1:3] == ["bypass", "running (process 62)"]
    assert any(line.split() == ["bypass", "verdict", "5", "1,000"] for line in lines)
    assert any(line.split() == ["bypass", "gone", "gone", "-"] for line in lines)
    assert any(line.split() == ["bypass", "sockets", "sockhash", "3", "1,024"] for line in lines)


def test_status_as_json(attached: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--json"]) == 0
    (shown,) = json.loads(capsys.readouterr().out)
    assert (shown["name"], shown["process"], shown["maps"][0]["entries"]) == ("bypass", 62, 3)


def test_a_name_that_is_not_attached(attached: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "other"]) == 1
    assert main(["detach", "other"]) == 1
    assert capsys.readouterr().err == "skverdict: nothing is attached as other\n" * 2
    assert os.listdir(attached) == ["bypass"]


def test_detach_removes_what_it_is_told(attached: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detach"]) == 2
    assert main(["detach", "bypass", "--all"]) == 2
    assert main(["detach", "bypass"]) == 0
    assert os.listdir(attached) == []
    assert capsys.readouterr().out == "bypass: detached\n"


def test_nothing_attached_needs_no_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(records, "records_folder", lambda: tmp_path / "none")
    monkeypatch.setattr("skverdict.runtime.kernel.libbpf.load_library", lambda: None)
    assert main(["status"]) == main(["detach", "--all"]) == 0
    assert capsys.readouterr().out == "nothing is attached\n" * 2


def test_doctor_reads_files_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lack = abilities.Ability("CONFIG_INET", abilities.NO, abilities.NEEDED, "sockets", "not set")
    monkeypatch.setattr(abilities, "abilities", lambda: [lack])
    assert main(["doctor", "--json"]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out) == [lack._asdict()]
    assert captured.err == "skverdict: missing for a live kernel: CONFIG_INET\n"


def test_doctor_does_not_probe_where_it_is_forbidden(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--probe"]) == 1
    assert REFUSAL_VARIABLE in capsys.readouterr().err
