"""An object that was put together from text is a file that reads back the same, for every loader."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skverdict.codegen import Target, build, read_object
from skverdict.codegen.assembler import assemble
from skverdict.codegen.disassembler import disassemble
from skverdict.codegen.instruction_set import OPERATIONS, Operation, jump_target
from skverdict.codegen.object_writer import object_bytes
from skverdict.dsl import load_policy

from tests.codegen.sample_objects import SAMPLES, object_of
from tests.codegen.test_disassembler import text_of
from tests.codegen.test_instruction_set import example_of
from tests.interop.conftest import InspectAll
from tests.interop.conftest import inspect_all as inspect_all  # a fixture
from tests.interop.conftest import tree as tree  # a fixture
from tests.interop.twins import CORPUS, CPUS, TARGETS, TWINS, Twin

EVERY = [*TWINS, *CORPUS]
BUILDS = list(itertools.product(CPUS, TARGETS))


@pytest.mark.parametrize("twin", EVERY, ids=str)
def test_every_policy_s_object_survives_its_text(twin: Twin) -> None:
    policy = load_policy(twin.policy)
    for cpu, endian in BUILDS:
        read = read_object(build(policy, Target(cpu, endian)))
        text = disassemble(read)
        again = read_object(object_bytes(assemble(text)))
        assert disassemble(again) == text
        for name, program in read.programs.items():
            assert again.programs[name].instructions == program.instructions


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_of_clang_s_survives_its_text(name: str) -> None:
    text = disassemble(object_of(name))
    assert disassemble(read_object(object_bytes(assemble(text)))) == text


def test_what_is_written_is_the_same_each_time() -> None:
    text = disassemble(object_of(SAMPLES[0]))
    assert object_bytes(assemble(text)) == object_bytes(assemble(text))


def test_libbpf_opens_what_is_written(inspect_all: InspectAll, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("written")
    paths = []
    for twin in EVERY:
        path = folder / f"{twin}.o"
        path.write_bytes(object_bytes(assemble(disassemble(read_object(build(load_policy(twin.policy)))))))
        paths.append(path)
    for path, seen in zip(paths, inspect_all(*paths), strict=True):
        assert seen["opened"] and not seen["log"], f"{path.name}: {seen['log']}"


# What can stand anywhere in a program by itself: no jumps, calls of functions or references.
PLAIN = [
    row
    for row in OPERATIONS
    if jump_target(0, example_of(row), row) is None
    and row.family not in ("call", "exit")
    and not (row.family == "constant" and row.name != "value")
]


@st.composite
def lines(draw: st.DrawFn, row: Operation) -> str:
    """The text of an instruction of that row with any registers."""
    instruction = example_of(row)
    if "offset" in row.fields:
        instruction = instruction._replace(offset=draw(st.integers(-(1 << 15), (1 << 15) - 1)))
    if "imm" in row.fields:
        instruction = instruction._replace(imm=draw(st.integers(-(1 << 31), (1 << 31) - 1)))
    return text_of(instruction)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.lists(st.sampled_from(PLAIN).flatmap(lines), min_size=1, max_size=40), st.sampled_from(list(TARGETS)))
def test_any_valid_instructions_survive_their_text(texts: list[str], endian: str) -> None:
    body = "\n".join(texts)
    made = assemble(f'endian {endian}\nlicense "GPL"\nprogram test sk_msg\ntest:\n{body}\nexit\n')
    text = disassemble(made)
    again = read_object(object_bytes(made))
    assert again.programs["test"].instructions == made.programs["test"].instructions
    assert disassemble(again) == text == disassemble(assemble(text))
