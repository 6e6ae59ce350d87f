"""What the guest's tests share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from skverdict.runtime.cli import main
from skverdict.runtime.kernel.bpf import Bpf
from skverdict.runtime.kernel.kernel import Kernel
from skverdict.runtime.kernel.libbpf import load_library

ROOT = Path("/skverdict")
TELLING = ROOT / "tests/kernel/backend/telling.o"
BYPASS = ROOT / "examples/local_bypass.o"
LAB = ROOT / "tests/corpus/lab/lab.o"

CGROUPS = Path("/sys/fs/cgroup")
#: How long the kernel may take for what it does in the background, in seconds of the guest.
PATIENCE = 10.0
PAUSE = 0.02

BPF = Bpf(load_library())


class Inventory(NamedTuple):
    """The ids of everything of BPF in the kernel."""

    programs: list[int]
    maps: list[int]
    links: list[int]


def inventory() -> Inventory:
    return Inventory(BPF.programs_there(), BPF.maps_there(), BPF.links_there())


def wait_for(condition: Callable[[], Any]) -> Any:
    """The first true answer of `condition`."""
    deadline = time.monotonic() + PATIENCE
    while not (answer := condition()):
        assert time.monotonic() < deadline, "waited for in vain"
        time.sleep(PAUSE)
    return answer


@contextmanager
def nothing_left() -> Iterator[None]:
    """What is made in the kernel meanwhile must be gone from it in the end."""
    before = inventory()
    yield
    deadline = time.monotonic() + PATIENCE
    while (new := added(before)) and time.monotonic() < deadline:
        time.sleep(PAUSE)
    assert not new


def added(before: Inventory) -> list[str]:
    """What is in the kernel beside what was there `before`."""
    pairs = zip(Inventory._fields, before, inventory(), strict=True)
    return [f"{what} {number}" for what, old, new in pairs for number in new if number not in old]


@contextmanager
def cgroup(name: str) -> Iterator[Path]:
    """A cgroup of its own."""
    path = CGROUPS / name
    path.mkdir()
    try:
        yield path
    finally:
        if path.exists():
            path.rmdir()


class Ended(NamedTuple):
    """A command that has ended."""

    returncode: int
    stdout: str
    stderr: str


def command(*arguments: str) -> Ended:
    """Run `skverdict` with `arguments` in this process."""
    with redirect_stdout(StringIO()) as output, redirect_stderr(StringIO()) as errors:
        code = main(arguments)
    return Ended(code, output.getvalue(), errors.getvalue())


@contextmanager
def telling(**options: Any) -> Iterator[tuple[Kernel, Any, Any]]:
    """The policy that tells, and a connection whose server's end it watches."""
    with Kernel(TELLING, **options) as kernel:
        client, server = kernel.tcp_pair(server_port=10000)
        kernel.attach("watched", verdict="tell")
        kernel.maps["watched"][0] = server
        yield kernel, client, server
