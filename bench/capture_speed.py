"""How fast a capture is read and its TCP put together, beside tshark, on one file.

    python -m bench.capture_speed [--megabytes N] [--capture FILE]

Without --capture a file is made: connections that send in segments of up to 1448 bytes, with every 200th segment
late and every 300th sent twice. tshark counts conversations (`-q -z conv,tcp`), for which it follows TCP; `-q` alone
would make it skip the packets' contents, which is measured, too.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.measure import BenchError, Times, measure, whole_process
from tests.runtime.capture_files import Talk, pcap

LEAST = 0.5
"""The speed that is asked for, in multiples of tshark's."""

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
    folder = path.resolve().parent
    subjects = {
        "skverdict": whole_process([sys.executable, "-c", READ, str(path.resolve())], folder),
        "tshark": whole_process([tshark, "-n", "-q", "-r", str(path.resolve()), "-z", "conv,tcp"], folder),
        "tshark, records only": whole_process([tshark, "-n", "-q", "-r", str(path.resolve())], folder),
    }
    return measure(subjects, rounds, warm_up=1)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.capture_speed", description=__doc__.split("\n", 1)[0]
    )
    parser.add_argument("--megabytes", type=int, default=100, help="size of the file that is made (default 100)")
    parser.add_argument("--capture", type=Path, metavar="FILE", help="read this file instead")
    parser.add_argument("--rounds", type=int, default=3, help="how often each reads it (default 3)")
    parser.add_argument("--check", action="store_true", help="exit with 1 if it is too slow")
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="skverdict-bench-") as folder:
            path = arguments.capture or Path(folder, "made.pcap")
            if arguments.capture is None:
                make(path, arguments.megabytes << 20)
            times = run(path, arguments.rounds)
            megabytes = path.stat().st_size / 2**20
    except (BenchError, OSError) as error:
        print(f"capture_speed: {error}", file=sys.stderr)
        return 1
    for name, each in times.items():
        print(f"{name:21} median {each.median:8.0f} ms  {megabytes / each.median * 1000:7.1f} MiB/s")
    ratio = times["tshark"].median / times["skverdict"].median
    print(f"speed, in multiples of tshark's: {ratio:.2f} (asked for: {LEAST})")
    return 1 if arguments.check and ratio < LEAST else 0


if __name__ == "__main__":
    sys.exit(main())
