"""What programs print with `bpf_trace_printk`: the kernel's trace pipe, which all programs share.

A line of the pipe (Documentation/trace/ftrace.rst) is the task during which the program ran, its id, the CPU,
flags, the time and the text:

    python-62  [000] b.s21  12.345678: bpf_trace_printk: length 5
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from skverdict.runtime.kernel.errors import KernelUnavailable
from skverdict.runtime.kernel.events import EventStream
from skverdict.runtime.kernel.mounts import MOUNTS, mounted

_LINE = re.compile(
    r"\s*(?P<task>.*)-(?P<process>\d+)\s+(?:\(\s*[-\d]+\)\s+)?\[(?P<cpu>\d+)\]\s+\S+\s+"
    r"(?P<time>\d+\.\d+): bpf_trace_printk: (?P<text>.*)"
)
#: Bytes that are read at once.
_CHUNK = 1 << 16


class Printed(NamedTuple):
    """A printed line. `task` and `process` are what ran on `cpu` then; `time` is in seconds, by the trace
    clock."""

    task: str
    process: int
    cpu: int
    time: float
    text: str


def parsed(line: str) -> Printed | None:
    """A line of the pipe; None for what is no program's."""
    found = _LINE.fullmatch(line)
    if found is None:
        return None
    return Printed(
        found["task"], int(found["process"]), int(found["cpu"]), float(found["time"]), found["text"]
    )


def pipe_path(mounts: Path = MOUNTS) -> Path:
    """Where the trace pipe is. Raises KernelUnavailable if no trace file system is mounted."""
    for kind, folder in (("tracefs", ""), ("debugfs", "tracing")):
        for where in mounted(kind, mounts):
            if (where / folder / "trace_pipe").exists():
                return where / folder / "trace_pipe"
    raise KernelUnavailable("no tracefs is mounted: mount -t tracefs none /sys/kernel/tracing")


class TracePipe(EventStream[Printed]):
    """Lines that programs print, on the whole machine; a line goes to only one of those who read the pipe.

    What was printed before, and read by nobody, comes first. To be closed. Raises KernelUnavailable.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        try:
            self._descriptor = os.open(path or pipe_path(), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except PermissionError as error:
            raise KernelUnavailable(f"{error.filename} is for root to read") from None
        self._rest = b""

    def fileno(self) -> int:
        return self._descriptor

    def take(self) -> list[Printed]:
        """The lines that are there now."""
        lines = self._lines()
        return [line for line in map(parsed, lines) if line is not None]

    def _lines(self) -> list[str]:
        content = [self._rest]
        try:
            while part := os.read(self._descriptor, _CHUNK):
                content.append(part)
        except BlockingIOError:
            pass
        *lines, self._rest = b"".join(content).split(b"\n")
        return [line.decode(errors="replace") for line in lines]

    def close(self) -> None:
        """Read no more; twice is once."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
