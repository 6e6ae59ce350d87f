"""Which of LLVM's passes a module goes through, and that the short pipeline is no worse where it is used."""

from __future__ import annotations

from pathlib import Path

import pytest
from skverdict.codegen import Target, build, object_builder, read_object
from skverdict.codegen.pipeline import DEFAULT, STRAIGHT, passes_for
from skverdict.dsl import load_policy
from skverdict.dsl.ir.module import Module

from tests.interop.twins import CORPUS, Twin

HEAD = "from skverdict.dsl import *\n\n"
PROGRAM = "@skb_verdict\ndef program(ctx: SkSkb) -> i32:\n"
STRAIGHT_BODY = "    if ctx.len > 100:\n        return SK_DROP\n    return SK_PASS\n"
LOOP = "    total: u32 = 0\n    for n in range(ctx.len & 31):\n        total += n\n    return i32(total & 1)\n"
SECOND = "\n@stream_parser\ndef parser(ctx: SkSkb) -> i32:\n    return i32(ctx.len & 1023)\n"
SUBPROGRAM = "@subprogram\ndef half(number: u32) -> u32:\n    return number >> 1\n\n"
CALL = "    return i32(half(ctx.len) & 1)\n"


def module(tmp_path: Path, text: str) -> Module:
    path = tmp_path / "policy.py"
    path.write_text(HEAD + text, encoding="utf-8")
    loaded: Module = load_policy(path).module
    return loaded


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        (PROGRAM + STRAIGHT_BODY, STRAIGHT),
        (PROGRAM + STRAIGHT_BODY + SECOND, STRAIGHT),
        (PROGRAM + LOOP, DEFAULT),
        (SUBPROGRAM + PROGRAM + CALL, DEFAULT),
    ],
    ids=("straight", "two programs", "loop", "subprogram"),
)
def test_loops_and_calls_take_the_default_pipeline(
    tmp_path: Path, text: str, passes: tuple[str, ...]
) -> None:
    assert passes_for(module(tmp_path, text)) == passes


@pytest.mark.parametrize("cpu", ("v1", "v4"))
def test_the_short_pipeline_gives_code_as_short(cpu: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the corpus, to one instruction in a hundred."""
    policies = [load_policy(twin.policy) for twin in CORPUS]
    short = [slots(build(policy, Target(cpu))) for policy in policies]
    monkeypatch.setattr(object_builder, "passes_for", lambda module: DEFAULT)
    default = [slots(build(policy, Target(cpu))) for policy in policies]
    assert short != default
    assert sum(short) <= 1.01 * sum(default)


def slots(content: bytes) -> int:
    return sum(program.slots for program in read_object(content).programs.values())


def test_corpus_has_both_kinds() -> None:
    def chosen(twin: Twin) -> bool:
        return passes_for(load_policy(twin.policy).module) == STRAIGHT

    assert {chosen(twin) for twin in CORPUS} == {True, False}
