"""The corpus of the language: bodies that mean what they mean in Python, and policies that kernels accept."""

from __future__ import annotations

from pathlib import Path

import pytest
from skverdict.codegen import CodegenError, Target, build, read_object
from skverdict.dsl import (
    SK_DROP,
    SK_PASS,
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
from tests.dsl.policy_kit import compiled, machine

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
