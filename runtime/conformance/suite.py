"""Runs the cases of a conformance suite and tells what became of each.

A case runs as a stream_verdict program on a received buffer that holds the case's memory: two instructions in
front of it put the buffer's address into r1 and its length into r2.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import LDX, MEM, SIZES
from skverdict.codegen.object import Object, Program
from skverdict.dsl.catalogue.contexts import CONTEXTS
from skverdict.runtime.conformance.case import Case, CaseError, read_case
from skverdict.runtime.helpers.generic import GENERIC
from skverdict.runtime.machine.context import Context
from skverdict.runtime.machine.environment import Environment
from skverdict.runtime.machine.fault import Fault, LoadError, Unsupported
from skverdict.runtime.machine.load import load
from skverdict.runtime.machine.run import run

PASSED, FAILED, UNSUPPORTED = "passed", "failed", "unsupported"

_KIND = "stream_verdict"
_TABLE = CONTEXTS["__sk_buff"]
_LOAD_WORD = LDX | MEM | SIZES[4]
_PROLOGUE = (
    Instruction(_LOAD_WORD, 2, 1, _TABLE.fields["len"].offset, 0),
    Instruction(_LOAD_WORD, 1, 1, _TABLE.fields["data"].offset, 0),
)


class Outcome(NamedTuple):
    """What became of a case: `verdict` is one of the three words above, `reason` says why it did not pass."""

    case: str
    verdict: str
    reason: str = ""


class _Buffer(Context):
    """A received buffer that holds the memory of a case."""

    kind = _KIND
    table = _TABLE.name

    def __init__(self, content: bytes) -> None:
        self.content = bytearray(content)

    def field(self, name: str, index: int = 0) -> int:
        return len(self.content) if name == "len" else 0

    def packet(self) -> bytearray:
        return self.content


def run_suite(files: Iterable[Path]) -> list[Outcome]:
    """What becomes of the cases in `files`. Raises OSError for a file that cannot be read."""
    return [run_file(path.read_bytes(), path.name) for path in files]


def run_file(content: bytes, name: str) -> Outcome:
    """What becomes of the case in a file called `name`; a file that is none has failed."""
    try:
        return run_case(read_case(content, name))
    except CaseError as error:
        return Outcome(name, FAILED, str(error))


def run_case(case: Case) -> Outcome:
    """What becomes of one case. Why a program is refused is not compared: every machine has its words."""
    if case.refusal:
        return _refused(case, FAILED, case.refusal)
    try:
        value = _result(case)
    except (LoadError, Fault) as error:
        unsupported = isinstance(error, Unsupported)
        return _refused(case, UNSUPPORTED if unsupported else FAILED, str(error))
    if case.result is None:
        return Outcome(case.name, FAILED, f"it ran and gave {value:#x}, where it must be refused")
    if value != case.result:
        return Outcome(case.name, FAILED, f"it gave {value:#x}, not {case.result:#x}")
    return Outcome(case.name, PASSED)


def _refused(case: Case, verdict: str, reason: str) -> Outcome:
    """The outcome of a program that was refused: it passes if it must be, else `verdict`."""
    return Outcome(case.name, PASSED) if case.result is None else Outcome(case.name, verdict, reason)


def _result(case: Case) -> int:
    """r0 at the end of the case. Raises LoadError or Fault."""
    first = len(_PROLOGUE)
    instructions = dict(enumerate(_PROLOGUE))
    instructions.update({first + slot: each for slot, each in case.instructions.items()})
    program = Program("case", "", _KIND, instructions, functions={0: "case"})
    object_ = Object("little", "GPL", {program.name: program}, {})
    environment = Environment(GENERIC)
    return run(load(object_, program.name, {}, {}, environment), _Buffer(case.memory), environment).value
