"""Random stories about maps, and how differences between simulator and kernel are told."""

from __future__ import annotations

from tests.corpus.map_world import BPF_F_RDONLY_PROG, Declaration, helpers_of
from tests.kernel.compare_maps import difference
from tests.kernel.maps import CPUS, refusal, simulated
from tests.kernel.random_maps import KINDS, random_declarations, random_stories


def test_stories_of_every_kind_can_be_carried_out_and_come_again() -> None:
    stories = list(random_stories(7, len(KINDS), CPUS, 25))
    assert {story["map"][0] for story in stories} == set(KINDS)
    assert stories == list(random_stories(7, len(KINDS), CPUS, 25))
    for story in stories:
        assert len(simulated(story, "7.2")) == 25


def test_some_declarations_are_made_and_some_refused() -> None:
    errors = {refusal(map_, "7.2") for map_ in random_declarations(3, 300)}
    assert {0, 7, 22} <= errors


def test_programs_call_what_the_map_lets_them() -> None:
    assert helpers_of(Declaration("hash", 4, 4, 1, BPF_F_RDONLY_PROG)) == ("lookup",)
    assert helpers_of(Declaration("queue", 0, 4, 1, BPF_F_RDONLY_PROG)) == ("peek",)


def test_a_difference_is_told_with_what_led_to_it() -> None:
    story = {"name": "n", "map": ["array", 4, 4, 1, 0], "steps": [["keys"], ["freeze"], ["keys"]]}
    assert difference(story, [[], "ok", []], [[], "ok", []]) == ""
    assert difference(story, [[], "ok", []], [[], "EPERM", []]) == (
        'n, map ["array", 4, 4, 1, 0]\n'
        '    ["keys"] gave []\n'
        '  ! ["freeze"] gave "ok", but the kernel "EPERM"'
    )
