"""Boot a kernel under QEMU in software emulation, run one Python module in it, and collect its results."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

from tests.interop.toolchain import Tree
from tests.kernel.boundary import TOKEN_ARGUMENT
from tests.kernel.initramfs import initramfs

QEMU = "qemu-system-x86_64"
#: What the guest's time is made of. `instructions`: a nanosecond for each, and while nothing runs it jumps to
#: the next timer, so that waits come out the same on a busy machine, and cost nothing. `machine`: this
#: machine's time, for measurements.
CLOCKS = {"instructions": ("-icount", "shift=0,sleep=off"), "machine": ()}
TAIL = 60  # lines of the console shown when a guest fails


class GuestError(Exception):
    """A guest that could not be started, died or hung; the text ends with the last lines of its console.

    `results` are those that it reported before.
    """

    def __init__(self, text: str, results: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(text)
        self.results = list(results)


class Run(NamedTuple):
    """What a module in a guest reported, its exit status, and all that the guest's console showed."""

    results: list[dict[str, Any]]
    exit_status: int
    console: str


def run(
    kernel: Path,
    tree: Tree,
    files: Mapping[str, bytes],
    module: str,
    arguments: Sequence[str] = (),
    seconds: float = 120,
    memory: int = 512,
    clock: str = "instructions",
) -> Run:
    """Boot `kernel` with `memory` MiB and run `python -m module arguments` in it, in the folder of `files`.

    `clock` is one of CLOCKS.

    `files` are contents by path from the repository's root; the module itself must be among them. It sends
    its results with `boundary.report`. Raises GuestError if the guest dies, or is not done after `seconds`.
    """
    if shutil.which(QEMU) is None:
        raise GuestError(f"{QEMU} is not on PATH; install it with: apt-get install qemu-system-x86")
    token = secrets.token_hex(16)
    archive = initramfs(tree, files, [module, *arguments], token)
    return boot(kernel, archive, token, seconds, memory, clock)


def run_to_its_end(
    kernel: Path,
    tree: Tree,
    files: Mapping[str, bytes],
    module: str,
    arguments: Sequence[str] = (),
    seconds: float = 120,
    memory: int = 512,
    clock: str = "instructions",
) -> Run:
    """As `run`. Raises GuestError also where the module ends with an exit status other than 0."""
    ended = run(kernel, tree, files, module, arguments, seconds, memory, clock)
    if ended.exit_status:
        shown = tail(ended.console)
        raise GuestError(f"{module} ended with status {ended.exit_status}; its console:\n{shown}")
    return ended


def boot(
    kernel: Path,
    archive: bytes,
    token: str,
    seconds: float,
    memory: int,
    clock: str = "instructions",
    qemu: str = QEMU,
) -> Run:
    """Boot `kernel` from the initramfs `archive`, with `token` on its command line. Raises GuestError."""
    with tempfile.TemporaryDirectory(prefix="skverdict-guest-") as name:
        folder = Path(name)
        (folder / "initramfs").write_bytes(archive)
        files = [folder / "console", folder / "results"]
        for file in files:
            file.touch()
        command = [qemu, *_options(kernel, folder, token, memory, clock)]
        failure = _failure(command, seconds)
        console, results = (file.read_text(encoding="utf-8", errors="replace") for file in files)
    if failure:
        raise GuestError(f"{failure}; its console:\n{tail(console)}", complete(results))
    return parse(results, console)


def _options(kernel: Path, folder: Path, token: str, memory: int, clock: str) -> list[str]:
    """QEMU's options. The console goes to the file `console` in `folder`, the results to `results`.

    The processor is one with RDRAND: without it the kernel has no random numbers so early, and Python needs
    some.
    """
    arguments = f"console=ttyS0 loglevel=5 oops=panic panic=-1 {TOKEN_ARGUMENT}{token}"
    return [
        *("-accel", "tcg", "-cpu", "qemu64,+rdrand", "-m", str(memory), *CLOCKS[clock]),
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-kernel", str(kernel), "-initrd", str(folder / "initramfs"), "-append", arguments),
        *("-serial", f"file:{folder / 'console'}", "-serial", f"file:{folder / 'results'}"),
    ]


def _failure(command: Sequence[str], seconds: float) -> str | None:
    """Run QEMU to its end; what went wrong, or None."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, text=True, check=False
        )
    except subprocess.TimeoutExpired:
        return f"the guest hung, not done after {seconds:g} s"
    return f"QEMU failed ({done.returncode}): {done.stderr.strip()}" if done.returncode else None


def tail(console: str) -> str:
    """The last lines of a console, TAIL at most."""
    return "\n".join(console.splitlines()[-TAIL:])


def parse(results: str, console: str) -> Run:
    """The run that the text of the results channel tells of. Raises GuestError if it breaks off."""
    lines, reported = results.splitlines(), complete(results)
    if not reported or "exit_status" not in reported[-1] or len(reported) < len(lines):
        end = f"after line {len(lines)} of its results, {lines[-1]!r}" if lines else "without any result"
        raise GuestError(f"the guest died {end}; its console:\n{tail(console)}", reported)
    return Run(reported[:-1], reported[-1]["exit_status"], console)


def complete(results: str) -> list[dict[str, Any]]:
    """The results that were reported whole; a guest that dies can leave the last one cut short."""
    parsed = (_parsed(line) for line in results.splitlines())
    return [*takewhile(lambda result: result is not None, parsed)]  # type: ignore[list-item]


def _parsed(line: str) -> dict[str, Any] | None:
    """A result; None where the line is none."""
    try:
        result: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return result
