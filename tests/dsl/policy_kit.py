"""What the front end's tests are written with: policies as text, their errors, runs of their objects."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import dedent

from skverdict.codegen import Target, build, read_object
from skverdict.dsl import Diagnostic, Policy, PolicyError, load_policy
from skverdict.dsl.ir.check import check_module
from skverdict.dsl.ir.module import Function, Operation
from skverdict.runtime.machine.environment import HelperFunction
from skverdict.runtime.machine.load import data_memory, load
from skverdict.runtime.machine.run import Result, run
from skverdict.runtime.maps.base import Map
from skverdict.runtime.maps.create import create_map

from tests.corpus.language import PRELUDE
from tests.runtime.machine_kit import TestContext, environment

# Lines before the first line of the text given to `compiled` and `errors`.
PRELUDE_LINES = 1


def compiled(text: str, name: str = "policy.py", others: Mapping[str, str] | None = None) -> Policy:
    """The policy whose text follows the import of everything; `others` are modules beside it."""
    with tempfile.TemporaryDirectory() as folder:
        for other, content in (others or {}).items():
            (Path(folder) / other).write_text(content)
        path = Path(folder) / name
        path.write_text(PRELUDE + dedent(text).lstrip("\n"))
        policy = load_policy(path)
    check_module(policy.module)
    return policy


def program_text(body: str, kind: str = "skb_verdict", before: str = "") -> str:
    """A policy of declarations and one program named `program`, whose context is `ctx`."""
    context = {"msg_verdict": "SkMsg", "sock_ops": "SockOps"}.get(kind, "SkSkb")
    indented = "".join(f"    {line}\n" if line else "\n" for line in dedent(body).strip("\n").split("\n"))
    head = dedent(before).strip("\n")
    head = f"{head}\n" if head else ""
    return f"{head}@{kind}\ndef program(ctx: {context}) -> i32:\n{indented}"


def errors(text: str, name: str = "policy.py", others: Mapping[str, str] | None = None) -> list[Diagnostic]:
    """All errors of a policy that must be refused."""
    try:
        compiled(text, name, others)
    except PolicyError as error:
        return list(error.diagnostics)
    raise AssertionError("the policy was not refused")


def body_errors(body: str, kind: str = "skb_verdict", before: str = "") -> list[tuple[int, int, str]]:
    """The errors of one program: line (from 1 at the start of the body), column in the body, message."""
    text = program_text(body, kind, before)
    first = PRELUDE_LINES + text[: text.index("def program")].count("\n") + 1
    return [(one.line - first, one.column - 4, one.message) for one in errors(text)]


def body_error(body: str, kind: str = "skb_verdict", before: str = "") -> tuple[int, int, str]:
    """The only error of one program."""
    found = body_errors(body, kind, before)
    assert len(found) == 1, found
    return found[0]


def hint(body: str, kind: str = "skb_verdict", before: str = "") -> str:
    """What the only error of one program says to write instead."""
    (found,) = errors(program_text(body, kind, before))
    return found.hint


def program(body: str, kind: str = "skb_verdict", before: str = "") -> Function:
    """The IR of one program."""
    (function,) = compiled(program_text(body, kind, before)).module.functions
    return function


def operations(function: Function, name: str = "") -> Iterator[Operation]:
    """The operations of a function, or those of one name, in order."""
    for block in function.blocks:
        for operation in block.operations:
            if name in ("", operation.name):
                yield operation


class Machine:
    """An object made of a policy, its maps, and a way to run its programs on contexts of given fields."""

    def __init__(self, policy: Policy, target: Target = Target()) -> None:  # noqa: B008
        self.object = read_object(build(policy, target))
        self.maps: dict[str, Map] = {name: create_map(spec) for name, spec in self.object.maps.items()}

    def run(
        self,
        packet: bytearray | bytes = b"",
        name: str = "program",
        helpers: Mapping[str, HelperFunction] | None = None,
        **fields: object,
    ) -> int:
        """What the program returns, as an i32."""
        value = self.result(packet, name, helpers, **fields).value & 0xFFFF_FFFF
        return value - (1 << 32) if value >> 31 else value

    def result(
        self,
        packet: bytearray | bytes = b"",
        name: str = "program",
        helpers: Mapping[str, HelperFunction] | None = None,
        **fields: object,
    ) -> Result:
        context = TestContext(self.object.programs[name].kind, packet, None, **fields)
        surroundings = environment(helpers=helpers or {})
        loaded = load(self.object, name, self.maps, data_memory(self.object), surroundings)
        return run(loaded, context, surroundings)


def machine(body: str, kind: str = "skb_verdict", before: str = "") -> Machine:
    """One program, ready to run."""
    return Machine(compiled(program_text(body, kind, before)))


def returned(body: str, before: str = "", packet: bytes = b"", **fields: object) -> int:
    """What the body of a program returns."""
    return machine(body, before=before).run(packet, **fields)
