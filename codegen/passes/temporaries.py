"""Stack variables that hold the same value for helpers to read become one.

A number that is given to a helper by address needs a place on the stack. LLVM never merges two such places,
so one key that is looked up twice would be stored twice.
"""

from __future__ import annotations

import re

from skverdict.codegen.passes.function_text import FunctionText, mentions

_PLACE = re.compile(r"^  (%[\w.]+) = alloca (\w+), align \d+")
_STORE = re.compile(r"^  store (\w+) ([^,]+), ptr (%[\w.]+), align \d+")


def merge_temporaries(function: FunctionText) -> bool:
    """Change `function` if that makes it shorter; True if it was changed."""
    entry = next(iter(function.blocks.values()))
    by_value: dict[tuple[str, str], list[str]] = {}
    for line in entry:
        place = _PLACE.match(line)
        value = place and _only_value(function, place[1])
        if place and value:
            by_value.setdefault((place[2], value), []).append(place[1])
    changed = False
    for (_, value), places in by_value.items():
        if len(places) > 1 and _can_store_early(function, value):
            _merge(function, value, places)
            changed = True
    return changed


def _only_value(function: FunctionText, place: str) -> str | None:
    """The one value that `place` holds whenever a helper reads it; None if it is used in any other way."""
    pattern = mentions(place)
    value = None
    stored_in = ""
    for label, _, line in function.lines():
        if not pattern.search(line) or line.startswith(f"  {place} = alloca "):
            continue
        store = _STORE.match(line)
        if store and store[3] == place and value is None and not pattern.search(store[2]):
            value, stored_in = store[2], label
        elif label != stored_in or not re.search(rf"readonly captures\(none\) {pattern.pattern}", line):
            return None
    return value


def _can_store_early(function: FunctionText, value: str) -> bool:
    """True if the value can be stored right where it is made."""
    definition = function.definition(value)
    return definition is None or " = phi " not in function.blocks[definition[0]][definition[1]]


def _merge(function: FunctionText, value: str, places: list[str]) -> None:
    """Let `places` be one, stored once, where `value` is made (constants and parameters: at the start)."""
    first, *others = places
    store = ""
    for label, block in function.blocks.items():
        kept = []
        for line in block:
            stored = _STORE.match(line)
            if stored and stored[3] in places:
                store = line if stored[3] == first else store
            elif not any(line.startswith(f"  {other} = alloca ") for other in others):
                kept.append(line)
        function.blocks[label] = kept
    for other in others:
        pattern = mentions(other)
        for label, block in function.blocks.items():
            function.blocks[label] = [pattern.sub(first, line) for line in block]
    definition = function.definition(value)
    if definition is None:
        label = next(iter(function.blocks))
        place = sum(" = alloca " in line for line in function.blocks[label])
    else:
        label, place = definition[0], definition[1] + 1
    function.blocks[label].insert(place, store)
