"""How fast a capture is read and its TCP put together, beside tshark, on one file.

    python -m bench.capture_speed [--megabytes N] [--capture FILE] [--write docs/captures.md]

Without --capture a file is made: connections that send in segments of up to 1448 bytes, with every 200th segment
late and every 300th sent twice. tshark reads it in three ways: as it does by itself, with a line for each packet;
counting conversations (`-z conv,tcp`), the least for which it follows TCP; and with `-q` alone, where it looks into
no packet at all. What counts is the processor's time, which other work on the machine changes little.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

from bench.engine_speed import machine, write_between
from bench.measure import BenchError, Subject, Times, measure, whole_process
from tests.runtime.capture_files import Talk, pcap

BEGIN = "<!-- bench.capture_speed -->"
OURS, FOLLOWING = "skverdict", "tshark -q -z conv,tcp"
LEAST = 0.5
"""The speed that is asked for, in multiples of tshark's where it follows TCP."""

READ = "from skverdict.runtime.capture import read_capture; import sys; read_capture(sys.argv[1])"
SEGMENT = 1448
CONNECTION = 256 << 10
"""Bytes that each connection sends."""


def talk(number: int, random_: random.Random) -> list[bytes]:
    """The frames of one connection."""
    made = Talk(("10.0.0.1", 10000 + number % 50000), (f"10.0.{1 + number // 50000}.2", 80)).opened()
    begin = len(made.frames)
    content = random_.randbytes(SEGMENT)
    for at in range(0, CONNECTION, SEGMENT):
        made.say("client", at, content[: min(SEGMENT, CONNECTION - at)])
        if at // SEGMENT % 2:
            made.say("server", 0, acknowledges=at)
    frames = made.frames
    for at in range(begin, len(frames) - 1, 200):
        frames[at], frames[at + 1] = frames[at + 1], frames[at]
    for at in range(begin, len(frames), 300):
        frames.insert(at, frames[at])
    return frames


def frames(size: int) -> Iterator[bytes]:
    """Frames of `size` bytes in all, or a little more."""
    random_ = random.Random(0)
    done = number = 0
    while done < size:
        for frame in talk(number, random_):
            done += len(frame) + 16
            yield frame
        number += 1


def make(path: Path, size: int) -> None:
    """Write a capture of about `size` bytes."""
    header = len(pcap([]))
    with path.open("wb") as file:
        file.write(pcap([]))
        for frame in frames(size):
            file.write(pcap([frame])[header:])


def run(path: Path, rounds: int) -> dict[str, Times]:
    """Measure both on one file. Raises BenchError."""
    tshark = shutil.which("tshark")
    if tshark is None:
        raise BenchError("tshark is not on PATH; install it with: apt-get install tshark")
    file, folder = str(path.resolve()), path.resolve().parent
    commands = {
        OURS: [sys.executable, "-c", READ, file],
        "tshark": [tshark, "-n", "-r", file],
        FOLLOWING: [tshark, "-n", "-q", "-r", file, "-z", "conv,tcp"],
        "tshark -q": [tshark, "-n", "-q", "-r", file],
    }
    subjects = {name: processor_time(whole_process(command, folder)) for name, command in commands.items()}
    return measure(subjects, rounds, warm_up=1)


def processor_time(subject: Subject) -> Subject:
    """The subject, a process, measured by the processor's time that it takes."""

    def spent() -> float:
        usage = getrusage(RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    def once() -> float:
        before = spent()
        subject()
        return spent() - before

    return once


def table(times: Mapping[str, Times], megabytes: float) -> str:
    """The times in Markdown."""
    ours = times[OURS].minimum
    lines = ["| | seconds of the processor | MiB a second | speed of skverdict, in multiples |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {each.minimum / 1000:.2f} | {megabytes / each.minimum * 1000:.0f} | {each.minimum / ours:.2f} |"
        for name, each in times.items()
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.capture_speed", description=__doc__.split("\n", 1)[0]
    )
    parser.add_argument("--megabytes", type=int, default=100, help="size of the file that is made (default 100)")
    parser.add_argument("--capture", type=Path, metavar="FILE", help="read this file instead")
    parser.add_argument("--rounds", type=int, default=5, help="how often each reads it; the best counts (default 5)")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into this document")
    parser.add_argument("--check", action="store_true", help="exit with 1 if it is too slow")
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="skverdict-bench-") as folder:
            path = arguments.capture or Path(folder, "made.pcap")
            if arguments.capture is None:
                make(path, arguments.megabytes << 20)
            times = run(path, arguments.rounds)
            megabytes = path.stat().st_size / 2**20
        text = f"Measured on {machine()}; {megabytes:.0f} MiB, the best of {arguments.rounds} rounds.\n\n"
        text += table(times, megabytes)
        if arguments.write is not None:
            write_between(arguments.write, BEGIN, text)
    except (BenchError, OSError) as error:
        print(f"capture_speed: {error}", file=sys.stderr)
        return 1
    print(text)
    ratio = times[FOLLOWING].minimum / times[OURS].minimum
    return 1 if arguments.check and ratio < LEAST else 0


if __name__ == "__main__":
    sys.exit(main())
