"""Files of a conformance suite: a program, the memory it gets, and what must come of it.

A file has sections under headings, and `#` starts a comment anywhere::

    -- asm                  instructions by their mnemonics (`codegen.mnemonics`)
    -- raw                  or as bytes, or numbers of 64 bits, which count more than assembly
    -- mem                  bytes in hexadecimal: r1 points to them, r2 is their number
    -- result               what r0 must hold at the end
    -- error                or, if it must be refused, what another machine says to it

Sections `c` and `no register offset` are for other readers.
"""

from __future__ import annotations

import re
from typing import NamedTuple, NoReturn

from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import SLOT_SIZE, decode_instructions
from skverdict.codegen.object_error import ObjectError

_HEADING = re.compile(r"--\s*(\w[\w ]*?)\s*")
_COMMENT = re.compile(r"#.*")
_BYTE = re.compile(r"(?:0x)?([0-9a-fA-F]{1,2})")
_NUMBER = re.compile(r"[+-]?(0x[0-9a-fA-F]{1,16}|[0-9]{1,20})")

_READ = ("asm", "raw", "mem", "result", "error")
_SKIPPED = ("c", "no register offset")


class CaseError(Exception):
    """A file that is no case: which, at which line, and why."""


class Case(NamedTuple):
    """A case. `result` is what r0 must hold, as an unsigned number; None if the program must be refused.

    `refusal` says why the text is no program, if it is none.
    """

    name: str
    instructions: dict[int, Instruction]
    memory: bytes
    result: int | None
    refusal: str = ""


class _Section(NamedTuple):
    """The lines of a section: numbers counted from 1, comments taken out."""

    name: str
    lines: list[tuple[int, str]]


def read_case(content: bytes, name: str) -> Case:
    """The case in a file. Raises CaseError."""
    return _CaseReader(content, name).case()


class _CaseReader:
    def __init__(self, content: bytes, name: str) -> None:
        self.name = name
        self.text = content.decode("utf-8", errors="replace").replace("\r\n", "\n")
        self.sections = {section.name: section for section in self._sections()}

    def _refuse(self, line: int, problem: str) -> NoReturn:
        raise CaseError(f"{self.name}:{line}: {problem}")

    def _sections(self) -> list[_Section]:
        sections: list[_Section] = []
        for number, full in enumerate(self.text.split("\n"), 1):
            line = _COMMENT.sub("", full)
            heading = _HEADING.fullmatch(line)
            if heading:
                if heading[1] not in (*_READ, *_SKIPPED):
                    self._refuse(number, f"there is no section {heading[1]}")
                sections.append(_Section(heading[1], []))
            elif line.strip():
                if not sections:
                    self._refuse(number, "this line is in no section")
                sections[-1].lines.append((number, line))
        return sections

    def case(self) -> Case:
        if "result" not in self.sections and "error" not in self.sections:
            self._refuse(1, "the file has neither a result nor an error")
        result = None if "error" in self.sections else self._number("result", -(1 << 63)) % (1 << 64)
        memory = self._memory()
        try:
            return Case(self.name, self._instructions(), memory, result)
        except ObjectError as error:
            return Case(self.name, {}, memory, result, str(error))

    def _number(self, section: str, least: int) -> int:
        """The one number of a section."""
        lines = self.sections[section].lines
        if len(lines) != 1:
            self._refuse(lines[1][0] if lines else 1, f"section {section} has {len(lines)} lines, not one")
        ((number, line),) = lines
        return self._integer(number, line.strip(), least)

    def _integer(self, line: int, text: str, least: int = 0) -> int:
        value = int(text, 16 if "x" in text else 10) if _NUMBER.fullmatch(text) else None
        if value is None or not least <= value < 1 << 64:
            self._refuse(line, f"{text[:40]} is no number of 64 bits")
        return value

    def _memory(self) -> bytes:
        return bytes(self._byte(number, word) for number, word in self._words("mem"))

    def _byte(self, line: int, text: str) -> int:
        byte = _BYTE.fullmatch(text)
        if byte is None:
            self._refuse(line, f"{text[:40]} is no byte in hexadecimal")
        return int(byte[1], 16)

    def _lines(self, section: str) -> list[tuple[int, str]]:
        return self.sections[section].lines if section in self.sections else []

    def _words(self, section: str) -> list[tuple[int, str]]:
        """The words of a section, each with the number of its line."""
        return [(number, word) for number, line in self._lines(section) for word in line.split()]

    def _instructions(self) -> dict[int, Instruction]:
        raw = self._words("raw")
        if raw:
            return decode_instructions(self._raw(raw), "little")
        lines = dict(self._lines("asm"))
        if not lines:
            self._refuse(1, "the file has no instructions")
        from skverdict.codegen.mnemonics import assemble_mnemonics

        # The lines stay where they are in the file, so that errors name its lines.
        text = "\n".join(lines.get(number, "") for number in range(1, max(lines) + 1))
        return assemble_mnemonics(text, self.name)

    def _raw(self, words: list[tuple[int, str]]) -> bytes:
        if all(len(word) == 2 for _, word in words):
            return bytes(self._byte(number, word) for number, word in words)
        return b"".join(self._integer(*word).to_bytes(SLOT_SIZE, "little") for word in words)
