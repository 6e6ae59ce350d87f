"""From a policy to the bytes of its object file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from skverdict.codegen import elf
from skverdict.codegen.backend import WideArithmetic, compile_text
from skverdict.codegen.btf_ext import BtfExt, CoreRelocation, FunctionInfo, LineInfo
from skverdict.codegen.data_sections import CONSTANTS, ZEROS, DataSection, data_sections
from skverdict.codegen.elf_writer import Section, Symbol, write_elf
from skverdict.codegen.errors import CodegenError
from skverdict.codegen.limits import LimitChecker
from skverdict.codegen.llvm_object import Code, read_code
from skverdict.codegen.lowering.module import llvm_text
from skverdict.codegen.lowering.tallies import tallies
from skverdict.codegen.machine.improve import improve
from skverdict.codegen.module_btf import ModuleBtf, module_btf
from skverdict.codegen.pipeline import passes_for
from skverdict.codegen.risks import is_at_risk
from skverdict.codegen.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from skverdict.codegen.lowering.tallies import Forgotten
    from skverdict.dsl.errors import Diagnostic
    from skverdict.dsl.ir.module import Module

CODE_ALIGN = 8
DATA_ALIGN = 8
TEXT = ".text"


class Policy(Protocol):
    """What `build` needs of a policy: its IR, the lines and paths of its sources by the file names that the IR uses,
    its own file as it was given, and the kernel whose verifier it is for."""

    @property
    def path(self) -> str: ...

    @property
    def module(self) -> Module: ...

    @property
    def sources(self) -> Mapping[str, Sequence[str]]: ...

    @property
    def paths(self) -> Mapping[str, str]: ...

    @property
    def kernel(self) -> str: ...


def build(
    policy: Policy,
    target: Target = Target(),  # noqa: B008 - a Target never changes
    isolate: bool = False,
    warn: Callable[[Diagnostic], None] | None = None,
    verify: bool = False,
) -> bytes:
    """The ELF object of `policy` for `target`, the same bytes for the same policy at any place and time.

    With `isolate`, a child process makes it, so that even what LLVM does not survive ends in an error here. With
    `verify`, what the kernel's verifier refuses is looked for in each program, else only where it is likely.
    `warn` is called with what deserves a look; without one it is issued as PolicyWarning. Raises `CodegenError`
    if the policy needs more than BPF has, or what the verifier of its kernel does not take.
    """
    warnings: Sequence[Diagnostic]
    if isolate:
        from skverdict.codegen.isolation import isolated

        content, warnings = isolated(lambda: _built(policy, target, verify), policy.path)
    else:
        content, warnings = _built(policy, target, verify)
    if warnings:
        from skverdict.dsl import errors

        for warning in warnings:
            (warn or errors.warn)(warning)
    return content


def _built(policy: Policy, target: Target, verify: bool) -> tuple[bytes, Sequence[Diagnostic]]:
    """The object, and warnings."""
    found = {function.name: tallies(function) for function in policy.module.functions}
    if any(found.values()):
        try:
            return _verified(policy, target, verify, found)
        except CodegenError:
            # To forget what was counted is more work where that decides much, and may take a word of the stack.
            pass
    return _verified(policy, target, verify, {})


def _verified(
    policy: Policy, target: Target, verify: bool, forgotten: Forgotten
) -> tuple[bytes, Sequence[Diagnostic]]:
    limits = LimitChecker(policy.module, policy.sources, {**policy.paths, policy.module.file: policy.path})
    content = _object(policy, target, limits, forgotten)
    if not verify and not is_at_risk(policy.module):
        return content, ()
    from skverdict.codegen.object_reader import read_object

    return content, limits.check_verified(read_object(content, policy.module.file), target, policy.kernel)


def _object(policy: Policy, target: Target, limits: LimitChecker, forgotten: Forgotten) -> bytes:
    module = policy.module
    limits.check_names()
    limits.check_locals()
    limits.check_atomics(target)
    limits.check_views()
    code = improve(read_code(_compile(module, target, limits, forgotten), target.endian), module, target)
    limits.check_frames(code, target.endian)
    limits.check_lengths(code)
    data = data_sections(module, target.endian)
    read = [each.struct for records in code.kernel.values() for each in records]
    btf = module_btf(module, data, read)
    extension = _extension(code, btf, policy.sources).encode(target.endian, btf.builder.string)
    sections = _code_sections(code)
    sections.append(Section("license", module.license.encode() + b"\0", elf.SHF_ALLOC | elf.SHF_WRITE))
    symbols = [
        Symbol(
            function.name,
            function.section,
            function.offset,
            function.size,
            elf.STT_FUNC,
            elf.STB_GLOBAL if function.is_global else elf.STB_LOCAL,
        )
        for function in code.functions
    ]
    if any(each.symbol == TEXT for relocations in code.relocations.values() for each in relocations):
        # Calls of subprograms are relative to the section they are in.
        symbols.append(Symbol(TEXT, TEXT, 0, 0, elf.STT_SECTION, elf.STB_LOCAL))
    if btf.maps:
        size = sum(place.size for place in btf.maps)
        values = tuple(
            (offset, elf.R_BPF_64_64, name) for place in btf.maps for offset, name in place.initial
        )
        sections.append(Section(".maps", bytes(size), elf.SHF_ALLOC | elf.SHF_WRITE, 8, values))
        symbols += (
            Symbol(place.name, ".maps", place.offset, place.size, elf.STT_OBJECT) for place in btf.maps
        )
    for section in data:
        sections.append(_data_section(section))
        symbols += (
            Symbol(
                each.symbol,
                section.name,
                each.offset,
                each.size,
                elf.STT_OBJECT,
                elf.STB_GLOBAL if each.variable else elf.STB_LOCAL,
            )
            for each in section.placed
        )
    sections.append(Section(".BTF", btf.builder.encode(target.endian), 0, 4))
    sections.append(Section(".BTF.ext", extension, 0, 4))
    return write_elf(target.endian, sections, symbols)


def _compile(module: Module, target: Target, limits: LimitChecker, forgotten: Forgotten) -> bytes:
    """LLVM's object of `module`."""
    passes = passes_for(module)
    try:
        return compile_text(llvm_text(module, target, forgotten), target, passes, limits.check_reach)
    except WideArithmetic as first:
        opaque = llvm_text(module, target, forgotten, first.functions)
        try:
            return compile_text(opaque, target, passes, limits.check_reach)
        except WideArithmetic as again:
            raise limits.too_wide(again.functions) from None


