"""`skverdict run` over several captures: order, files and workers that fail, and interrupts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from skverdict.runtime.cli import main

from tests.runtime.capture_files import pcap
from tests.runtime.jobs_kit import PATIENCE, gone, heed_interrupts
from tests.runtime.replay_kit import CAPTURES, EXAMPLES

Output = pytest.CaptureFixture[str]

POLICY = str(EXAMPLES / "hash_redirect.py")
HTTP, MEMCACHED, TLS = (str(CAPTURES / f"{name}.pcap") for name in ("http1-nginx", "memcached-text", "tls-sni"))


def reported(capsys: Output, *arguments: str, code: int = 0) -> dict[str, Any]:
    assert main(["run", POLICY, "--json", "--capture", *arguments]) == code
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return report


def test_captures_are_listed_in_the_order_of_the_arguments(capsys: Output) -> None:
    assert main(["run", POLICY, "--capture", TLS, HTTP, "--capture", MEMCACHED]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[:2] == [
        f"3 captures through {POLICY}, 0 of them failed",
        "packets 176, connections 8, bytes of payload 371,846",
    ]
    at = lines.index("Captures")
    assert [line.split()[0] for line in lines[at + 2 : at + 5]] == [TLS, HTTP, MEMCACHED]
    assert f"{HTTP} 65 4 310,093 309,367 726 0 0 done" in lines


def test_any_number_of_processes_gives_the_same(capsys: Output) -> None:
    files = (MEMCACHED, TLS, HTTP, TLS)
    one = reported(capsys, *files)
    assert reported(capsys, *files, "--jobs", "3") == one
    # No more processes than there is something for.
    assert reported(capsys, *files, "--jobs", "1000000000000") == one


def test_a_report_of_many_is_what_each_gives_alone(capsys: Output) -> None:
    report = reported(capsys, HTTP, TLS)
    alone = reported(capsys, HTTP)
    assert report["captures"][0] == {key: value for key, value in alone.items() if key != "policy"}
    total = report["total"]
    assert total["programs"][1] == {
        "name": "verdict", "kind": "stream_verdict", "runs": 22, "verdicts": {"redirect": 22},
    }  # fmt: skip
    assert total["redirected"] == {"egress": 2618, "ingress": 0}


def test_one_capture_with_jobs_is_a_list_of_one(capsys: Output) -> None:
    report = reported(capsys, HTTP, "--jobs", "1")
    assert [one["capture"]["file"] for one in report["captures"]] == [HTTP]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_bad_files_take_nothing_away_from_good_ones(jobs: str, tmp_path: Path, capsys: Output) -> None:
    cut, empty, missing = (str(tmp_path / name) for name in ("cut.pcap", "empty.pcap", "missing.pcap"))
    Path(cut).write_bytes(Path(HTTP).read_bytes()[:1000])
    Path(empty).write_bytes(pcap([]))
    assert main(["run", POLICY, "--jobs", jobs, "--json", "--capture", HTTP, cut, missing, empty, TLS]) == 1
    printed = capsys.readouterr()
    errors = [
        f"{cut}: byte 964: the file ends inside packet 8: 152 bytes claimed, 36 there",
        f"{missing}: No such file or directory",
        f"{empty}: no TCP payload in 0 packets",
    ]
    assert printed.err.splitlines() == [f"skverdict: {error}" for error in errors]
    report = json.loads(printed.out)
    assert [one.get("error", "") for one in report["captures"]] == ["", *errors, ""]
    assert (report["total"]["captures"], report["total"]["failed"], report["total"]["packets"]) == (5, 3, 118)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--capture", HTTP, "-"], "standard input can be the only capture, without --jobs and --dask"),
        (["--capture", "-", "--jobs", "2"], "standard input can be the only capture, without --jobs and --dask"),
        (
            ["--capture", HTTP, TLS, "--report", "x.html"],
            "--report and --pictures show one capture, without --jobs and --dask",
        ),
    ],
)
def test_what_many_captures_cannot_have(arguments: list[str], error: str, capsys: Output) -> None:
    assert main(["run", POLICY, *arguments]) == 2
    assert capsys.readouterr().err == f"skverdict: {error}\n"


@pytest.mark.parametrize("jobs", ["0", "-1", "many"])
def test_jobs_that_are_no_number(jobs: str, capsys: Output) -> None:
    assert main(["run", POLICY, "--capture", HTTP, f"--jobs={jobs}"]) == 2
    assert f"argument --jobs: invalid number of at least 1 value: '{jobs}'" in capsys.readouterr().err


def test_dask_that_is_not_installed(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "skverdict.runtime.jobs.cluster", raising=False)
    assert main(["run", POLICY, "--capture", HTTP, "--dask", "tcp://127.0.0.1:8786"]) == 1
    assert capsys.readouterr().err == (
        "skverdict: --dask needs distributed, which is not installed: pip install 'skverdict[dask]'\n"
    )


@contextmanager
def replaying(*files: str) -> Iterator[subprocess.Popen[str]]:
    """The command as a process group of its own."""
    command = [sys.executable, "-m", "skverdict.runtime.cli", "run", POLICY, "--jobs", "2", "--json", "--capture"]
    process = subprocess.Popen(
        [*command, *files],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed_interrupts,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def reader_of(pipe: Path, but: int = 0) -> int:
    """The process that reads from a named pipe, another one than `but`: a worker in the middle of its file."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for folder in Path("/proc").glob("[0-9]*/fd"):
            process = int(folder.parent.name)
            if process not in (but, os.getpid()) and str(pipe) in _open_files(folder):
                return process
        time.sleep(0.01)
    raise AssertionError(f"nobody reads {pipe}")


