"""What libraries that read captures make of them, and how fast, beside skverdict.

    python -m bench.capture_libraries --setup     make an environment with them, once
    python -m bench.capture_libraries [--write docs/captures.md]

Each reads two captures of TCP over Ethernet, and what the longer one takes more is its speed; then small captures
with one thing out of the ordinary in each, in which it should find the payload.
"""

from __future__ import annotations

import argparse
import json
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.capture_speed import make
from bench.engine_speed import machine, write_between
from bench.measure import BenchError
from tests.interop.toolchain import cache_folder
from tests.runtime.capture_files import (
    CLIENT,
    SERVER,
    Talk,
    enhanced,
    ethernet,
    interface,
    ipv6,
    pcap,
    section_header,
    tcp,
)

BEGIN = "<!-- bench.capture_libraries -->"
PEER = Path(__file__).parent / "peers" / "read_capture.py"


class Library(NamedTuple):
    """A library, its pinned version, and a size in MiB that takes it some seconds."""

    name: str
    version: str
    megabytes: int


OURS = Library("skverdict", "", 65)
LIBRARIES = (Library("dpkt", "1.9.8", 33), Library("scapy", "2.8.0", 5), Library("pypcapkit", "1.4.1.post2", 2))
READ = (
    "import sys; from skverdict.runtime.capture import CaptureError, read_capture\n"
    "try: print(sum(len(event.data) for event in read_capture(sys.argv[1]).events))\n"
    "except CaptureError as error: print('error', error)"
)
PAYLOAD = b"x" * 100


class Probe(NamedTuple):
    """A capture with something out of the ordinary; `size` bytes of payload are to be found in it."""

    name: str
    content: bytes
    size: int = len(PAYLOAD)


def probes() -> list[Probe]:
    plain = Talk().opened().say("client", 0, PAYLOAD).frames
    packet = plain[-1][14:]
    tag = b"\x81\x00\x00\x07"
    cooked = struct.pack(">HHH8s", 0, 1, 6, bytes(8)) + tag + b"\x08\x00" + packet
    segment = tcp(CLIENT[1], SERVER[1], 1, 1, 0x10, PAYLOAD)
    options = ethernet(ipv6("::1", "::2", segment, headers=[(0, bytes([0, 1, 4, 0, 0, 0, 0]))]))
    return [
        Probe("pcapng", section_header() + interface() + enhanced(plain[-1])),
        Probe("802.1Q tag", pcap([plain[-1][:12] + tag + plain[-1][12:]])),
        Probe("tag in a cooked capture", pcap([cooked], link=113)),
        Probe("IPv6 with hop-by-hop options", pcap([options])),
        Probe("segment sent twice", pcap([*plain, plain[-1]])),
        Probe("file cut short", pcap([plain[-1], plain[-1]])[:-10], -1),
    ]


class Row(NamedTuple):
    """A library: seconds to start, MiB a second, and what it says to each probe."""

    library: str
    start: float
    speed: float
    answers: list[str]


def folder() -> Path:
    """The environment that holds the libraries."""
    return cache_folder() / "capture-libraries"


def create(interpreter: str) -> None:
    """Make it. Raises BenchError."""
    shutil.rmtree(folder(), ignore_errors=True)
    _run([interpreter, "-m", "venv", str(folder())])
    packages = [f"{each.name}=={each.version}" for each in LIBRARIES]
    _run([str(folder() / "bin" / "python"), "-m", "pip", "install", "-q", *packages])


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{' '.join(command)} failed ({done.returncode}):\n{done.stdout}{done.stderr}")
    return done.stdout


def _read(library: Library, path: Path) -> tuple[str, float]:
    """What a library says to a capture, and the seconds that it took."""
    python = folder() / "bin" / "python"
    if not python.exists():
        raise BenchError("no libraries to measure; install them with: python -m bench.capture_libraries --setup")
    if library == OURS:
        command = [sys.executable, "-c", READ, str(path)]
    else:
        command = [str(python), str(PEER), library.name, str(path)]
    begin = time.perf_counter()
    lines = _run(command).splitlines()
    return lines[-1] if lines else "", time.perf_counter() - begin


def _answer(said: str, probe: Probe) -> str:
    """Whether a library gets a probe right, in a word or two."""
    if probe.size < 0:
        return "an error" if said.startswith("error") else "nothing"
    if said == str(probe.size):
        return "yes"
    return "an error" if said.startswith("error") else f"{said} bytes of {probe.size}"


def measure_library(library: Library, captures: Path) -> Row:
    """Have a library read captures of 1 MiB and of its own size, and the probes in `captures`."""
    seconds = []
    for megabytes in (1, library.megabytes):
        path = captures / f"{megabytes} MiB"
        if not path.exists():
            make(path, megabytes << 20)
        seconds.append(min(_read(library, path)[1] for _ in range(3)))
    a_megabyte = (seconds[1] - seconds[0]) / (library.megabytes - 1)
    answers = [_answer(_read(library, captures / probe.name)[0], probe) for probe in probes()]
    return Row(f"{library.name} {library.version}".strip(), seconds[0] - a_megabyte, 1 / a_megabyte, answers)


def run() -> list[Row]:
    """Measure all. Raises BenchError."""
    with tempfile.TemporaryDirectory(prefix="skverdict-bench-") as name:
        captures = Path(name)
        for probe in probes():
            (captures / probe.name).write_bytes(probe.content)
        return [measure_library(library, captures) for library in (OURS, *LIBRARIES)]


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown."""
    lines = [f"| | {' | '.join(row.library for row in rows)} |", "|---|" + "---|" * len(rows)]
    lines.append(f"| MiB a second | {' | '.join(f'{row.speed:.1f}' for row in rows)} |")
    lines.append(f"| seconds to start | {' | '.join(f'{row.start:.1f}' for row in rows)} |")
    for number, probe in enumerate(probes()):
        lines.append(f"| {probe.name} | {' | '.join(row.answers[number] for row in rows)} |")
    return "\n".join(lines)


def main() -> int:
    summary = __doc__.split("\n", 1)[0]
    parser = argparse.ArgumentParser(prog="python -m bench.capture_libraries", description=summary)
    parser.add_argument("--setup", action="store_true", help="make the environment anew and stop")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into this document")
    arguments = parser.parse_args()
    try:
        if arguments.setup:
            create(sys.executable)
            print(folder())
            return 0
        rows = run()
    except (BenchError, OSError) as error:
        print(f"capture_libraries: {error}", file=sys.stderr)
        return 1
    text = f"Measured on {machine()}.\n\n{table(rows)}"
    if arguments.write is not None:
        write_between(arguments.write, BEGIN, text)
    print(json.dumps([row._asdict() for row in rows]) if arguments.json else text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
