"""Changed policies compile or end in a PolicyError; `tests.dsl.fuzz` does it for hours."""

from __future__ import annotations

from random import Random

import pytest

from tests.dsl.fuzz import outcome, policies, words_of
from tests.dsl.mutations import is_harmless, mutated

RIGHT, WRONG = policies()
WORDS = words_of(RIGHT + WRONG)


@pytest.mark.parametrize("seed", range(8))
def test_changed_policies(seed: int) -> None:
    random = Random(seed)
    for _ in range(5):
        assert outcome(mutated(random.choice(RIGHT), random, WORDS), ("v1", "v4"))


def test_the_policies_are_what_they_are_taken_for() -> None:
    assert {outcome(text, ()) for text in Random(1).sample(RIGHT, 20)} == {"built"}
    assert {outcome(text, ()) for text in Random(1).sample(WRONG, 20)} == {"refused"}


def test_what_is_never_run() -> None:
    for text in (
        "import os\n",
        "from os import *\n",
        "while True: pass\n",
        "open('file', 'w')\n",
        "x = open('file', 'w')\n",
        "x = ().__class__\n",
        "x = exec\n",
        "x = bytes(1 << 40)\n",
        "x = 10 ** 10000\n",
        "x = [y for y in z]\n",
        "def f(x=[y for y in z]): pass\n",
        "class C(Struct):\n    for x in y: pass\n",
    ):
        assert not is_harmless(text)
    assert is_harmless("x = HashMap(key=u32, value=u64, max_entries=1 << 10)\n\ndef f():\n    while True: pass\n")
