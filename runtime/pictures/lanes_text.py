"""A trace as a picture of characters: sockets are columns, time goes down, and bytes that move are arrows."""

from __future__ import annotations

from collections.abc import Iterable

from skverdict.runtime.pictures.lanes import names_of
from skverdict.runtime.trace import Called, Changed, Event, Faulted, Hazard, Moved, Ran

COLUMN = 24
"""Characters between two lanes."""

_FIRST, _AWAY = 20, 4
"""The first lane, with room for what its socket receives; length of an arrow to or from an application."""


def lanes_text(events: Iterable[Event]) -> str:
    """The events, a line each under a line of names. Helper calls are left out, as in the drawn picture."""
    shown = [event for event in events if not isinstance(event, Called)]
    names = dict.fromkeys(name for event in shown for name in names_of(event))
    lanes = {name: _FIRST + COLUMN * number for number, name in enumerate(names)}
    head = _Row(())
    for name, at in lanes.items():
        head.centred(at, name)
    rows = [head]
    for event in shown:
        row = _Row(lanes.values())
        _draw(row, lanes, event)
        rows.append(row)
    return "\n".join(row.text() for row in rows)


class _Row:
    """One line, with the lanes that it crosses."""

    def __init__(self, lanes: Iterable[int]) -> None:
        self._characters = dict.fromkeys(lanes, "|")

    def put(self, at: int, text: str) -> None:
        """Write over what is there, from column `at` on; nothing lies left of column 0."""
        for column, character in enumerate(text, max(at, 0)):
            self._characters[column] = character if character.isprintable() else "?"

    def centred(self, at: int, text: str) -> None:
        """Write around column `at`, as much as a column has room for."""
        text = _cut(text, COLUMN - 1)
        self.put(at - len(text) // 2, text)

    def text(self) -> str:
        """The line."""
        width = max(self._characters, default=-1) + 1
        return "".join(self._characters.get(column, " ") for column in range(width)).rstrip()


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 2]}.."


def _draw(row: _Row, lanes: dict[str, int], event: Event) -> None:
    if isinstance(event, Moved):
        _move(row, lanes, event)
    elif isinstance(event, Ran):
        row.centred(lanes[event.socket], f"[{_cut(f'{event.program}: {event.verdict}', COLUMN - 3)}]")
    elif isinstance(event, Changed):
        row.centred(lanes[event.subject], event.what)
    elif isinstance(event, Hazard):
        row.put(lanes[event.socket], f"! {event.what}")
    elif isinstance(event, Faulted):
        row.put(lanes[event.socket], f"x {event.fault}".splitlines()[0])


def _move(row: _Row, lanes: dict[str, int], event: Moved) -> None:
    begin = lanes[event.source]
    end = lanes[event.target] if event.target else begin
    label = f" {event.way} {event.length} "
    if begin == end:
        if event.way == "received":
            row.put(begin - _AWAY, f"{'<':-<{_AWAY}}")
            row.put(begin - _AWAY - len(label), label.rstrip().rjust(len(label) - 1))
        else:
            row.put(begin + 1, f"{'>':->{_AWAY}}{label}")
        return
    left, right = sorted((begin, end))
    shaft = "-" * (right - left - 2)
    row.put(left + 1, f"{shaft}>" if end > begin else f"<{shaft}")
    row.put((left + right - len(label)) // 2 + 1, label)
