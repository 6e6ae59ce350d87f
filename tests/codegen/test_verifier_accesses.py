"""What verifiers cannot prove, held against what kernels said of the same programs."""

from __future__ import annotations

from functools import cache

import pytest
from skverdict.codegen import Object, read_object
from skverdict.codegen.verifier.judge import Objection, objections
from skverdict.codegen.verifier.walk import walk
from skverdict.dsl.catalogue.programs import KERNELS

from tests.corpus.verdicts import Verdict, verdicts

VERDICTS = {verdict.name: verdict for verdict in verdicts()}


@cache
def assembled(name: str) -> Object:
    return read_object(VERDICTS[name].content(), name)


def objection(name: str, kernel: str) -> Objection:
    (found,) = objections(assembled(name), kernel)
    return found


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("verdict", VERDICTS.values(), ids=list(VERDICTS))
def test_programs_are_refused_for_the_same_cause_as_by_kernels(verdict: Verdict, kernel: str) -> None:
    object_ = assembled(verdict.name)

    problem = walk(object_, object_.programs["program"], kernel=kernel).problem

    assert (None if problem is None else problem.cause) == verdict.refused.get(kernel)


@pytest.mark.parametrize(
    ("name", "kernel", "message", "hint"),
    [
        (
            "index map", "7.2",
            "the verifier of Linux 7.2 knows of this offset in a value only that it is at most 4294967295",
            "such as with `if i < 32:`, or use `i & 31` or `min(i, 31)`",
        ),
        (
            "index loose", "6.12",
            "knows of this access only that it ends at byte 33 of a value or before, which has 32 bytes",
            "test the index right before it",
        ),
        (
            "packet short", "6.1",
            "the verifier of Linux 6.1 knows of 4 bytes that are in the packet here, and this needs 5",
            "test the length of the view",
        ),
        ("null", "6.1", "sees a way on which this is None", "test it with `is None` on each way"),
        ("length zero", "7.2", "knows of this length only that it is 0 or more", "`if n > 0:`"),
        ("record lost", "7.2", "on which something was not handed back", "submit or discard a record"),
    ],
)  # fmt: skip
def test_it_is_said_what_is_known_and_what_to_write(name: str, kernel: str, message: str, hint: str) -> None:
    found = objection(name, kernel)

    assert message in found.message
    assert hint in found.hint
    assert found.is_certain


def test_what_only_the_oldest_kernel_refuses_is_only_warned_of() -> None:
    found = objection("dead way", KERNELS[-1])

    assert found.message.startswith("the verifier of Linux 6.1 knows")
    assert not found.is_certain
    assert objection("dead way", "6.1").is_certain
    assert list(objections(assembled("dead way"), "6.12")) == []
