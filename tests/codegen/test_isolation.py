"""Code generation in a child process, whose death is an error like any other."""

from __future__ import annotations

import os
import signal

import pytest
from skverdict.codegen import CodegenError, Target, build
from skverdict.codegen.isolation import isolated
from skverdict.dsl.errors import Place

from tests.dsl.policy_kit import compiled, program_text


def test_an_object_is_the_same_as_without() -> None:
    policy = compiled(program_text("return i32(u8(ctx.len))"))
    assert build(policy, Target("v2", "big"), isolate=True) == build(policy, Target("v2", "big"))


def test_an_error_is_the_same_as_without() -> None:
    def make() -> bytes:
        raise CodegenError("too much", Place("p.py", 3, 4, text="text"), "less")

    with pytest.raises(CodegenError) as caught:
        isolated(make, "p.py")
    assert str(caught.value) == "p.py:3:4: error: too much\n 3 | text\n   |    ^\n  help: less"


def killed() -> bytes:
    os.write(2, b"LLVM ERROR: cannot select\n\n")
    os.kill(os.getpid(), signal.SIGKILL)
    return b""


def ended() -> bytes:
    os._exit(70)


def raising() -> bytes:
    raise ValueError("ours")


DEATHS = {
    killed: "the code generator died on this policy (signal SIGKILL): LLVM ERROR: cannot select",
    ended: "the code generator died on this policy (exit status 70)",
    raising: "the code generator died on this policy (exit status 1): ValueError: ours",
}


@pytest.mark.parametrize("make", DEATHS, ids=lambda make: make.__name__)
def test_the_death_of_the_child_is_an_error(make: object) -> None:
    with pytest.raises(CodegenError) as caught:
        isolated(make, "p.py")  # type: ignore[arg-type]
    assert caught.value.diagnostics[0].message == DEATHS[make]  # type: ignore[index]


def test_large_objects_come_through() -> None:
    assert isolated(lambda: bytes(1 << 20), "p.py") == bytes(1 << 20)
