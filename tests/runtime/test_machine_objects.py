"""Programs as compilers make them: `tests/data/objects/sample.c` by three clangs, in both byte orders."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import pytest
from skverdict.codegen import read_object
from skverdict.codegen.object import Object
from skverdict.runtime.machine.environment import Environment
from skverdict.runtime.machine.load import data_memory, load
from skverdict.runtime.machine.memory import Bytes
from skverdict.runtime.machine.run import Result, run
from skverdict.runtime.maps.base import Map
from skverdict.runtime.maps.create import create_map
from skverdict.runtime.maps.hash import HashMap

from tests.runtime.machine_kit import TestContext, environment

OBJECTS = sorted((Path(__file__).parents[1] / "data" / "objects").glob("*.o"))
ORDERS = {"little": "<", "big": ">"}


class SocketsByName(HashMap):
    """Stands for a map of sockets; the redirects of this test look nothing up."""

    def __init__(self, kind: str, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.kind = kind


class Machine:
    """An object with its maps and data, and helpers that take every redirect."""

    def __init__(self, path: Path) -> None:
        self.object: Object = read_object(path.read_bytes(), path.name)
        self.order = ORDERS[self.object.endian]
        makers = {
            kind: lambda spec, order, kind=kind: SocketsByName(kind, spec, order)
            for kind in ("sockmap", "sockhash")
        }
        order = self.object.endian
        self.maps: Mapping[str, Map] = {
            name: create_map(spec, order, makers=makers)  # type: ignore[arg-type]
            for name, spec in self.object.maps.items()
        }
        self.data: Mapping[str, Bytes] = data_memory(self.object)
        self.environment: Environment = environment(
            helpers={"bpf_sk_redirect_map": lambda *_: 1, "bpf_msg_redirect_hash": lambda *_: 1}
        )

    def run(self, name: str, context: TestContext) -> Result:
        program = load(self.object, name, self.maps, self.data, self.environment)
        return run(program, context, self.environment)

    def redirect(self, result: Result) -> tuple[object, ...]:
        """The arguments of the one redirect that was asked for, without the context; maps by name."""
        (call,) = [call for call in result.calls if "redirect" in call.name]
        return tuple(each.name if isinstance(each, Map) else each for each in call.arguments[1:])


@pytest.fixture(params=OBJECTS, ids=lambda path: path.stem)
def machine(request: pytest.FixtureRequest) -> Machine:
    return Machine(request.param)


def test_a_parser_gives_the_length(machine: Machine) -> None:
    assert machine.run("parser", TestContext("stream_parser", len=77)).value == 77


def test_a_verdict_redirects_known_ports_and_counts(machine: Machine) -> None:
    known = TestContext(len=100, local_port=8080)
    assert machine.run("to_first", TestContext(len=10, local_port=22)).value == 0
    result = machine.run("to_first", known)
    assert result.value == 1
    assert machine.redirect(result) == ("sockets", 0, 0)
    assert int.from_bytes(machine.data[".bss"].content[:8], machine.object.endian) == 110  # type: ignore[arg-type]


def test_subprograms_atomics_and_constants(machine: Machine) -> None:
    port = struct.unpack(machine.order + "I", struct.pack(">I", 40000))[0]
    key = struct.pack(machine.order + "Q", port)
    machine.maps["counters"].update(key, bytes(16))
    for length in (1500, 200):
        assert machine.redirect(machine.run("to_second", TestContext(len=length, remote_port=40000))) == (
            "sockets",
            1,
            1,
        )
    # Longer than the constant in .rodata: passed.
    large = machine.run("to_second", TestContext(len=1501, remote_port=40000))
    assert large.value == 1
    assert [call.name for call in large.calls] == ["bpf_map_lookup_elem"]
    counter = machine.maps["counters"].read(key)
    assert struct.unpack(machine.order + "2Q", counter) == (3, 1500 + 200 + 1501)


# What begins with G and no E behind it is dropped.
@pytest.mark.parametrize(("content", "passes"), [(b"GET /", True), (b"Ge", False), (b"G", True), (b"", True)])
def test_a_message_is_looked_into(machine: Machine, content: bytes, passes: bool) -> None:
    context = TestContext("msg_verdict", packet=content, remote_ip4=0x7F000002, local_ip4=0x7F000001)
    result = machine.run("to_peer", context)
    assert result.value == int(passes)
    if passes:
        key = bytes((127, 0, 0, 2, 127, 0, 0, 1))
        assert machine.redirect(result) == ("peers", key, 1 << 40)
    else:
        assert result.calls == ()
