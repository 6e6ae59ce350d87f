"""`skverdict inspect`: what an object file holds and needs."""

from __future__ import annotations

from skverdict.runtime.cli.files import input_name, read_object_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from skverdict.runtime.cli.table import Table
    from skverdict.runtime.inspection import Summary

DETAILS = """

Programs with their size, the helpers they call and the maps they use; maps; variables; BTF; and which of the
kernels that were measured (6.1, 6.12, 7.2) will do: the oldest has all helpers, instructions, fields of contexts,
kinds and flags of maps that are used. Any BPF object file will do, whatever compiled it."""

EXAMPLE = """examples:
  skverdict inspect port_redirect.o
  skverdict build examples/hash_redirect.py -o - | skverdict inspect - --json"""


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("object", metavar="FILE.o", help="the object file; - for stdin")
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def run(options: Namespace) -> int:
    """Read, sum up and print."""
    content, name = read_object_file(options.object), input_name(options.object)
    if options.json:
        print_json(content, name)
        return 0
    from skverdict.codegen import read_object
    from skverdict.runtime.cli.table import print_tables
    from skverdict.runtime.inspection import summary

    found = summary(read_object(content, name))
    kernels = f"Linux {found.oldest_kernel} to {found.newest_kernel}" if found.oldest_kernel else "none of those known"
    print(f"{name}: {found.endian}-endian, license {found.license}, kernels: {kernels}")
    for need in found.needs:
        print(f"  {need.what} needs {f'Linux {need.since}' if need.since else 'what no known kernel has'}")
    for limit in found.limits:
        print(f"  {limit.what} is refused after Linux {limit.until}")
    print()
    print_tables(_tables(found))
    return 0


def print_json(content: bytes, name: str) -> None:
    """Print what the object `content`, called `name`, holds and needs."""
    import json

    from skverdict.codegen import read_object
    from skverdict.runtime.inspection import summary

    found = summary(read_object(content, name)).as_json()
    print(json.dumps({"file": name, "bytes": len(content), **found}, indent=2))


def _tables(found: Summary) -> Iterator[Table]:
    from skverdict.runtime.cli.table import Table

    if found.programs:
        columns = ("program", "section", "instructions", "cpu", "lines", "helpers", "maps", "functions")
        yield Table("Programs", columns, "llrlrlll", [
            (each.name, each.section, str(each.instructions), f"v{each.cpu}", str(each.source_lines),
             *(", ".join(names) or "-" for names in (each.helpers, each.maps, each.functions)))
            for each in found.programs
        ])  # fmt: skip
    if found.maps:
        yield Table("Maps", ("map", "kind", "key", "value", "max_entries", "flags"), "llllrr", [
            (each.name, each.kind, _part(each.key, each.key_size), _part(each.value, each.value_size),
             str(each.max_entries), f"{each.flags:#x}")
            for each in found.maps
        ])  # fmt: skip
    if found.data:
        yield Table("Data", ("section", "bytes", "variables"), "lrl", [
            (name, str(size), ", ".join(variables) or "-") for name, size, variables in found.data
        ])  # fmt: skip
    structs = [(name, str(size)) for name, size in found.structs]
    yield Table("BTF", ("structure", "bytes"), "lr", [*structs, (f"{found.btf_types} types in all", "")])


def _part(type_name: str, size: int) -> str:
    """A key or value: its type, if known, and its size."""
    return f"{type_name} ({size})" if type_name else str(size)
