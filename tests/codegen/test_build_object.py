"""The object file: what loaders look for is there, nothing else is, and it is the same on every machine."""

from __future__ import annotations

import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from skverdict.codegen import Target, build, read_object
from skverdict.codegen.btf import Btf
from skverdict.codegen.btf_types import Composite, Function, Section, Variable
from skverdict.dsl.ir.module import Local, Map, Module
from skverdict.dsl.ir.types import BE32, I32, I64, U8, U32, U64, Array, lay_out

from tests.codegen.ir_kit import FILE, HandPolicy, ProgramBuilder, module_of

TARGETS = (Target("v1"), Target("v3"), Target("v4", "big"))
each_target = pytest.mark.parametrize("target", TARGETS, ids=repr)

KEY = lay_out("SocketKey", [("src_ip", BE32), ("dst_ip", BE32), ("ports", Array(U32, 2)), ("flag", U8)])
MAPS = (
    Map("sock_map_rx", "sockmap", U32, U64, 2),
    Map("sock_hash_rx", "sockhash", KEY, U64, 1024),
    Map("counters", "lru_hash", U8, U64, 16, flags=2),
)


def sample() -> Module:
    """Two stream programs and a message program, over three maps."""
    parser = ProgramBuilder("parser", "stream_parser")
    length = parser.get(U32, "context.load", parser.context, field="len")
    parser.do("return", parser.get(I32, "convert", length))

    key = Local("key", KEY)
    verdict = ProgramBuilder("verdict", locals=[key])
    verdict.do("local.zero", local="key")
    address = verdict.get(BE32, "context.load", verdict.context, field="remote_ip4")
    verdict.do("store", verdict.member(verdict.address(key), "src_ip"), address)
    redirected = verdict.get(
        I64,
        "call.helper",
        verdict.context,
        verdict.map("sock_hash_rx"),
        verdict.address(key),
        verdict.const(U64, 0),
        helper="bpf_sk_redirect_hash",
    )
    verdict.do("return", verdict.get(I32, "convert", redirected))

    other = ProgramBuilder("other", "stream_verdict")
    other.answer(1)
    message = ProgramBuilder("message", "msg_verdict")
    message.answer(0)
    functions = (parser.function, verdict.function, other.function, message.function)
    return module_of(*functions, maps=MAPS, structs=[KEY])


def elf(content: bytes) -> ELFFile:
    return ELFFile(BytesIO(content))


def sample_object(target: Target = Target()) -> bytes:  # noqa: B008
    return build(HandPolicy(sample()), target)


def section_data(content: bytes, name: str) -> bytes:
    section = elf(content).get_section_by_name(name)
    assert section is not None
    data: bytes = section.data()
    return data


@each_target
def test_sections_are_those_a_loader_reads(target: Target) -> None:
    names = [section.name for section in elf(sample_object(target)).iter_sections()]
    assert names == [
        "",
        "sk_skb/stream_parser",
        "sk_skb/stream_verdict",
        "sk_msg",
        "license",
        ".maps",
        ".BTF",
        ".BTF.ext",
        ".relsk_skb/stream_verdict",
        ".symtab",
        ".strtab",
    ]


@each_target
def test_header_says_relocatable_bpf_in_the_byte_order(target: Target) -> None:
    file = elf(sample_object(target))
    assert (file.header["e_machine"], file.header["e_type"]) == ("EM_BPF", "ET_REL")
    assert file.little_endian == (target.endian == "little")


@each_target
def test_symbols_are_programs_and_maps(target: Target) -> None:
    file = elf(sample_object(target))
    table = file.get_section_by_name(".symtab")
    assert isinstance(table, SymbolTableSection)
    symbols = {
        symbol.name: (symbol["st_info"]["type"], file.get_section(symbol["st_shndx"]).name)
        for symbol in table.iter_symbols()
        if symbol.name
    }
    assert symbols == {
        "parser": ("STT_FUNC", "sk_skb/stream_parser"),
        "verdict": ("STT_FUNC", "sk_skb/stream_verdict"),
        "other": ("STT_FUNC", "sk_skb/stream_verdict"),
        "message": ("STT_FUNC", "sk_msg"),
        "sock_map_rx": ("STT_OBJECT", ".maps"),
        "sock_hash_rx": ("STT_OBJECT", ".maps"),
        "counters": ("STT_OBJECT", ".maps"),
    }


@each_target
def test_programs_and_maps_read_back_as_declared(target: Target) -> None:
    object_ = read_object(sample_object(target))
    assert (object_.endian, object_.license) == (target.endian, "GPL")
    assert {name: program.kind for name, program in object_.programs.items()} == {
        "parser": "stream_parser",
        "verdict": "stream_verdict",
        "other": "stream_verdict",
        "message": "msg_verdict",
    }
    shapes = {
        name: (spec.map_type, spec.key_size, spec.value_size, spec.max_entries, spec.flags)
        for name, spec in object_.maps.items()
    }
    assert shapes == {
        "sock_map_rx": (15, 4, 8, 2, 0),
        "sock_hash_rx": (18, 20, 8, 1024, 0),
        "counters": (9, 1, 8, 16, 2),
    }
    assert [each.map for each in object_.programs["verdict"].maps.values()] == ["sock_hash_rx"]