def _code_sections(code: Code) -> list[Section]:
    return [
        Section(
            name,
            content,
            elf.SHF_ALLOC | elf.SHF_EXECINSTR,
            CODE_ALIGN,
            tuple((each.offset, each.kind, each.symbol) for each in code.relocations.get(name, ())),
        )
        for name, content in code.sections.items()
    ]


def _data_section(section: DataSection) -> Section:
    flags = elf.SHF_ALLOC if section.name == CONSTANTS else elf.SHF_ALLOC | elf.SHF_WRITE
    kind = elf.SHT_NOBITS if section.name == ZEROS else elf.SHT_PROGBITS
    return Section(section.name, section.content, flags, DATA_ALIGN, kind=kind)


def _extension(code: Code, btf: ModuleBtf, sources: Mapping[str, Sequence[str]]) -> BtfExt:
    """Function, line and CO-RE records, with the text of the lines."""
    functions: dict[str, list[FunctionInfo]] = {name: [] for name in code.sections}
    for symbol in sorted(code.functions, key=lambda symbol: symbol.offset):
        # A copy that LLVM made for certain arguments is called as the function is, and more behind a dot.
        name = symbol.name.partition(".")[0]
        functions[symbol.section].append(FunctionInfo(symbol.offset, btf.functions[name]))
    lines: dict[str, tuple[LineInfo, ...]] = {}
    for section, records in code.lines.items():
        # Of several records for one instruction the last holds; the kernel takes only one.
        last = {record.offset: record for record in records}
        lines[section] = tuple(
            record._replace(text=_source_line(sources, record.file, record.line)) for record in last.values()
        )
    relocations = {
        section: tuple(
            CoreRelocation(each.offset, btf.structs[each.struct], each.access, each.kind)
            for each in sorted(records)
        )
        for section, records in code.kernel.items()
    }
    return BtfExt(functions, lines, relocations)


def _source_line(sources: Mapping[str, Sequence[str]], file: str, line: int) -> str:
    text = sources.get(file, ())
    return text[line - 1].rstrip("\r\n") if 0 < line <= len(text) else ""
