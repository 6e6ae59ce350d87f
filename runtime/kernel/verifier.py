"""The verifier's refusals, told by the policy's lines.

The log has the instructions in the order in which the verifier walked them, each with the registers that it
changed, then what it refused, then its statistics:

    7: (79) r1 = *(u64 *)(r0 +0)          ; R0_w=map_value_or_null(id=1,...) R1=...
    R0 invalid mem access 'map_value_or_null'
    processed 7 insns (limit 1000000) ...
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from skverdict.codegen.object import Object, Program
from skverdict.dsl.errors import Diagnostic, Place
from skverdict.runtime.kernel.explanations import Explanation, explanation

_REFUSED = re.compile(r"libbpf: prog '(?P<program>[^']*)': BPF program load failed")
_INSTRUCTION = re.compile(r"(\d+): \([0-9a-f]{2}\) (.*?)(?:\s*; (.*))?$")
_STATE = re.compile(r"\bR(\d+)(?:_[a-z]+)?=((?:[^\s(]|\([^()]*(?:\([^()]*\)[^()]*)*\))+)")
_BRANCH = re.compile(r"from \d+ to \d+:|\d+: R\d")
# What stands between the last instruction and the message: states, source lines, and how it kept track.
_NO_MESSAGE = re.compile(
    r"; |processed \d|from \d+ to \d+|\d+: |cur state:|old state:|mark_precise|last_idx|regs=|parent |func#"
    r"|frame|caller:|callee:|returning from callee|to caller|verification time|stack depth \d+[+\d]*$"
    r"|\(\w+\) |propagating|BPF_EXIT instruction"
)
_NUMBERED = re.compile(r"(?:loop detected at|back-edge from|unreachable) insn (\d+)")
_TAKEN = re.compile(r"alloc_insn=(\d+)")
_NAMED = re.compile(r"\bR(\d+)\b")
_OPERAND = re.compile(r"\b[rw](\d+)\b")
_OTHER_KIND = re.compile(r"R(\d+) invalid mem access '(\w+)'")


#: Stands at the end of a log that did not fit.
CUT = "the log ends in the middle: it is too long to be kept"


class Complaint(NamedTuple):
    """What a log ends in.

    `slot` is the instruction that was refused, None where that is said of the program as a whole, and `text`
    that instruction. `registers` are those that it is about, by name, as the verifier knew them. `taken` is
    where something was taken that is never given back.
    """

    message: str
    slot: int | None
    text: str
    registers: Mapping[str, str]
    taken: int | None = None


class VerifierError(Exception):
    """The kernel's verifier refuses a program.

    `program` is its name and `reason` the verifier's message. `file`, `line` and `column` are the place in
    the policy, the numbers 0 where the object does not tell. `instruction` is the refused one, with its
    number, and `registers` the state that mattered. `explanation` says in plain words what the message
    means, if it is a frequent one. `log` is everything that the verifier said.
    """

    def __init__(self, program: str, code: Program | None, log: str) -> None:
        complaint = read_log(log)
        self.program = program
        self.log = log
        self.reason = complaint.message
        self.registers = complaint.registers
        self.instruction = "" if complaint.slot is None else f"{complaint.slot}: {complaint.text}"
        known = explanation(complaint.message)
        self.explanation = known.meaning if known else ""
        place = _place(code, complaint.slot or 0)
        self.file, self.line, self.column = place.file, place.line, place.column
        taken = None if complaint.taken is None else _place(code, complaint.taken)
        super().__init__(_told(self, place, known, taken))


def _place(code: Program | None, slot: int) -> Place:
    """Where an instruction comes from; line 0 if the object does not tell."""
    source = None if code is None else code.line_at(slot)
    if source is None:
        return Place("", 0, 0)
    return Place(source.file, source.line, max(source.column, 1), text=source.text)


def _told(error: VerifierError, place: Place, known: Explanation | None, taken: Place | None) -> str:
    """The error's text."""
    message = f"the verifier refuses {error.program}: {error.reason}"
    hint = "" if known is None else "; ".join(filter(None, (known.meaning, known.remedy)))
    notes = [(taken, "it was taken here")] if taken and taken.line else []
    if place.line:
        lines = [str(Diagnostic(place, message, hint, notes))]
    else:
        lines = [message, *([f"  help: {hint}"] if hint else [])]
    if error.instruction:
        lines.append(f"  instruction {error.instruction}")
    lines += [f"    {name} = {state}" for name, state in error.registers.items()]
    return "\n".join(lines)


def rejection(source: Object, said: str, log: str, number: int) -> VerifierError | None:
    """The refusal that libbpf tells of in `said`, if it is one: libbpf gives up at the first.

    `log` is what the verifier wrote, nothing if the program did not come to it. `number` is the kernel's
    error; ENOSPC is that of a log that did not fit.
    """
    found = _REFUSED.search(said)
    if found is None or not log.strip():
        return None
    whole = log + (f"\n{CUT}\n" if number == errno.ENOSPC else "")
    return VerifierError(found["program"], source.programs.get(found["program"]), whole)


def read_log(log: str) -> Complaint:
    """What the verifier complains of at the end of `log`."""
    states: dict[str, str] = {}
    slot, text = None, ""
    behind: list[str] = []
    for line in log.splitlines():
        found = _INSTRUCTION.match(line)
        if found:
            slot, text = int(found[1]), found[2]
            states.update(_states(found[3] or ""))
            behind = []
        elif _BRANCH.match(line):
            states.update(_states(line))
        else:
            behind.append(line)
    message = _message(behind)
    elsewhere, taken = _NUMBERED.search(message), _TAKEN.search(message)
    if elsewhere:
        return Complaint(message, int(elsewhere[1]), _text_of(log, int(elsewhere[1])), {})
    other = _OTHER_KIND.search(message)
    if other and not states.get(f"R{other[1]}", other[2]).startswith(other[2]):
        # A call has ended it since, which the log does not show.
        states[f"R{other[1]}"] = f"{other[2]}, before the call {states[f'R{other[1]}']}"
    numbers = _NAMED.findall(message) or _OPERAND.findall(text) or (range(1, 6) if "call" in text else ())
    return Complaint(message, slot, text, _chosen(states, numbers), int(taken[1]) if taken else None)


def _states(text: str) -> dict[str, str]:
    return {f"R{number}": state for number, state in _STATE.findall(text)}


def _message(lines: Iterable[str]) -> str:
    """The line that says what is wrong: the first that is explained, or the first at all."""
    candidates = [line.strip() for line in lines if line.strip() and not _NO_MESSAGE.match(line)]
    explained = (line for line in candidates if explanation(line))
    return next(explained, candidates[0] if candidates else "no reason is given")


def _chosen(states: Mapping[str, str], numbers: Iterable[str | int]) -> dict[str, str]:
    names = dict.fromkeys(f"R{number}" for number in numbers)
    return {name: states[name] for name in names if name in states}


def _text_of(log: str, slot: int) -> str:
    """The instruction at `slot` as the log has it last."""
    found = re.findall(rf"^{slot}: \([0-9a-f]{{2}}\) (.*?)(?:\s*;.*)?$", log, re.MULTILINE)
    return str(found[-1]) if found else ""