@each_target
def test_btf_has_the_policys_own_names(target: Target) -> None:
    content = sample_object(target)
    btf = Btf.decode(section_data(content, ".BTF"))
    key = btf.find("SocketKey", "struct")
    assert key is not None
    struct_ = btf.type(key)
    assert isinstance(struct_, Composite)
    members = [(each.name, btf.name_of(each.type_id), each.bit_offset // 8) for each in struct_.members]
    assert members == [
        ("src_ip", "__be32", 0),
        ("dst_ip", "__be32", 4),
        ("ports", "__u32[2]", 8),
        ("flag", "__u8", 16),
    ]
    functions = [each for each in btf.types if isinstance(each, Function)]
    assert [each.name for each in functions] == ["parser", "verdict", "other", "message"]
    assert [btf.name_of(each.type_id) for each in functions[1:]] == [
        "int (struct __sk_buff *)",
        "int (struct __sk_buff *)",
        "int (struct sk_msg_md *)",
    ]
    (maps,) = (each for each in btf.types if isinstance(each, Section))
    assert maps.name == ".maps"
    placed = [(btf.type(each.type_id), each.offset, each.size) for each in maps.variables]
    assert [variable.name for variable, _, _ in placed if isinstance(variable, Variable)] == [
        each.name for each in MAPS
    ]
    assert maps.size == len(section_data(content, ".maps")) == sum(size for _, _, size in placed)


@each_target
def test_lines_are_the_policys(target: Target) -> None:
    program = read_object(sample_object(target)).programs["verdict"]
    lines = {(line.file, line.line, line.column, line.text) for line in program.lines.values()}
    assert 0 in program.lines
    assert {line.file for line in program.lines.values()} == {FILE}
    # Line 1 is the function's own; the last operation of the program is its return.
    last = max(line.line for line in program.lines.values())
    assert all(text == f"line {line}" for _, line, _, text in lines)
    assert program.line_at(program.slots - 1) is not None
    assert 2 <= last <= 12


def test_a_line_of_another_file_names_that_file() -> None:
    """A function that a policy imported and that was put in place of its call."""
    module = sample()
    verdict = module.functions[1]
    operation = next(each for each in verdict.blocks[0].operations if each.name == "store")
    assert operation.location is not None
    operation.location = type(operation.location)("keys.py", 3, 9)
    policy = HandPolicy(module)
    policy.sources = {**policy.sources, "keys.py": ["", "", "    key.src_ip = skb.remote_ip4\n"]}

    program = read_object(build(policy)).programs["verdict"]

    line = next(line for line in program.lines.values() if line.file == "keys.py")
    assert (line.line, line.column, line.text) == (3, 9, "    key.src_ip = skb.remote_ip4")


@pytest.mark.parametrize("column", [1023, 1024, 70_000])
def test_a_column_beyond_what_the_format_holds_leaves_the_line_alone(column: int) -> None:
    module = sample()
    operation = next(each for each in module.functions[1].blocks[0].operations if each.name == "store")
    assert operation.location is not None
    operation.location = type(operation.location)(FILE, 9, column)

    lines = read_object(build(HandPolicy(module))).programs["verdict"].lines.values()

    assert (9, column if column <= 1023 else 0) in {(line.line, line.column) for line in lines}


def test_the_same_policy_gives_the_same_bytes() -> None:
    assert sample_object() == sample_object()


@pytest.mark.parametrize("seed", ("0", "1", "77"))
def test_other_processes_and_folders_give_the_same_bytes(seed: str, tmp_path: Path) -> None:
    """Hash seeds change the order of sets; the working folder must not show."""
    code = (
        "import sys; from tests.codegen.test_build_object import sample_object; "
        "sys.stdout.buffer.write(sample_object())"
    )
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *(path for path in sys.path if path)]
    surroundings = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=surroundings, capture_output=True, check=True
    )
    assert done.stdout == sample_object()
    assert str(tmp_path).encode() not in done.stdout


def test_no_path_gets_in() -> None:
    content = sample_object()
    strings = [*section_data(content, ".strtab").split(b"\0"), *section_data(content, ".BTF").split(b"\0")]
    with_slash = {
        string.decode().removeprefix(".rel") for string in strings if b"/" in string and string.isascii()
    }
    assert {name for name in with_slash if "sk_skb" in name} == {
        "sk_skb/stream_parser",
        "sk_skb/stream_verdict",
    }
    assert os.getcwd().encode() not in content


def test_a_policy_without_maps_has_no_maps_section() -> None:
    b = ProgramBuilder("main")
    b.answer(1)
    content = build(HandPolicy(module_of(b.function)))
    assert elf(content).get_section_by_name(".maps") is None
    assert read_object(content).programs["main"].slots == 2
