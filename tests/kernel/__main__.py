"""Load every example's objects into a real kernel's verifier, in a virtual machine.

    python -m tests.kernel [--kernel PATH] [--junit FILE]

Exit status 0 if the kernel accepts them all, 1 if it refuses one or the guest fails, 2 if nothing could be
run.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from tests.interop.toolchain import FETCH, fetched_tree
from tests.kernel import guest, image, junit
from tests.kernel.candidates import candidates
from tests.kernel.cases import Candidate, Case, judge
from tests.kernel.initramfs import SOURCES
from tests.kernel.userland import LIBBPF

LOADER = "tests/kernel/load_objects.py"


def load_in_guest(kernel: Path, tried: list[Candidate], seconds: float) -> list[Case]:
    """Load the candidates in a guest that runs `kernel`. Raises GuestError."""
    tree = fetched_tree()
    if tree is None:
        raise guest.GuestError(f"no libbpf for the guest in the cache folder; fetch it with: {FETCH}")
    files = {each.file: each.content for each in tried if each.content is not None}
    loader = (SOURCES / LOADER).read_bytes()
    ended = guest.run(
        kernel, tree, {**files, LOADER: loader}, "tests.kernel.load_objects", [LIBBPF, *files], seconds
    )
    if ended.exit_status:
        shown = guest.tail(ended.console)
        raise guest.GuestError(f"the loader ended with status {ended.exit_status}; its console:\n{shown}")
    return list(judge(tried, ended.results))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.kernel", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--kernel", type=Path, help="kernel image; by default the newest one under /boot")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="also write the results as JUnit XML")
    parser.add_argument("--seconds", type=float, default=180, help="time limit of the guest (default 180)")
    arguments = parser.parse_args()
    try:
        kernel = arguments.kernel or image.newest()
        release = image.release(kernel)
        in_ci = os.environ.get("CI") == "true"
        tried = list(candidates(image.version(release), tools_required=in_ci))
    except (image.ImageError, OSError) as error:
        print(f"tests.kernel: {error}", file=sys.stderr)
        return 2
    try:
        cases = load_in_guest(kernel, tried, arguments.seconds)
    except guest.GuestError as error:
        cases = [Case("guest", release, "failed", str(error))]
    print(f"Linux {release}")
    for line in junit.table(cases):
        print(line)
    if arguments.junit:
        arguments.junit.write_bytes(junit.xml(f"Linux {release}", cases))
    return 1 if junit.counted(cases)["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
