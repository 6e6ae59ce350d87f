"""Random programs give what Python gives for the same text."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dsl.policy_kit import machine
from tests.dsl.random_bodies import random_body
from tests.dsl.test_frontend_corpus import GLOBALS


@given(st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_random_bodies_mean_what_they_mean_in_python(seed: int) -> None:
    body = random_body(seed)
    names: dict[str, object] = dict(GLOBALS)
    exec("def program(ctx):\n" + "".join(f"    {line}\n" for line in body.splitlines()), names)
    compiled = machine(body)
    for length in (0, 1, 5):
        for other in (0, 7, 1_000_003):
            context = type("Context", (), {"len": length, "hash": other})()
            expected = int(names["program"](context))  # type: ignore[operator]
            assert compiled.run(len=length, hash=other) == expected, (length, other, body)
