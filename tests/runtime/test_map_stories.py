"""The simulator does with maps what real kernels did, step by step (`tests/corpus/map_stories.json`)."""

from __future__ import annotations

import pytest
from skverdict.codegen.object import MapSpec
from skverdict.runtime import Errno, Simulator
from skverdict.runtime.maps.declaration import broken_rule

from tests.corpus.map_objects import object_of
from tests.corpus.map_world import Declaration, Story, carry_out
from tests.corpus.recorded_maps import recorded_maps, recorded_stories
from tests.corpus.scenario import expected
from tests.corpus.scenario_file import KERNELS

#: Errors of kernels that had no memory for a map, and what they had, in bytes.
OUT_OF_MEMORY = (Errno.ENOMEM, Errno.E2BIG)
MEMORY = 1 << 28


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("story", recorded_stories(), ids=lambda story: story["name"])
def test_maps_do_what_the_kernels_did(story: Story, kernel: str) -> None:
    map_ = Declaration(*story["map"])
    outcomes = carry_out(Simulator(object_of(map_), kernel=kernel), map_, story["steps"])
    steps = story["steps"]
    assert [*zip(steps, outcomes, strict=True)] == [*zip(steps, expected(story, kernel), strict=True)]


@pytest.mark.parametrize("kernel", KERNELS)
def test_maps_are_refused_as_the_kernel_did(kernel: str) -> None:
    told = {}
    for map_, errors in recorded_maps():
        broken = broken_rule(MapSpec("m", map_.map_kind.map_type, *map_[1:]), map_.map_kind, kernel)
        mine, theirs = 0 if broken is None else int(broken.error), errors[KERNELS.index(kernel)]
        if mine != theirs and not (mine == 0 and map_.size > MEMORY and theirs in OUT_OF_MEMORY):
            told[map_] = (mine, theirs)
    assert not told
