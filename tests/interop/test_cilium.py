"""cilium/ebpf, Go's loader, reads what skverdict builds and sees in it what the policy declares. Nothing is loaded."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from skverdict.codegen import read_object
from skverdict.dsl import load_policy
from skverdict.dsl.catalogue.maps import EVENT, MAP, MAPS, PROGRAM
from skverdict.dsl.catalogue.programs import PROGRAMS
from skverdict.dsl.ir.module import Map
from skverdict.dsl.ir.types import Struct, Type

from tests.interop.conftest import Build
from tests.interop.golang import compiled_go
from tests.interop.test_libbpf import declared_map, own_slots
from tests.interop.twins import CORPUS, TWINS, Twin

EVERY = [*TWINS, *CORPUS]
every = pytest.mark.parametrize("twin", EVERY, ids=str)
# cilium/ebpf before 0.18 knows this section as one of sk_skb without a place to attach to.
NO_PLACE = "sk_skb/verdict"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that reads objects with the library, compiled."""
    return compiled_go("collection_spec.go", tmp_path_factory.mktemp("go"))


@pytest.fixture(scope="module", params=("little", "big"))
def views(request: pytest.FixtureRequest, reader: Path, built: Build) -> dict[str, dict[str, Any]]:
    """What the library sees in each object, by the policy's name."""
    paths = [str(built(twin, "v3", request.param)) for twin in EVERY]
    done = subprocess.run([str(reader), *paths], capture_output=True, text=True, check=True)
    seen = [json.loads(line) for line in done.stdout.splitlines()]
    return {twin.name: {**each, "order": request.param} for twin, each in zip(EVERY, seen, strict=True)}


def type_name(type_: Type | None) -> str | None:
    """A structure's name; None for what has several."""
    return type_.name if isinstance(type_, Struct) else None


def expected_map(declared: Map) -> dict[str, Any]:
    """What is to be seen of a map; the kernel takes the number of CPUs for 0 perf events."""
    expected = declared_map(declared)
    del expected["name"]
    return expected


@every
def test_it_takes_the_object(twin: Twin, views: dict[str, dict[str, Any]]) -> None:
    assert views[twin.name]["error"] == ""


@every
def test_maps_are_the_declared_ones(twin: Twin, views: dict[str, dict[str, Any]]) -> None:
    declared = {each.name: each for each in load_policy(twin.policy).module.maps}
    seen = views[twin.name]["maps"]
    assert {name for name in seen if not name.startswith(".")} == declared.keys()
    for name, each in declared.items():
        expected = expected_map(each)
        assert {key: seen[name][key] for key in expected} == expected
        assert seen[name]["contents"] == len(each.initial)
        if each.inner is not None:
            inner = expected_map(each.inner)
            assert {key: seen[name]["inner"][key] for key in inner} == inner
        kind = MAPS[each.kind]
        if kind.entry in (PROGRAM, MAP, EVENT):
            continue
        for side, type_, has_type in (
            ("key", each.key, kind.has_key),
            ("value", each.value, kind.has_value),
        ):
            assert bool(seen[name][side]) == has_type
            assert type_name(type_) in (None, seen[name][side])


@every
def test_programs_are_the_declared_ones(
    twin: Twin, views: dict[str, dict[str, Any]], built: Build
) -> None:
    view = views[twin.name]
    module = load_policy(twin.policy).module
    functions = {each.name: each for each in module.functions if each.kind in PROGRAMS}
    own = read_object(built(twin, "v3", view["order"]).read_bytes()).programs
    assert view["programs"].keys() == functions.keys()
    for name, function in functions.items():
        kind = PROGRAMS[function.kind]
        seen = view["programs"][name]
        assert {key: seen[key] for key in ("section", "type", "attach_type", "slots", "license")} == {
            "section": kind.section,
            "type": kind.prog_type,
            "attach_type": 0 if kind.section == NO_PLACE else kind.attach_type,
            "slots": own_slots(own[name]),
            "license": module.license,
        }
        assert seen["endian"] == f"{view['order'].title()}Endian"
        maps = {each for each in seen["maps"] if not each.startswith(".")}
        assert maps <= {each.name for each in module.maps}
        assert seen["sources"] > 0
