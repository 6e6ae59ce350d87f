"""The kernel backend's tests in a guest, and what became of each."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from skverdict.codegen import build
from skverdict.dsl import load_policy

from tests.corpus.scenario_file import LABS
from tests.interop.toolchain import BPFTOOL, CLANG_19, Tree
from tests.interop.twins import compile_command
from tests.kernel import guest
from tests.kernel.backend.refusals import REFUSALS
from tests.kernel.cases import Case
from tests.kernel.initramfs import SOURCES
from tests.kernel.packages import package_files
from tests.kernel.run_backend import TESTS
from tests.kernel.userland import shared_libraries

RUNNER = "tests.kernel.run_backend"
#: What pytest, and the commands, import.
OUTSIDE = ("elftools", "lark", "rich", "pygments", "_pytest", "pytest", "py", "pluggy", "iniconfig", "packaging")
_FILES = ("tests/kernel/run_backend.py", "tests/corpus/kernel_types/reading.py", "pyproject.toml")
#: Policies that the tests load, as objects beside their sources: a guest has no compiler.
POLICIES = (
    "examples/local_bypass.py",
    "examples/port_redirect.py",
    "examples/tenant_routing.py",
    "tests/kernel/backend/holding.py",
    "tests/corpus/kernel_types/reading.py",
    "tests/kernel/backend/telling.py",
    "tests/kernel/backend/too_long.py",
)


def files(tree: Tree) -> dict[str, bytes]:
    """What the guest needs, by path from the repository's root. Raises GuestError without bpftool or clang."""
    content = {path: (SOURCES / path).read_bytes() for path in _FILES}
    content |= package_files(OUTSIDE)
    sources = [*(SOURCES / TESTS).glob("*.py"), *(SOURCES / TESTS).glob("*.c"), *LABS.glob("*.o")]
    content |= {str(path.relative_to(SOURCES)): path.read_bytes() for path in sources}
    content |= {policy.replace(".py", ".o"): build(load_policy(SOURCES / policy)) for policy in POLICIES}
    content[f"{TESTS}/small_bypass.o"] = small_bypass()
    return content | bpftool(tree) | dict(refused_objects())


def small_bypass() -> bytes:
    """The object of examples/local_bypass.py with room for two sockets."""
    text = (SOURCES / "examples/local_bypass.py").read_text()
    with tempfile.TemporaryDirectory(prefix="skverdict-policy-") as folder:
        policy = Path(folder) / "small_bypass.py"
        policy.write_text(text.replace("max_entries=65535", "max_entries=2"))
        return build(load_policy(policy))


def bpftool(tree: Tree) -> dict[str, bytes]:
    """The machine's bpftool with all that it runs on, in a folder of its own. Raises GuestError without it."""
    tool = BPFTOOL.find()
    if tool is None:
        raise guest.GuestError(BPFTOOL.absence)
    needed = {"bpftool": Path(tool), tree.loader.name: tree.loader, **shared_libraries(tree, [Path(tool)])}
    return {f"bpftool/{name}": path.read_bytes() for name, path in needed.items()}


def refused_objects() -> Iterator[tuple[str, bytes]]:
    """The objects of refusals.c, by path. Raises GuestError without clang."""
    clang = CLANG_19.find()
    if clang is None:
        raise guest.GuestError(CLANG_19.absence)
    source = SOURCES / TESTS / "refusals.c"
    with tempfile.TemporaryDirectory(prefix="skverdict-refusals-") as folder:
        for case in (*REFUSALS, "fixed"):
            output = Path(folder) / f"{case}.o"
            command = [*compile_command(clang, source, output), f"-DCASE_{case}"]
            if case == "license":
                command.append('-DLICENSE="Proprietary"')
            subprocess.run(command, check=True)
            yield f"{TESTS}/{case}.o", output.read_bytes()


def suite(kernel: Path, tree: Tree, seconds: float, arguments: Sequence[str] = ()) -> Iterator[Case]:
    """Run the tests in a guest that runs `kernel`. Raises GuestError."""
    ended = guest.run_to_its_end(kernel, tree, files(tree), RUNNER, arguments, seconds)
    return judge(ended.results)


def judge(results: list[dict[str, Any]]) -> Iterator[Case]:
    """Each test's case."""
    for result in results:
        module, _, name = result["test"].rpartition("::")
        maker = Path(module).stem.removeprefix("guest_")
        detail = result["detail"] or f"{result['seconds']:.2f} s"
        yield Case(maker, name, result["outcome"], detail)
