"""skverdict's programs are no longer than clang's for the same thing said in C."""

from __future__ import annotations

import pytest
from skverdict.codegen import read_object

from tests.interop.conftest import Build
from tests.interop.twins import CPUS, TWINS, Twin


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_every_policy_has_a_twin(twin: Twin) -> None:
    assert twin.source.is_file(), f"write {twin.source}, the C twin of {twin.policy}"


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_no_longer_than_clang(twin: Twin, cpu: str, clang: str, built: Build, compiled: Build) -> None:
    ours = read_object(built(twin, cpu).read_bytes(), "skverdict")
    theirs = read_object(compiled(clang, twin, cpu).read_bytes(), "clang")

    assert ours.programs.keys() == theirs.programs.keys()
    longer = {
        name: f"{program.slots} slots, clang {theirs.programs[name].slots}"
        for name, program in ours.programs.items()
        if program.slots > theirs.programs[name].slots
    }
    assert not longer
