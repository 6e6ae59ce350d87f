"""The capture that a command is about."""

from __future__ import annotations

from skverdict.runtime.capture import Capture, parse_capture
from skverdict.runtime.cli.failure import CommandError
from skverdict.runtime.cli.files import input_name, read_input
from skverdict.runtime.cli.progress import Bar


def load_capture(path: str) -> Capture:
    """The capture in a file. Raises CommandError where there is nothing to replay."""
    content = read_input(path)
    with Bar("reading the capture", len(content)) as bar:
        capture = parse_capture(content, input_name(path), bar.show)
    require_payload(capture)
    return capture


def require_payload(capture: Capture) -> None:
    """Raise CommandError where there is nothing to replay."""
    if not any(event.data for event in capture.events):
        notes = "".join(f"\n  {note}" for note in capture.notes)
        raise CommandError(f"{capture.file}: no TCP payload in {capture.packets} packets{notes}")
