"""Large switches: clang 22 makes jump tables of them at -mcpu=v4, which do what comparisons do at v3."""

from __future__ import annotations

from pathlib import Path

import pytest
from skverdict.codegen import read_object
from skverdict.codegen.assembler import assemble
from skverdict.codegen.disassembler import disassemble
from skverdict.codegen.object import Object
from skverdict.codegen.object_writer import object_bytes
from skverdict.runtime import Simulator

from tests.interop.conftest import path_of
from tests.interop.toolchain import CLANG_22
from tests.interop.twins import TARGETS, compile_c

SOURCE = Path(__file__).parents[1] / "corpus" / "jump_tables" / "switches.c"


@pytest.fixture(scope="module", params=TARGETS)
def objects(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Object, Object]:
    """The object at v3 and at v4."""
    folder = tmp_path_factory.mktemp("switches")
    clang = path_of(CLANG_22)
    compiled = (compile_c(clang, SOURCE, folder / f"{cpu}.o", cpu, request.param) for cpu in ("v3", "v4"))
    first, second = (read_object(path.read_bytes()) for path in compiled)
    return first, second


def counted(content: Object) -> list[int]:
    """What the program counts of messages of each length up to 40."""
    simulator = Simulator(content)
    simulator.attach("sockets", msg_verdict="verdict")
    client, server = simulator.tcp_pair()
    simulator.maps["sockets"][0] = client
    seen = []
    for length in range(1, 41):
        client.send(bytes(length))
        assert len(server.recv_all()) == length
        seen.append(simulator.maps["total"][0])
    return seen


def test_a_table_leads_where_comparisons_do(objects: tuple[Object, Object]) -> None:
    compared, jumped = objects
    assert not compared.programs["verdict"].tables
    assert len(jumped.programs["verdict"].tables) == 2
    assert counted(jumped) == counted(compared)


def test_an_object_with_tables_comes_through_text(objects: tuple[Object, Object]) -> None:
    text = disassemble(objects[1])
    again = read_object(object_bytes(assemble(text)))
    assert disassemble(again) == text
    assert again.programs["verdict"].tables == objects[1].programs["verdict"].tables
