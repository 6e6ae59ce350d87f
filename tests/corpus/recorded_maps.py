"""What kernels did with maps: `map_stories.json`, which `python -m tests.kernel.record_maps` writes.

`stories` are as `map_world` has them, with `outcomes` and `outcomes_on` as scenarios have. `maps` are declarations,
each with the error of making such a map on each of `scenario_file.KERNELS`, 0 for none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.corpus.map_world import Declaration, Story

RECORDED = Path(__file__).with_name("map_stories.json")


def _content() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(RECORDED.read_text(encoding="utf-8"))
    return content


def recorded_stories() -> list[Story]:
    stories: list[Story] = _content()["stories"]
    return stories


def recorded_maps() -> Iterator[tuple[Declaration, list[int]]]:
    """Declarations, and the errors of making them."""
    for fields, errors in _content()["maps"]:
        yield Declaration(*fields), errors
