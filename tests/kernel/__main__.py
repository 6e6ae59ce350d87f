"""Hold real kernels against what is known of them, in a virtual machine.

    python -m tests.kernel [--kernel PATH] [--libbpf FILE] [--junit FILE] [SUITE ...]

Suite `objects` loads every example's objects into the kernel's verifier. Suite `scenarios` carries out the
recorded scenarios of tests/corpus/scenarios and compares. Suite `framing` sends random messages in random
segments through the framed examples. Suite `backend` runs the tests of tests/kernel/backend: the kernel backend
and its commands. Exit status 0 if all is well, 1 if a case or the guest fails, 2 if nothing could be run.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from tests.corpus.scenario import recorded
from tests.interop.toolchain import FETCH, Tree, fetched_tree
from tests.kernel import backend_suite, framing, guest, image, junit, scenarios
from tests.kernel.candidates import candidates
from tests.kernel.cases import Case, judge
from tests.kernel.loading import loaded


class Extent(NamedTuple):
    """How long a suite may take, how many messages `framing` sends, and which tests of `backend` are wanted,
    all if `only` is None."""

    seconds: float
    messages: int
    only: str | None


def objects_suite(kernel: Path, tree: Tree, extent: Extent) -> Iterable[Case]:
    """Load the examples' objects in a guest that runs `kernel`. Raises GuestError."""
    in_ci = os.environ.get("CI") == "true"
    tried = list(candidates(image.version(image.release(kernel)), tools_required=in_ci))
    return judge(tried, loaded(kernel, tree, tried, extent.seconds))


def scenarios_suite(kernel: Path, tree: Tree, extent: Extent) -> Iterable[Case]:
    """Carry out the recorded scenarios in a guest that runs `kernel`. Raises GuestError."""
    name = scenarios.recording_of(image.version(image.release(kernel)))
    every = [scenario for _, scenario in recorded()]
    return scenarios.judge(scenarios.outcomes_in_guest(kernel, tree, every, extent.seconds), name)


def framing_suite(kernel: Path, tree: Tree, extent: Extent) -> Iterable[Case]:
    """Send messages through the framed examples in a guest that runs `kernel`. Raises GuestError."""
    return framing.judge(framing.outcomes_in_guest(kernel, tree, extent.messages, extent.seconds))


def backend_tests(kernel: Path, tree: Tree, extent: Extent) -> Iterable[Case]:
    """Run the kernel backend's tests in a guest that runs `kernel`. Raises GuestError."""
    arguments = [] if extent.only is None else ["-k", extent.only]
    return backend_suite.suite(kernel, tree, extent.seconds, arguments)


SUITES = {
    "objects": objects_suite,
    "scenarios": scenarios_suite,
    "framing": framing_suite,
    "backend": backend_tests,
}


def run_suite(name: str, kernel: Path, tree: Tree, extent: Extent) -> list[Case]:
    """The cases of a suite; a guest that fails is one failed case."""
    try:
        return list(SUITES[name](kernel, tree, extent))
    except guest.GuestError as error:
        return [Case("guest", name, "failed", str(error))]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.kernel", description=__doc__.split("\n", 1)[0])
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"some of: {', '.join(SUITES)}; else all")
    parser.add_argument("--kernel", type=Path, help="kernel image; by default the newest one under /boot")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="also write the results as JUnit XML")
    parser.add_argument("--seconds", type=float, default=600, help="time limit of a suite (default 600)")
    parser.add_argument("--libbpf", type=Path, metavar="FILE", help="the guest's libbpf; else the fetched one")
    parser.add_argument("--only", metavar="EXPRESSION", help="of the suite backend what pytest's -k selects")
    parser.add_argument("--messages", type=int, default=4000, help="of the suite framing (default 4000)")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.suites if name not in SUITES]
    if unknown:
        parser.error(f"there is no suite {', '.join(unknown)}; there are {', '.join(SUITES)}")
    tree = fetched_tree()
    if tree is None:
        print(f"tests.kernel: no libbpf for the guest in the cache; fetch it with: {FETCH}", file=sys.stderr)
        return 2
    if arguments.libbpf:
        tree = replace(tree, libbpf=arguments.libbpf.resolve())
    try:
        kernel = arguments.kernel or image.newest()
        release = image.release(kernel)
    except (image.ImageError, OSError) as error:
        print(f"tests.kernel: {error}", file=sys.stderr)
        return 2
    extent = Extent(arguments.seconds, arguments.messages, arguments.only)
    cases = []
    for name in arguments.suites or SUITES:
        cases += run_suite(name, kernel, tree, extent)
    print(f"Linux {release}")
    for line in junit.table(cases):
        print(line)
    if arguments.junit:
        arguments.junit.write_bytes(junit.xml(f"Linux {release}", cases))
    return 1 if junit.counted(cases)["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
