"""libbpf opens what skverdict builds and sees in it what the policy declares. Nothing is loaded."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from skverdict.codegen import read_object
from skverdict.codegen.object import Program
from skverdict.dsl import load_policy
from skverdict.dsl.catalogue.maps import EVENT, MAP, MAPS, PROGRAM
from skverdict.dsl.catalogue.programs import PROGRAMS
from skverdict.dsl.ir.module import Map
from skverdict.dsl.ir.types import Struct, Type, size_of

from tests.interop.conftest import Build, Inspect, InspectAll
from tests.interop.libbpf import READING
from tests.interop.toolchain import Tree
from tests.interop.twins import CORPUS, TWINS, Twin

# The first libbpf that knows a section name; to an older one its program is of no kind.
SECTION_SINCE = {"sk_skb/verdict": (1, 4)}
# The first libbpf that opens an object of the other byte order.
OTHER_ENDIAN_SINCE = (1, 6)


# Every object that there is.
EVERY = [*TWINS, *CORPUS]
every = pytest.mark.parametrize("twin", EVERY, ids=str)


@pytest.fixture(scope="module")
def views(inspect_all: InspectAll, built: Build) -> dict[str, dict[str, Any]]:
    """What a libbpf sees in each object, by the policy's name."""
    seen = inspect_all(*(built(twin) for twin in EVERY))
    return {twin.name: without_a_word(each, twin.name) for twin, each in zip(EVERY, seen, strict=True)}


def bytes_of(type_: Type | None) -> int:
    return 0 if type_ is None else size_of(type_)


def declared_map(declared: Map) -> dict[str, Any]:
    """What libbpf is to see of a map: name, kind, sizes in bytes, flags."""
    return {
        "name": declared.name,
        "type": MAPS[declared.kind].map_type,
        "key_size": bytes_of(declared.key),
        "value_size": bytes_of(declared.value),
        "max_entries": declared.max_entries,
        "flags": declared.flags,
    }


def opened(inspect: Inspect, path: Path) -> dict[str, Any]:
    """What libbpf sees in the object at `path`, which it must open without a word."""
    return without_a_word(inspect(path), path.name)


def without_a_word(seen: dict[str, Any], name: str) -> dict[str, Any]:
    """`seen`, if libbpf opened the object and had nothing to say about it."""
    log = "".join(seen["log"])
    assert seen["opened"], f"libbpf {seen['version']} refuses {name}:\n{log}"
    assert not log, f"libbpf {seen['version']} on {name}:\n{log}"
    return seen


def own_slots(program: Program) -> int:
    """The length of a program without the functions that it calls, which libbpf adds when it loads it."""
    return min((slot for slot in program.functions if slot), default=program.slots)


@every
def test_maps_are_the_declared_ones(twin: Twin, views: dict[str, dict[str, Any]]) -> None:
    declared = load_policy(twin.policy).module.maps
    seen = {each["name"]: each for each in views[twin.name]["maps"]}

    assert seen.keys() == {each.name for each in declared}
    for each in declared:
        expected = declared_map(each)
        assert {key: seen[each.name][key] for key in expected} == expected
        kind = MAPS[each.kind]
        if kind.entry in (PROGRAM, MAP, EVENT):
            continue  # numbers of what user space puts in, which the kernel takes no types for
        if kind.has_key:
            assert seen[each.name]["key_type_id"], f"{each.name} has no type for its key"
        if kind.has_value:
            assert seen[each.name]["value_type_id"], f"{each.name} has no type for its value"


@every
def test_programs_are_the_declared_ones(twin: Twin, views: dict[str, dict[str, Any]], built: Build) -> None:
    functions = [each for each in load_policy(twin.policy).module.functions if each.kind in PROGRAMS]
    seen = views[twin.name]
    programs = {each.pop("name"): each for each in seen["programs"]}
    slots = {name: own_slots(program) for name, program in read_object(built(twin).read_bytes()).programs.items()}

    assert programs.keys() == {each.name for each in functions}
    for function in functions:
        kind = PROGRAMS[function.kind]
        known = tuple(seen["version"]) >= SECTION_SINCE.get(kind.section, (0, 0))
        assert programs[function.name] == {
            "section": kind.section,
            "type": kind.prog_type if known else 0,
            "attach_type": kind.attach_type if known else 0,
            "instructions": slots[function.name],
        }


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_big_endian_objects_open_too(twin: Twin, inspect: Inspect, built: Build) -> None:
    little, big = (inspect(built(twin, endian=endian)) for endian in ("little", "big"))

    if tuple(big["version"]) < OTHER_ENDIAN_SINCE:
        assert not big["opened"]
        assert "endian" in "".join(big["log"])
    else:
        assert big["opened"], "".join(big["log"])
        # Type ids are the order of first use, which may differ.
        for side in (little, big):
            for each in side["maps"]:
                del each["key_type_id"], each["value_type_id"]
        assert sorted(big["maps"], key=str) == sorted(little["maps"], key=str)
        assert {each["name"] for each in big["programs"]} == {each["name"] for each in little["programs"]}


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_clang_twin_declares_the_same(
    twin: Twin, inspect: Inspect, built: Build, compiled: Build, clang: str
) -> None:
    def declared(path: Path) -> dict[str, Any]:
        seen = opened(inspect, path)
        for each in seen["maps"]:
            del each["key_type_id"], each["value_type_id"]
        for each in seen["programs"]:
            del each["instructions"]
        return {part: sorted(seen[part], key=lambda each: str(each["name"])) for part in ("maps", "programs")}

    assert declared(built(twin)) == declared(compiled(clang, twin))


