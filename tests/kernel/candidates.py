"""The objects that a kernel is to accept: each policy that has a twin by skverdict, and its C twin by each clang."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from skverdict.codegen import CodegenError, Target, build
from skverdict.dsl import PolicyError, load_policy

from tests.interop.toolchain import CLANG_19, CLANG_22, Tool
from tests.interop.twins import CORPUS, CPUS, TWINS, CompileError, Twin, compile_c
from tests.kernel.cases import Candidate

# The first kernel whose verifier knows the instructions of a CPU version (Documentation/bpf/standardization).
CPU_SINCE = {"v4": (6, 6)}
REFERENCES = (CLANG_19, CLANG_22)


def _skverdict(twin: Twin, cpu: str) -> Candidate:
    try:
        return Candidate("skverdict", twin, cpu, build(load_policy(twin.policy), Target(cpu=cpu)))
    except (PolicyError, CodegenError) as error:
        return Candidate("skverdict", twin, cpu, None, "failed", str(error))


def _clang(tool: Tool, twin: Twin, cpu: str, folder: Path, tools_required: bool) -> Candidate:
    path = tool.find()
    if path is None:
        outcome = "failed" if tools_required else "skipped"
        return Candidate(tool.name, twin, cpu, None, outcome, tool.absence)
    try:
        output = compile_c(path, twin.source, folder / "twin.o", cpu)
    except CompileError as error:
        return Candidate(tool.name, twin, cpu, None, "failed", str(error))
    return Candidate(tool.name, twin, cpu, output.read_bytes())


def candidates(
    kernel: tuple[int, int], tools_required: bool, cpus: Sequence[str] = CPUS
) -> Iterator[Candidate]:
    """Every policy with a twin by skverdict, and the C twin by each clang, for each of `cpus` that `kernel`
    knows.

    `kernel` is (major, minor). With `tools_required`, a missing clang is a failure, else it is skipped.
    """
    with tempfile.TemporaryDirectory(prefix="skverdict-twins-") as folder:
        for twin in (*TWINS, *CORPUS):
            for cpu in cpus:
                since = CPU_SINCE.get(cpu, (0, 0))
                if kernel < since:
                    reason = f"needs Linux {since[0]}.{since[1]}"
                    yield Candidate("skverdict", twin, cpu, None, "skipped", reason)
                    continue
                yield _skverdict(twin, cpu)
                for tool in REFERENCES:
                    yield _clang(tool, twin, cpu, Path(folder), tools_required)
