"""The capture that a command is about."""

from __future__ import annotations

import sys

from skverdict.runtime.capture import Capture, CaptureFile, parse_capture
from skverdict.runtime.cli.failure import CommandError
from skverdict.runtime.cli.files import STANDARD, input_name, read_input
from skverdict.runtime.cli.progress import Bar


def load_capture(path: str) -> Capture:
    """The capture in a file, all of it. Raises CommandError where there is nothing to replay."""
    content = read_input(path)
    with Bar("reading the capture", len(content)) as bar:
        capture = parse_capture(content, input_name(path), bar.show)
    require_payload(capture)
    return capture


def open_capture(path: str, name: str | None = None) -> CaptureFile:
    """The capture in a file, to be read as it is replayed; `name` stands in errors."""
    if path == STANDARD:
        return CaptureFile(sys.stdin.buffer, input_name(path))
    with open(path, "rb") as file:
        return CaptureFile(file, name or path)


def require_payload(capture: Capture) -> None:
    """Raise CommandError where there was nothing to replay."""
    if not capture.payload:
        notes = "".join(f"\n  {note}" for note in capture.notes)
        raise CommandError(f"{capture.file}: no TCP payload in {capture.packets} packets{notes}")