def test_a_broken_object_is_refused(inspect: Inspect, built: Build, tmp_path: Path) -> None:
    broken = tmp_path / "broken.o"
    broken.write_bytes(built(TWINS[0]).read_bytes()[:200])

    seen = inspect(broken)

    assert not seen["opened"]
    assert seen["log"]


def test_no_function_that_loads_is_within_reach() -> None:
    # libbpf's thin wrappers of the bpf system call have one underscore where its objects' methods have two.
    acts = re.compile(r"__(load|prepare|attach|pin|set|reuse)|^bpf_(prog|map|link|btf|obj|enable)_(?!_)")

    assert not [name for name in READING if acts.search(name)]


def types_in_c(bpftool: str, path: Path) -> str:
    """The types of an object as bpftool writes them in C."""
    dump = [bpftool, "btf", "dump", "file", str(path), "format", "c"]
    return subprocess.run(dump, capture_output=True, text=True, check=True).stdout


@every
def test_bpftool_makes_a_skeleton_that_compiles(
    twin: Twin, bpftool: str, clang_19: str, tree: Tree, built: Build, tmp_path: Path
) -> None:
    skeleton = tmp_path / "policy.skel.h"
    with skeleton.open("wb") as output:
        done = subprocess.run(
            [bpftool, "gen", "skeleton", str(built(twin)), "name", "policy"],
            stdout=output,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 0, done.stderr.decode()

    module = load_policy(twin.policy).module
    maps = [f"(void)policy->maps.{each.name};" for each in module.maps]
    programs = [f"(void)policy->progs.{each.name};" for each in module.functions if each.kind in PROGRAMS]
    sections = read_object(built(twin).read_bytes()).data
    variables = [
        f"(void)policy->{section.name[1:]}->{name};" for section in sections.values() for name in section.variables
    ]
    assert len(variables) == len(module.globals)
    user = tmp_path / "user.c"
    uses = "\n".join([*maps, *programs, *variables])
    # A skeleton leaves it to its user to define the structures that variables have.
    types = types_in_c(bpftool, built(twin))
    needed = {each.type.name for each in module.globals if isinstance(each.type, Struct)}
    structs = "\n".join(
        match[0]
        for match in re.finditer(r"^struct (\w+) \{.*?^\};", types, re.DOTALL | re.MULTILINE)
        if match[1] in needed
    )
    use = f"void use(struct policy *policy)\n{{\n{uses}\n}}\n"
    user.write_text(f'#include <linux/types.h>\n{structs}\n#include "policy.skel.h"\n{use}', encoding="utf-8")
    headers = tree.root / "usr" / "include"
    done = subprocess.run(
        [clang_19, "-fsyntax-only", "-Wall", "-Werror", "-idirafter", str(headers), str(user)],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()


@every
def test_bpftool_dumps_the_types(twin: Twin, bpftool: str, built: Build) -> None:
    dump = [bpftool, "btf", "dump", "file", str(built(twin))]
    raw = subprocess.run(dump, capture_output=True, text=True, check=False)
    as_c = subprocess.run([*dump, "format", "c"], capture_output=True, text=True, check=False)

    assert raw.returncode == 0, raw.stderr
    assert as_c.returncode == 0, as_c.stderr
    module = load_policy(twin.policy).module
    assert ("DATASEC '.maps'" in raw.stdout) == bool(module.maps)
    for each in module.maps:
        assert f"VAR '{each.name}'" in raw.stdout
    for variable in module.globals:
        assert f"VAR '{variable.name}'" in raw.stdout
    for section in read_object(built(twin).read_bytes()).data.values():
        assert (f"DATASEC '{section.name}'" in raw.stdout) == bool(section.variables)
    for function in module.functions:
        if function.kind in PROGRAMS:
            assert f"FUNC '{function.name}'" in raw.stdout
        for parameter in function.parameters:
            assert f"\t'{parameter.name}' type_id=" in raw.stdout
    # A struct that no map holds need not be there: no compiler describes what only packets are read as.
    sides = {side for each in module.maps for side in (each.key, each.value)}
    for struct in (side for side in sides if isinstance(side, Struct)):
        assert f"struct {struct.name} {{" in as_c.stdout
