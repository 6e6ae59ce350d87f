"""What the files are like: small, with the sections and symbols that libbpf expects, and always the same."""

from __future__ import annotations

import pytest
from elftools.elf.elffile import ELFFile
from skverdict.codegen import Target, build, read_object
from skverdict.dsl import load_policy
from skverdict.dsl.catalogue.programs import PROGRAMS

from tests.interop.conftest import Build
from tests.interop.twins import CORPUS, REPOSITORY, TWINS, Twin

EVERY = [*TWINS, *CORPUS]
every = pytest.mark.parametrize("twin", EVERY, ids=str)
TEXT = ".text"
KNOWN = {"license", ".maps", ".rodata", ".data", ".bss", ".BTF", ".BTF.ext", ".symtab", ".strtab", TEXT, ""}


@every
def test_the_file_is_half_as_large_as_clang_s_at_most(
    twin: Twin, clang_19: str, built: Build, compiled: Build
) -> None:
    ours, theirs = (path.stat().st_size for path in (built(twin), compiled(clang_19, twin)))
    assert 2 * ours <= theirs


@every
def test_sections_and_symbols_are_libbpf_s(twin: Twin, built: Build) -> None:
    module = load_policy(twin.policy).module
    programs = {each.name: PROGRAMS[each.kind].section for each in module.functions if each.kind in PROGRAMS}
    with built(twin).open("rb") as file:
        elf = ELFFile(file)
        sections = [section.name for section in elf.iter_sections()]
        own = {name for name in sections if not name.startswith(".rel")}
        assert own - KNOWN == set(programs.values())
        assert elf.get_section_by_name("license").data() == b"GPL\0"
        for symbol in elf.get_section_by_name(".symtab").iter_symbols():
            info = symbol["st_info"]
            if info["type"] != "STT_FUNC":
                continue
            section = sections[symbol["st_shndx"]]
            is_program = symbol.name in programs
            assert section == (programs[symbol.name] if is_program else TEXT)
            assert info["bind"] == ("STB_GLOBAL" if is_program else "STB_LOCAL")


@every
def test_every_instruction_has_a_line_of_the_policy(twin: Twin, built: Build) -> None:
    lines = twin.policy.read_text(encoding="utf-8").splitlines()
    for program in read_object(built(twin).read_bytes()).programs.values():
        assert program.lines.keys() >= program.functions.keys()
        for slot in program.instructions:
            line = program.line_at(slot)
            assert line is not None
            assert (line.file, line.text) == (twin.policy.name, lines[line.line - 1])


@every
def test_no_path_of_this_machine_is_in_the_file(twin: Twin, built: Build) -> None:
    content = built(twin).read_bytes()
    assert str(REPOSITORY).encode() not in content
    assert twin.policy.name.encode() in content


@pytest.mark.parametrize("name", ("verdict_tuple", "msg_pause", "verdict_tenants", "verdict_words"))
def test_the_hundredth_build_of_a_process_is_the_first(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = next(twin.policy for twin in CORPUS if twin.name == name)
    first = build(load_policy(path))
    others = [twin.policy for twin in CORPUS][:10]
    for number in range(1, 100):
        if number % 10 == 0:
            build(load_policy(others[number // 10]), Target("v1", "big"))
        if number == 50:
            monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
        assert build(load_policy(path)) == first
