"""What workers are asked to do in tests; other processes import it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

PATIENCE = 60.0
"""Seconds that a test waits for another process."""


def double(number: int) -> int:
    """Take longer for smaller numbers, so that the last ones are done first."""
    time.sleep(0.02 * (5 - number))
    return 2 * number


def die_once(note: str) -> str:
    """Kill the process that does this, unless the file `note` tells that it has been done."""
    if not note.endswith(".note"):
        return note
    if not os.path.exists(note):
        Path(note).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


def die(name: str) -> str:
    """Kill the process that is given `killer`."""
    if name == "killer":
        os.kill(os.getpid(), signal.SIGKILL)
    return name


def fail(number: int) -> int:
    """Raise ValueError for odd numbers."""
    if number % 2:
        raise ValueError(number)
    return number


def tell_process(folder: str) -> None:
    """Leave the number of this process in a folder, and stay for long."""
    Path(folder, str(os.getpid())).touch()
    time.sleep(PATIENCE)


def heed_interrupts() -> None:
    """Let SIGINT end this process, though the one that started it ignores it, as a shell's background jobs do."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for_names(folder: Path, count: int) -> list[str]:
    """The names of files in a folder, once there are `count`."""
    end = time.monotonic() + PATIENCE
    while len(names := os.listdir(folder)) < count:
        assert time.monotonic() < end
        time.sleep(0.01)
    return names


def gone(process: int) -> bool:
    """Whether a process ends soon."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False
