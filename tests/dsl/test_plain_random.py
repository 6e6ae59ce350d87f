"""A fixed share of the random programs that look for bytes at computed positions, in ordinary Python and compiled."""

from __future__ import annotations

from tests.dsl.position_meaning import check


def test_random_positions_lead_in_python_where_they_lead_compiled() -> None:
    found = check(12, 4)
    assert found.differences == []
    # Some positions may be negative or out of reach; but most programs are compiled.
    assert len(found.refused) < 9
