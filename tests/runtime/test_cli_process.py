"""The command line as a process of its own: standard streams, pipes, exit codes and what it loads."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runtime.replay_kit import CAPTURES, EXAMPLES

MODULE = [sys.executable, "-m", "skverdict.runtime.cli"]
# One that there is nothing to say about.
POLICY = EXAMPLES / "hash_redirect.py"
HTTP = CAPTURES / "http1-nginx.pcap"


def run(*arguments: str | Path, content: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*MODULE, *map(str, arguments)], input=content, capture_output=True, check=False)


def test_objects_go_through_standard_streams() -> None:
    built = run("build", "-", "-o", "-", content=POLICY.read_bytes())
    assert (built.returncode, built.stderr) == (0, b"")
    assert built.stdout.startswith(b"\x7fELF")
    text = run("disasm", "-", content=built.stdout)
    assert text.returncode == 0
    assert b"program verdict sk_skb/stream_verdict" in text.stdout


def test_what_a_policy_prints_stays_out_of_the_object() -> None:
    text = b"print('loading')\n" + POLICY.read_bytes()
    built = run("build", "-", "-o", "-", content=text)
    assert (built.returncode, built.stderr) == (0, b"loading\n")
    assert built.stdout.startswith(b"\x7fELF")


def test_captures_come_through_standard_input() -> None:
    done = run("run", POLICY, "--capture", "-", content=HTTP.read_bytes())
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"<stdin> through ")
    assert b"\x1b" not in done.stdout


def test_errors_name_standard_input() -> None:
    done = run("disasm", "-", content=b"junk")
    assert done.returncode == 1
    assert b"<stdin>" in done.stderr


def test_a_reader_that_stops_reading_is_no_traceback() -> None:
    process = subprocess.Popen(
        [*MODULE, "run", POLICY, "--capture", CAPTURES / "memcached-text.pcap", "--trace"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 1


def test_help_that_nobody_reads_is_no_traceback() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*MODULE, "--help"], stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert done.stderr == b""


def test_a_full_device_is_one_error() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*MODULE, "ir", POLICY], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (1, b"skverdict: No space left on device\n")


def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff\xfe.pcap"
    with open(path, "wb") as file:
        file.write(HTTP.read_bytes())
    command = [os.fsencode(part) for part in (*MODULE, "run", POLICY, "--capture")]
    done = subprocess.run([*command, path], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\udcff\\udcfe.pcap through " in done.stdout


def test_a_terminal_gets_tables_and_no_object() -> None:
    main, side = pty.openpty()
    done = subprocess.run([*MODULE, "build", POLICY, "-o", "-"], stdout=side, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert b"terminal" in done.stderr
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    arguments = [*MODULE, "run", EXAMPLES / "port_redirect.py", "--capture", HTTP]
    process = subprocess.Popen(arguments, stdout=side, stderr=subprocess.DEVNULL, env=environment)
    os.close(side)
    shown = b""
    try:
        while part := os.read(main, 65536):
            shown += part
    except OSError:  # the other end is closed
        pass
    os.close(main)
    assert process.wait() == 0
    assert b"\x1b[1m" in shown
    assert "─".encode() in shown
    assert b"258 egress of sock_map_rx[0]" in shown


SHOW_MODULES = """
import sys
from skverdict.runtime.cli import main
code = main(sys.argv[1:])
print(*sys.modules, file=sys.stderr)
sys.exit(code)
"""

HEAVY = {"rich", "lark", "elftools", "importlib.metadata", "skverdict.runtime.simulator", "json"}


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (["--help"], HEAVY | {"llvmlite", "skverdict.dsl.frontend.load", "skverdict.codegen.object_builder"}),
        (["build", str(POLICY), "-o", os.devnull], HEAVY),
        (["run", str(POLICY), "--capture", str(HTTP)], {"rich", "lark", "json"}),
    ],
    ids=["help", "build", "run"],
)
def test_nothing_is_loaded_that_is_not_needed(arguments: list[str], unwanted: set[str]) -> None:
    command = [sys.executable, "-c", SHOW_MODULES, *arguments]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True)
    assert unwanted & set(done.stderr.split()) == set()


def test_the_installed_command_is_the_same() -> None:
    command = Path(sys.executable).with_name("skverdict")
    if not command.exists():
        pytest.skip("the package is not installed beside this interpreter")
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("skverdict ")
