"""What an object holds and needs, as plain values: the matter of `skverdict inspect` and `skverdict diff`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from skverdict.codegen.btf import Btf
from skverdict.codegen.btf_types import Composite
from skverdict.codegen.object import MapSpec, Object, Program
from skverdict.dsl.catalogue.helpers import HELPERS
from skverdict.dsl.catalogue.maps import MAPS
from skverdict.runtime.machine.first_kernels import cpu_level
from skverdict.runtime.needs import (
    Limit,
    Need,
    called_helpers,
    limits_of,
    needs_of,
    newest_kernel,
    oldest_kernel,
    operations,
)

_MAP_KINDS = {kind.map_type: kind.kind for kind in MAPS.values()}
_HELPERS = {helper.number: helper.name for helper in HELPERS.values()}


class ProgramSummary(NamedTuple):
    """A program. `instructions` count slots of 8 bytes; `cpu` is the least `-mcpu` level that has them."""

    name: str
    section: str
    kind: str
    instructions: int
    cpu: int
    functions: tuple[str, ...]
    helpers: tuple[str, ...]
    maps: tuple[str, ...]
    source_lines: int


class MapSummary(NamedTuple):
    """A map; `key` and `value` are the names of their BTF types, empty where there is only a size (bytes)."""

    name: str
    kind: str
    key: str
    key_size: int
    value: str
    value_size: int
    max_entries: int
    flags: int


class Summary(NamedTuple):
    """An object. `oldest_kernel` and `newest_kernel` are of KERNELS, empty if none will do; `needs` and `limits`
    say why not the others."""

    endian: str
    license: str
    oldest_kernel: str
    newest_kernel: str
    needs: tuple[Need, ...]
    limits: tuple[Limit, ...]
    programs: tuple[ProgramSummary, ...]
    maps: tuple[MapSummary, ...]
    data: tuple[tuple[str, int, tuple[str, ...]], ...]
    btf_types: int
    structs: tuple[tuple[str, int], ...]

    def as_json(self) -> dict[str, Any]:
        """The summary as JSON has it."""
        return {
            "endian": self.endian,
            "license": self.license,
            "oldest_kernel": self.oldest_kernel,
            "newest_kernel": self.newest_kernel,
            "needs": [need._asdict() for need in self.needs],
            "limits": [limit._asdict() for limit in self.limits],
            "programs": [program._asdict() for program in self.programs],
            "maps": [map_._asdict() for map_ in self.maps],
            "data": [{"name": name, "size": size, "variables": names} for name, size, names in self.data],
            "btf_types": self.btf_types,
            "structs": [{"name": name, "size": size} for name, size in self.structs],
        }


def summary(content: Object) -> Summary:
    """What `content` holds and needs."""
    needs, limits = needs_of(content), limits_of(content)
    return Summary(
        content.endian,
        content.license,
        oldest_kernel(needs, limits),
        newest_kernel(needs, limits),
        needs,
        limits,
        tuple(_program(program) for program in content.programs.values()),
        tuple(_map(spec, content.btf) for spec in content.maps.values()),
        tuple((each.name, len(each.content), tuple(each.variables)) for each in content.data.values()),
        0 if content.btf is None else len(content.btf.types) - 1,
        tuple(_structs(content.btf)) if content.btf is not None else (),
    )


def _program(program: Program) -> ProgramSummary:
    helpers = {_HELPERS.get(number, str(number)) for number in called_helpers(program)}
    return ProgramSummary(
        program.name,
        program.section,
        program.kind,
        program.slots,
        max((cpu_level(row) for _, row in operations(program)), default=1),
        tuple(name for slot, name in sorted(program.functions.items()) if slot),
        tuple(sorted(helpers)),
        tuple(dict.fromkeys(each.map for each in program.maps.values())),
        len({(line.file, line.line) for line in program.lines.values()}),
    )


def _map(spec: MapSpec, btf: Btf | None) -> MapSummary:
    key, value = (
        btf.name_of(type_id) if btf is not None and type_id else ""
        for type_id in (spec.key_type_id, spec.value_type_id)
    )
    kind = _MAP_KINDS.get(spec.map_type, str(spec.map_type))
    return MapSummary(
        spec.name, kind, key, spec.key_size, value, spec.value_size, spec.max_entries, spec.flags
    )


def _structs(btf: Btf) -> Iterator[tuple[str, int]]:
    """The named structures and unions with their sizes in bytes."""
    for each in btf.types:
        if isinstance(each, Composite) and each.name:
            yield each.name, each.size


class Difference(NamedTuple):
    """Something that two objects do not share: `what` it is (`program verdict`, `map m: max_entries`), as
    the first and as the second has it; empty where one has it not."""

    what: str
    first: str
    second: str


def differences(first: Summary, second: Summary) -> list[Difference]:
    """What differs between two summaries, field by field."""
    found = [
        Difference(name, str(one), str(other))
        for name in ("endian", "license", "oldest_kernel", "newest_kernel", "btf_types")
        for one, other in ((getattr(first, name), getattr(second, name)),)
        if one != other
    ]
    for kind, ones, others in (
        ("program", first.programs, second.programs),
        ("map", first.maps, second.maps),
    ):
        found += _entries(kind, {each.name: each._asdict() for each in ones},
                          {each.name: each._asdict() for each in others})  # fmt: skip
    found += _entries("data", *({each[0]: {"size": each[1], "variables": each[2]} for each in side.data}
                                for side in (first, second)))  # fmt: skip
    found += _entries("struct", *({name: {"size": size} for name, size in side.structs}
                                  for side in (first, second)))  # fmt: skip
    return found


def _entries(
    kind: str, ones: dict[str, dict[str, Any]], others: dict[str, dict[str, Any]]
) -> Iterator[Difference]:
    for name in dict.fromkeys((*ones, *others)):
        if name not in ones or name not in others:
            yield Difference(f"{kind} {name}", *("present" if name in side else "" for side in (ones, others)))
            continue
        for field, value in ones[name].items():
            if value != others[name][field]:
                yield Difference(f"{kind} {name}: {field}", _shown(value), _shown(others[name][field]))


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
