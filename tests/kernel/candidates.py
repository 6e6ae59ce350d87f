"""The objects that a kernel is to accept: policies by skverdict, and the C twin, where there is one, by each clang."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from skverdict.codegen import CodegenError, Target, build, read_object
from skverdict.codegen.assembler import assemble
from skverdict.codegen.disassembler import disassemble
from skverdict.codegen.object_writer import object_bytes
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
# A source of which clang 22 makes jump tables at the newest CPU level, and the first of the kernels that has them.
SWITCHES = Path(__file__).parents[1] / "corpus" / "jump_tables" / "switches.c"
TABLES_SINCE = (7, 2)


def _skverdict(twin: Twin, cpu: str) -> Candidate:
    try:
        return Candidate("skverdict", str(twin), cpu, build(load_policy(twin.policy), Target(cpu=cpu)))
    except (PolicyError, CodegenError) as error:
        return Candidate("skverdict", str(twin), cpu, None, "failed", str(error))


def _clang(tool: Tool, source: Path, cpu: str, folder: Path, tools_required: bool) -> Candidate:
    path = tool.find()
    if path is None:
        outcome = "failed" if tools_required else "skipped"
        return Candidate(tool.name, source.stem, cpu, None, outcome, tool.absence)
    try:
        output = compile_c(path, source, folder / "compiled.o", cpu)
    except CompileError as error:
        return Candidate(tool.name, source.stem, cpu, None, "failed", str(error))
    return Candidate(tool.name, source.stem, cpu, output.read_bytes())


def _jump_tables(kernel: tuple[int, int], folder: Path, tools_required: bool) -> Iterator[Candidate]:
    """Large switches with jump tables, and what the assembler makes of their text."""
    if kernel < TABLES_SINCE:
        reason = f"needs Linux {TABLES_SINCE[0]}.{TABLES_SINCE[1]}"
        yield Candidate(CLANG_22.name, SWITCHES.stem, CPUS[-1], None, "skipped", reason)
        return
    compiled = _clang(CLANG_22, SWITCHES, CPUS[-1], folder, tools_required)
    yield compiled
    if compiled.content is not None:
        text = disassemble(read_object(compiled.content))
        yield compiled._replace(maker="skverdict", content=object_bytes(assemble(text)))


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
        yield from _jump_tables(kernel, Path(folder), tools_required)
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
                    yield _clang(tool, twin.source, cpu, Path(folder), tools_required)
