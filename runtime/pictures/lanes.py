"""A trace as a picture: sockets are lanes, time goes down, and bytes that move are arrows.

The picture is one SVG without scripts or outside files. `page` puts it into HTML with the timeline as text
beside it; hovering over an event shows it whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from html import escape
from typing import Any

from skverdict.runtime.trace import Called, Changed, Event, Faulted, Hazard, Moved, Ran

LANE = 180
ROW = 26
_MARGIN, _HEAD = 150, 40
_CHARACTERS = 26
"""Of a label, at most; the rest is in what hovering shows."""

_STYLE = """
svg { font: 12px sans-serif; background: #fff; }
.name { font-weight: bold; text-anchor: middle; }
.lane { stroke: #ccc; }
.row { text-anchor: middle; }
.arrow { stroke-width: 1.5; fill: none; marker-end: url(#tip); }
.sent, .received { stroke: #888; }
.arrived, .passed { stroke: #2a7; }
.egress, .ingress { stroke: #26c; }
.ingress { stroke-dasharray: 5 3; }
.corked { stroke: #a70; fill: #a70; }
.dropped, .lost, .hazard, .faulted { stroke: #c22; fill: #c22; }
text { fill: #222; stroke: none; }
.ran { fill: #eef; stroke: #99c; }
.changed { fill: #999; }
text.hazard, text.faulted { fill: #c22; font-weight: bold; }
"""

_TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" '
    'orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#555"/></marker></defs>'
)


#: The middle of each lane, by the names of sockets and maps.
_Lanes = dict[str, int]


def picture(events: Iterable[Event]) -> str:
    """The events as SVG. Helper calls are left out; they stand in the timeline."""
    shown = [event for event in events if not isinstance(event, Called)]
    names = dict.fromkeys(name for event in shown for name in names_of(event))
    lanes = {name: _MARGIN + LANE * number for number, name in enumerate(names)}
    width = 2 * _MARGIN + LANE * max(0, len(names) - 1)
    height = _HEAD + ROW * (len(shown) + 1)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img">',
        f"<style>{_STYLE}</style>",
        _TIP,
    ]
    for name, at in lanes.items():
        lines.append(f'<text class="name" x="{at}" y="18">{_text(name)}</text>')
        lines.append(f'<line class="lane" x1="{at}" y1="26" x2="{at}" y2="{height}"/>')
    for number, event in enumerate(shown):
        y = _HEAD + ROW * number + ROW // 2
        draw = _DRAWN[type(event)]
        lines += ["<g>", f"<title>{escape(_printable(str(event)))}</title>", *draw(lanes, event, y), "</g>"]
    return "\n".join([*lines, "</svg>"]) + "\n"


def page(events: Iterable[Event], title: str = "What happened") -> str:
    """The picture and the timeline as a page of HTML."""
    every = list(events)
    items = "\n".join(
        f'<li class="{type(event).__name__.lower()}">{escape(_printable(str(event)))}</li>' for event in every
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        "<style>body { font-family: sans-serif; } ol { font: 12px monospace; } .hazard, .faulted { color: #c22; }"
        f"</style></head>\n<body>\n<h1>{escape(title)}</h1>\n{picture(every)}<ol>\n{items}\n</ol>\n</body></html>\n"
    )


def names_of(event: Event) -> Iterator[str]:
    """The lanes that an event is in."""
    if isinstance(event, Moved):
        yield event.source
        if event.target:
            yield event.target
    elif isinstance(event, Changed):
        yield event.subject
    elif not isinstance(event, Called):
        yield event.socket


def _printable(text: str) -> str:
    """What XML can hold; control characters are shown as Python writes them."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def _text(text: str) -> str:
    text = _printable(text)
    return escape(text if len(text) <= _CHARACTERS else text[: _CHARACTERS - 1] + "…")


def _label(x: int, y: int, text: str, kind: str = "row") -> str:
    return f'<text class="row {kind}" x="{x}" y="{y}">{_text(text)}</text>'


def _moved(lanes: _Lanes, event: Moved, y: int) -> list[str]:
    begin = lanes[event.source]
    end = lanes[event.target] if event.target else begin
    what, kind = f"{event.way} {event.length}", event.way if event.way in _WAYS else "other"
    if begin == end:
        # Nobody else's lane: to or from the application, or to nowhere.
        away = 40 if event.way != "received" else -40
        shape = f'<path class="arrow {kind}" d="M{begin},{y} h{away}"/>'
        return [shape, _label(begin + away // 2 + (60 if away > 0 else -60), y + 4, what, kind)]
    shape = f'<path class="arrow {kind}" d="M{begin},{y} H{end}"/>'
    return [shape, _label((begin + end) // 2, y - 4, what, kind)]


def _ran(lanes: _Lanes, event: Ran, y: int) -> list[str]:
    x = lanes[event.socket]
    return [
        f'<rect class="ran" x="{x - 80}" y="{y - 11}" width="160" height="20" rx="4"/>',
        _label(x, y + 4, f"{event.program}: {event.verdict}"),
    ]


def _changed(lanes: _Lanes, event: Changed, y: int) -> list[str]:
    x = lanes[event.subject]
    return [f'<circle class="changed" cx="{x}" cy="{y}" r="3"/>', _label(x, y - 5, event.what)]


def _hazard(lanes: _Lanes, event: Hazard, y: int) -> list[str]:
    return [_label(lanes[event.socket], y + 4, f"⚠ {event.what}", "hazard")]


def _faulted(lanes: _Lanes, event: Faulted, y: int) -> list[str]:
    return [_label(lanes[event.socket], y + 4, f"✗ {event.fault}", "faulted")]


_WAYS = ("sent", "received", "arrived", "passed", "egress", "ingress", "corked", "dropped", "lost")

#: How each kind of event is drawn in its row.
_DRAWN: dict[type[Event], Callable[[_Lanes, Any, int], list[str]]] = {
    Moved: _moved,
    Ran: _ran,
    Changed: _changed,
    Hazard: _hazard,
    Faulted: _faulted,
}
