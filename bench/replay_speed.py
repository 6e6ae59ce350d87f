"""How long `skverdict run` takes for a large capture, and how much memory.

    python -m bench.replay_speed [--megabytes N] [--write docs/performance.md]

The capture is made in the folder for temporary files: 64 connections at a time, each of which sends 256 KiB in segments
of 1448 bytes from a seed, gets short answers, and closes. The policy, `bench/replay_policy.py`, redirects all that the
clients send.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench.engine_speed import machine, write_between
from bench.measure import BenchError
from tests.runtime.capture_files import ACK, FIN, Talk, pcap

POLICY = Path(__file__).with_name("replay_policy.py")
AT_ONCE = 64
CONNECTION = 256 << 10
SEGMENT = 1448
ANSWER = b"understood\n"
BEGIN = "<!-- bench.replay_speed -->"
#: Runs the command, and keeps what the kernel tells of the process in a file. What `wait4` gives counts the memory of
#: the process that started it, too.
_CHILD = """
import runpy, sys
status = sys.argv.pop(1)
try:
    runpy.run_module("skverdict.runtime.cli", run_name="__main__", alter_sys=True)
finally:
    with open("/proc/self/status", "rb") as told, open(status, "wb") as kept:
        kept.write(told.read())
"""
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


class Replayed(NamedTuple):
    """A run of the command: the processor's seconds, the most bytes that it had in memory, and what it reports."""

    seconds: float
    memory: int
    runs: int
    redirected: int


def talk(number: int, content: bytes) -> Iterator[bytes]:
    """The frames of one connection."""
    made = Talk((f"10.0.{number >> 8 & 255}.1", 20000 + number), ("10.1.0.1", 10000)).opened()
    for at in range(0, CONNECTION, SEGMENT):
        made.say("client", at, content[: min(SEGMENT, CONNECTION - at)])
    made.say("server", 0, ANSWER, acknowledges=CONNECTION)
    size = len(ANSWER)
    made.say("client", CONNECTION, flags=FIN | ACK, acknowledges=size)
    made.say("server", size, flags=FIN | ACK, acknowledges=CONNECTION + 1)
    return iter(made.say("client", CONNECTION + 1, acknowledges=size + 1).frames)


def frames() -> Iterator[bytes]:
    """Frames without end: those of connections that are open at the same time come in turn."""
    random_ = random.Random(0)
    number = 0
    while True:
        talks = [talk((number + index) % 40000, random_.randbytes(SEGMENT)) for index in range(AT_ONCE)]
        for together in zip(*talks, strict=True):
            yield from together
        number += AT_ONCE


def make(path: Path, size: int) -> None:
    """Write a capture of about `size` bytes."""
    header = pcap([])
    with path.open("wb") as file:
        file.write(header)
        for frame in frames():
            file.write(pcap([frame])[len(header) :])
            if file.tell() >= size:
                return


def replayed(path: Path) -> Replayed:
    """Replay a capture in a process of its own. Raises BenchError."""
    with tempfile.TemporaryDirectory(prefix="skverdict-bench-") as folder:
        output, status = Path(folder, "output"), Path(folder, "status")
        arguments = ["run", str(POLICY), "--capture", str(path), "--json"]
        with output.open("wb") as file:
            process = subprocess.Popen([sys.executable, "-c", _CHILD, str(status), *arguments], stdout=file)
            _, ended, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(ended)
        if process.returncode:
            raise BenchError(f"skverdict {' '.join(arguments)} ended with {process.returncode}")
        report = json.loads(output.read_bytes())
        peak = _PEAK.search(status.read_text())
    if peak is None:
        raise BenchError("the kernel does not tell how much memory a process had")
    runs = sum(program["runs"] for program in report["programs"])
    ways = [way for row in report["connections"] for way in row["to_server"]["redirected"]]
    seconds = usage.ru_utime + usage.ru_stime
    return Replayed(seconds, int(peak[1]) << 10, runs, sum(way["bytes"] for way in ways))


def table(size: int, result: Replayed) -> str:
    """The result as a table of Markdown."""
    columns = (
        ("capture, MiB", size / 2**20),
        ("seconds", result.seconds),
        ("program runs", result.runs),
        ("redirected, MiB", result.redirected / 2**20),
        ("peak memory, MiB", result.memory / 2**20),
    )
    names = " | ".join(name for name, _ in columns)
    return f"| {names} |\n|{'---|' * len(columns)}\n| {' | '.join(f'{value:.0f}' for _, value in columns)} |"


def main() -> int:
    summary = __doc__.split("\n", 1)[0]
    parser = argparse.ArgumentParser(prog="python -m bench.replay_speed", description=summary)
    parser.add_argument("--megabytes", type=int, default=1024, help="size of the capture (default 1024)")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into this document")
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="skverdict-bench-") as folder:
            path = Path(folder, "made.pcap")
            make(path, arguments.megabytes << 20)
            size = path.stat().st_size
            result = replayed(path)
        text = f"Measured on {machine()}.\n\n{table(size, result)}"
        if arguments.write is not None:
            write_between(arguments.write, BEGIN, text)
    except (BenchError, OSError) as error:
        print(f"replay_speed: {error}", file=sys.stderr)
        return 1
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
