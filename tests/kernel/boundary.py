"""The boundary between this machine and the guest: who may load BPF programs, and how results come out.

A guest is told a token twice, on its kernel's command line and in a file of its initramfs. Only where both
are there and agree does `require_guest` let a program go on, so nothing that loads can run on a machine by
mistake.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

TOKEN_FILE = "/etc/skverdict-guest"
TOKEN_ARGUMENT = "skverdict.guest="
RESULTS_VARIABLE = "SKVERDICT_RESULTS"
COMMAND_FILE = "/etc/skverdict-command"
REPOSITORY = "/skverdict"


def in_guest(command_line: str, token: str | None) -> bool:
    """Whether the kernel's `command_line` carries `token`, the content of the token file (None: no file)."""
    return bool(token) and TOKEN_ARGUMENT + (token or "") in command_line.split()


def require_guest() -> None:
    """End the process with an explanation unless it runs inside a guest that `guest.run` booted."""
    file = Path(TOKEN_FILE)
    token = file.read_text(encoding="ascii").strip() if file.is_file() else None
    if not in_guest(Path("/proc/cmdline").read_text(encoding="utf-8"), token):
        raise SystemExit("refused: this loads BPF programs, and runs only in a guest of tests.kernel")


def report(result: dict[str, Any]) -> None:
    """Send one result, as a line of JSON, from the guest to the machine."""
    with open(os.environ[RESULTS_VARIABLE], "a", encoding="utf-8") as channel:
        channel.write(json.dumps(result) + "\n")
