"""The objects that a kernel is to accept: policies by skverdict, and the C twin, where there is one, by each clang."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from skverdict.codegen import CodegenError, Target, build
from skverdict.dsl import PolicyError, load_policy
from skverdict.dsl.catalogue.programs import KERNELS

from tests.corpus.language import ACCEPTED, PRELUDE, entries
from tests.interop.toolchain import CLANG_19, CLANG_22, Tool
from tests.interop.twins import CORPUS, CPUS, TWINS, CompileError, Twin, compile_c
from tests.kernel import scenarios
from tests.kernel.cases import Candidate

# The first kernel whose verifier knows the instructions of a CPU version (Documentation/bpf/standardization).
CPU_SINCE = {"v4": (6, 6)}
REFERENCES = (CLANG_19, CLANG_22)


def _skverdict(twin: Twin, cpu: str) -> Candidate:
    try:
        return Candidate("skverdict", str(twin), cpu, build(load_policy(twin.policy), Target(cpu=cpu)))
    except (PolicyError, CodegenError) as error:
        return Candidate("skverdict", str(twin), cpu, None, "failed", str(error))


def _clang(tool: Tool, twin: Twin, cpu: str, folder: Path, tools_required: bool) -> Candidate:
    path = tool.find()
    if path is None:
        outcome = "failed" if tools_required else "skipped"
        return Candidate(tool.name, str(twin), cpu, None, outcome, tool.absence)
    try:
        output = compile_c(path, twin.source, folder / "twin.o", cpu)
    except CompileError as error:
        return Candidate(tool.name, str(twin), cpu, None, "failed", str(error))
    return Candidate(tool.name, str(twin), cpu, output.read_bytes())


def _language(kernel: tuple[int, int], folder: Path, cpus: Sequence[str]) -> Iterator[Candidate]:
    """The policies of the language's corpus, compiled for the measured kernel that `kernel` is like.

    For the default CPU if it is among `cpus`, else for all of them: a verifier takes its time.
    """
    if Target().cpu in cpus:
        cpus = (Target().cpu,)
    name = scenarios.recording_of(kernel)
    path = folder / "policy.py"
    for file in ACCEPTED:
        for entry in entries(file):
            title = f"{Path(file).stem} {entry.name}"
            path.write_text(PRELUDE + entry.text)
            try:
                policy = load_policy(path, name)
            except PolicyError as error:
                known = KERNELS.index(name) < KERNELS.index(entry.marks.get("since", name))
                yield Candidate(
                    "skverdict", title, "", None, "skipped" if known else "failed", str(error)
                )
                continue
            for cpu in cpus:
                if kernel >= CPU_SINCE.get(cpu, (0, 0)) and cpu >= entry.marks.get("cpu", cpu):
                    yield Candidate("skverdict", title, cpu, build(policy, Target(cpu=cpu)))


def candidates(
    kernel: tuple[int, int], tools_required: bool, cpus: Sequence[str] = CPUS
) -> Iterator[Candidate]:
    """Every policy, and the C twins by each clang, for each of `cpus` that `kernel` knows.

    `kernel` is (major, minor). With `tools_required`, a missing clang is a failure, else it is skipped.
    """
    with tempfile.TemporaryDirectory(prefix="skverdict-language-") as folder:
        yield from _language(kernel, Path(folder), cpus)
    yield from twins(kernel, tools_required, cpus)


def twins(kernel: tuple[int, int], tools_required: bool, cpus: Sequence[str] = CPUS) -> Iterator[Candidate]:
    """Of the `candidates` those that have a twin in C, and the twins."""
    with tempfile.TemporaryDirectory(prefix="skverdict-twins-") as folder:
        for twin in (*TWINS, *CORPUS):
            for cpu in cpus:
                since = CPU_SINCE.get(cpu, (0, 0))
                if kernel < since:
                    reason = f"needs Linux {since[0]}.{since[1]}"
                    yield Candidate("skverdict", str(twin), cpu, None, "skipped", reason)
                    continue
                yield _skverdict(twin, cpu)
                for tool in REFERENCES:
                    yield _clang(tool, twin, cpu, Path(folder), tools_required)
