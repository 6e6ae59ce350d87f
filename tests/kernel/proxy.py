"""Measure a loopback proxy in a guest: how fast bytes go through it, copied and spliced by BPF.

    python -m tests.kernel.proxy [--kernel PATH] [--mebibytes N] [--clock machine]

The proxy is examples/serve_loopback_proxy.py, the policy examples/loopback_proxy.py. Client, proxy and server are
processes of one guest with one processor in software emulation, and both ends compute a checksum: what counts is
how both ways compare. A second of the guest's time is 1e9 instructions, or waiting, so that a busy machine gives
the same figures; with `--clock machine` it is a second of this machine's. Exit status 1 if a checksum is wrong.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from skverdict.codegen import build
from skverdict.dsl import load_policy

from tests.interop.toolchain import Tree
from tests.kernel import command, guest, image
from tests.kernel.initramfs import SOURCES
from tests.kernel.packages import package_files

RUNNER = "tests.kernel.run_proxy"
_FILES = ("tests/kernel/run_proxy.py", "examples/serve_loopback_proxy.py")
MIB = 1 << 20
MEMORY = 1024  # MiB


def measured(
    kernel: Path, tree: Tree, mebibytes: int, seconds: float, clock: str
) -> list[dict[str, Any]]:
    """What the guest reported. Raises GuestError."""
    files = package_files() | {path: (SOURCES / path).read_bytes() for path in _FILES}
    files["examples/loopback_proxy.o"] = build(load_policy(SOURCES / "examples" / "loopback_proxy.py"))
    arguments = [str(mebibytes)]
    return guest.run_to_its_end(kernel, tree, files, RUNNER, arguments, seconds, MEMORY, clock).results


def lines(results: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The results for people."""
    for result in results:
        if "way" in result:
            rate = result["bytes"] / MIB / result["seconds"]
            equal = "equal" if result["sent"] == result["received"] else "DIFFERENT"
            yield (
                f"{result['way']:8}{result['bytes'] // MIB:6} MiB in {result['seconds']:7.2f} s, "
                f"{rate:7.1f} MiB/s, checksums {result['sent']:08x} {result['received']:08x} {equal}"
            )
        else:
            yield f"runs of the verdict: {result['runs']:,}"


def told(arguments: Namespace, tree: Tree) -> int:
    """Measure and tell, as the command's `arguments` have it: the exit status."""
    kernel = arguments.kernel or image.newest()
    release = image.release(kernel)
    results = measured(kernel, tree, arguments.mebibytes, arguments.seconds, arguments.clock)
    print(f"Linux {release}")
    for line in lines(results):
        print(line)
    return int(any(result.get("sent") != result.get("received") for result in results))


def main() -> int:
    parser = command.parser("tests.kernel.proxy", __doc__, seconds=1200)
    parser.add_argument("--mebibytes", type=int, default=1024, metavar="N", help="how much (default 1024)")
    parser.add_argument(
        "--clock", choices=guest.CLOCKS, default="instructions", help="what time is (default %(default)s)"
    )
    return command.with_guests("proxy", partial(told, parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
