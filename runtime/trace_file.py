"""Traces as JSON: `write` and `read` are each other's opposite.

A trace is an object with `format` (`skverdict-trace`), `version` (1) and `events`, an array of objects. Each has
the name of the event under `event`, and its fields under their own names; bytes are `{"hex": "00ff"}`.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn, get_args, get_type_hints

from skverdict.runtime.trace import EVENTS, Trace

FORMAT, VERSION = "skverdict-trace", 1

_HEX = "hex"


class TraceError(Exception):
    """What is no trace: where in it, and why."""


def write(trace: Trace) -> str:
    """The trace as JSON, an event a line."""
    events = ",\n".join(
        json.dumps({"event": type(event).__name__.lower(), **event._asdict()}, cls=_Encoder)
        for event in trace
    )
    return f'{{"format": "{FORMAT}", "version": {VERSION}, "events": [\n{events}\n]}}\n'


class _Encoder(json.JSONEncoder):
    """JSON's own, and bytes."""

    def default(self, value: object) -> object:
        return {_HEX: value.hex()} if isinstance(value, bytes) else super().default(value)


def read(content: str | bytes) -> Trace:
    """The trace in a file. Raises TraceError."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise TraceError(f"it is not JSON: {error}") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise TraceError(f"it is no object with the format {FORMAT!r}")
    if found.get("version") != VERSION:
        raise TraceError(f"it is of version {found.get('version')!r}, and {VERSION} is known")
    events = found.get("events")
    if not isinstance(events, list):
        raise TraceError("its events are no array")
    trace = Trace()
    for number, event in enumerate(events):
        _add(trace, event, f"event {number}")
    return trace


def _refuse(where: str, problem: str) -> NoReturn:
    raise TraceError(f"{where}: {problem}")


#: The types of the fields of each event.
_FIELDS = {name: get_type_hints(event) for name, event in EVENTS.items()}


def _add(trace: Trace, event: Any, where: str) -> None:
    if not isinstance(event, dict):
        _refuse(where, "it is no object")
    name = event.get("event")
    if not isinstance(name, str) or name not in EVENTS:
        _refuse(where, f"{name!r} is none of {', '.join(EVENTS)}")
    fields = _FIELDS[name]
    differs = (event.keys() - {"event"}) ^ fields.keys()
    if differs:
        _refuse(where, f"a {name} has the fields {', '.join(fields)}; {', '.join(sorted(differs))} do not fit")
    trace.note(name, *(_value(event[field], kind, f"{where}, {field}") for field, kind in fields.items()))


def _value(value: Any, kind: Any, where: str) -> Any:
    """A field's value, which is to be of type `kind`."""
    if isinstance(value, dict):
        value = _bytes(value, where)
    if isinstance(value, list):
        value = tuple(_bytes(each, where) if isinstance(each, dict) else each for each in value)
        if any(type(each) not in (int, str, bytes) for each in value):
            _refuse(where, "its parts are numbers, texts and bytes")
    allowed = {getattr(each, "__origin__", each) for each in get_args(kind) or (kind,)}
    if getattr(kind, "__origin__", None) is tuple:
        allowed = {tuple}
    if type(value) not in allowed:
        _refuse(where, f"{str(value)[:40]!r} is no {' or '.join(sorted(each.__name__ for each in allowed))}")
    return value


def _bytes(value: dict[str, Any], where: str) -> bytes:
    text = value.get(_HEX)
    if value.keys() != {_HEX} or not isinstance(text, str):
        _refuse(where, f"bytes are an object with {_HEX!r} alone")
    try:
        return bytes.fromhex(text)
    except ValueError:
        _refuse(where, f"{text[:40]!r} is not hexadecimal")
