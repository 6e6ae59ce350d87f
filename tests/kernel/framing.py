"""Random messages in random segments through the framed examples, on a guest's kernel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from skverdict.codegen import build
from skverdict.dsl import load_policy

from tests.framing.traffic import POLICIES
from tests.interop.toolchain import Tree
from tests.kernel import guest
from tests.kernel.cases import Case
from tests.kernel.initramfs import SOURCES
from tests.kernel.packages import package_files

RUNNER = "tests.kernel.run_framing"
#: Of the random numbers.
SEED = 1
_FILES = (
    "tests/framing/__init__.py",
    "tests/framing/streams.py",
    "tests/framing/traffic.py",
    "tests/kernel/run_framing.py",
)


def outcomes_in_guest(kernel: Path, tree: Tree, messages: int, seconds: float) -> list[dict[str, Any]]:
    """What became of `messages` messages at least, half of them for each example. Raises GuestError."""
    files = {path: (SOURCES / path).read_bytes() for path in _FILES}
    files |= package_files()
    for policy in POLICIES:
        files[f"{policy.name}.o"] = build(load_policy(SOURCES / f"examples/{policy.name}.py"))
    return guest.run_to_its_end(kernel, tree, files, RUNNER, [str(messages), str(SEED)], seconds).results


def judge(results: list[dict[str, Any]]) -> Iterator[Case]:
    """A case for each example and kind of reader; without a report it has failed."""
    found = {(result["policy"], result["readers"]): result for result in results}
    for policy in POLICIES:
        for readers in ("keep up", "lag"):
            name = f"{policy.name}, readers that {readers}"
            result = found.get((policy.name, readers))
            if result is None:
                yield Case("framing", name, "failed", "the guest reported nothing of it")
            elif "error" in result:
                yield Case("framing", name, "failed", str(result["error"]))
            else:
                yield Case("framing", name, "passed", f"{result['messages']} messages, seed {SEED}")