def _open_files(folder: Path) -> list[str]:
    try:
        return [os.readlink(entry) for entry in folder.iterdir()]
    except OSError:
        return []


class Pipe:
    """A named pipe in the place of a capture: who reads it waits for what the test writes."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._end = os.open(path, os.O_RDWR)

    def fill(self, content: bytes) -> None:
        """Let readers have this, and no more."""
        assert os.write(self._end, content) == len(content)
        os.close(self._end)


@pytest.fixture
def pipe(tmp_path: Path) -> Pipe:
    return Pipe(tmp_path / "pipe.pcap")


def test_the_file_of_a_killed_worker_is_replayed_by_another(pipe: Pipe, capsys: Output) -> None:
    with replaying(TLS, str(pipe.path), MEMCACHED) as process:
        killed = reader_of(pipe.path)
        os.kill(killed, signal.SIGKILL)
        reader_of(pipe.path, but=killed)
        pipe.fill(Path(MEMCACHED).read_bytes())
        output, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    report = json.loads(output)
    assert [one["capture"]["file"] for one in report["captures"]] == [TLS, str(pipe.path), MEMCACHED]
    assert report["captures"][1]["connections"] == report["captures"][2]["connections"]


def test_a_file_that_kills_every_worker_is_named_and_the_others_are_reported(pipe: Pipe) -> None:
    with replaying(TLS, str(pipe.path), MEMCACHED) as process:
        killed = 0
        for _ in range(3):
            killed = reader_of(pipe.path, but=killed)
            os.kill(killed, signal.SIGKILL)
        output, errors = process.communicate()
    assert process.returncode == 1
    assert errors == f"skverdict: {pipe.path}: the worker died at each of 3 attempts\n"
    assert ["error" in one for one in json.loads(output)["captures"]] == [False, True, False]


def test_an_interrupt_ends_all_processes_without_a_word(pipe: Pipe) -> None:
    with replaying(TLS, str(pipe.path), MEMCACHED) as process:
        worker = reader_of(pipe.path)
        os.killpg(process.pid, signal.SIGINT)
        assert process.communicate() == ("", "")
    assert process.returncode == 130
    assert gone(worker)
