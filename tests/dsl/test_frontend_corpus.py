"""The corpus of the language: bodies that mean what they mean in Python, and policies that are refused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from skverdict.codegen import CodegenError, Target, build, read_object
from skverdict.dsl import (
    SK_DROP,
    SK_PASS,
    Diagnostic,
    PolicyError,
    i8,
    i16,
    i32,
    i64,
    load_policy,
    u8,
    u16,
    u32,
    u64,
)
from skverdict.dsl.catalogue.programs import KERNELS
from skverdict.dsl.ir.check import check_module

from tests.corpus.language import ACCEPTED, PRELUDE, Entry, entries
from tests.dsl.policy_kit import PRELUDE_LINES, compiled, errors, machine, program_text

GLOBALS = {
    "SK_DROP": SK_DROP,
    "SK_PASS": SK_PASS,
    **{type_.__name__: type_ for type_ in (i8, i16, i32, i64, u8, u16, u32, u64)},
}


def named(*files: str) -> object:
    """A test's parameters: the entries of some files by their names."""
    found = [entry for file in files for entry in entries(file)]
    return pytest.mark.parametrize("entry", found, ids=lambda entry: entry.name)


@named("bodies.txt")
def test_bodies_mean_what_they_mean_in_python(entry: Entry) -> None:
    names: dict[str, object] = dict(GLOBALS)
    indented = "".join(f"    {line}\n" for line in entry.text.splitlines())
    exec(f"def program(ctx):\n{indented}", names)
    compiled = machine(entry.text)
    for length in range(8):
        for other in (0, 3, 9):
            context = type("Context", (), {"len": length, "hash": other})()
            expected = int(names["program"](context))  # type: ignore[operator]
            assert compiled.run(len=length, hash=other) == expected, (length, other)


def shown(found: Sequence[Diagnostic], first: int, indent: int) -> str:
    """Errors as the corpus writes them, for a text whose line 1 is line `first` + 1 of the file."""
    lines = []
    for one in found:
        message = re.sub(r"\bline (\d+)", lambda match: f"line {int(match[1]) - first}", one.message)
        lines.append(f"--- {one.line - first}:{one.column - indent}: {message}")
        if one.hint:
            lines.append(f"help: {one.hint}")
    return "\n".join(lines)


@named("refused_bodies.txt", "refused_bytes.txt", "refused_printing.txt")
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_refused_bodies(entry: Entry) -> None:
    text = program_text(entry.text)
    first = PRELUDE_LINES + text[: text.index("def program")].count("\n") + 1
    assert shown(errors(text), first, 4) == entry.expected


@named("refused_policies.txt", "refused_shared.txt")
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_refused_policies(entry: Entry) -> None:
    assert shown(errors(entry.text), PRELUDE_LINES, 0) == entry.expected


@named(*ACCEPTED)
@pytest.mark.parametrize("kernel", KERNELS)
def test_accepted_policies(entry: Entry, kernel: str, tmp_path: Path) -> None:
    """What kernels accept (`python -m tests.kernel objects`) is compiled for them, without a warning of theirs."""
    path = tmp_path / "policy.py"
    path.write_text(PRELUDE + entry.text)
    since = entry.marks.get("since", kernel)
    if KERNELS.index(kernel) < KERNELS.index(since):
        with pytest.raises(PolicyError, match=f"Linux {kernel}"):
            load_policy(path, kernel)
    else:
        check_module(load_policy(path, kernel).module)


@named(*ACCEPTED)
def test_accepted_policies_are_built(entry: Entry) -> None:
    policy = compiled(entry.text)
    for target in (Target("v1"), Target("v3"), Target("v4"), Target("v2", "big")):
        if target.cpu < entry.marks.get("cpu", ""):
            with pytest.raises(CodegenError, match=f"cpu {target.cpu}"):
                build(policy, target)
        else:
            assert set(read_object(build(policy, target)).programs) >= {
                function.name for function in policy.module.functions if function.kind != "subprogram"
            }
