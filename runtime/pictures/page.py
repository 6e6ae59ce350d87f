"""One HTML page about a run, with nothing to load from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from skverdict.codegen.object import Object
from skverdict.runtime.pictures.control_flow import Hits, blocks
from skverdict.runtime.pictures.drawing import graph_svg
from skverdict.runtime.pictures.lanes import picture

if TYPE_CHECKING:
    from skverdict.runtime.cli.table import Table
    from skverdict.runtime.pictures.map_history import History
    from skverdict.runtime.trace import Event

MOST_DRAWN = 400
"""Events in the picture of sockets as lanes, the first ones."""

MOST_EVENTS = 10_000
"""Lines of the timeline on a page; the rest is counted."""

_TITLE, _BODY = "<!-- title -->", "<!-- body -->"


def page(
    title: str,
    tables: Iterable[Table],
    content: Object,
    hits: Hits | None,
    events: Sequence[Event],
    history: History,
) -> str:
    """The page: tables, the control flow of each program, what happened, and maps over time."""
    sections = [
        ("Result", "\n".join(_table(table) for table in tables)),
        *(_graph(content, name, hits) for name in content.programs),
        ("What happened", _timeline(events)),
        ("Maps over time", _maps(history)),
    ]
    body = "\n".join(f"<section><h2>{escape(head)}</h2>\n{part}\n</section>" for head, part in sections)
    template = (files("skverdict.runtime.pictures") / "page.html").read_text(encoding="utf-8")
    return template.replace(_TITLE, escape(title)).replace(_BODY, body)


def _table(table: Table) -> str:
    return _rows(table.title, table.columns, table.alignment, table.rows)


def _rows(title: str, columns: Sequence[str], alignment: str, rows: Iterable[Sequence[object]]) -> str:
    lines = [f"<table><caption>{escape(title)}</caption>"]
    lines.append(f"<tr>{''.join(f'<th>{escape(head)}</th>' for head in columns)}</tr>")
    for row in rows:
        cells = zip(row, alignment, strict=True)
        lines.append(
            f"<tr>{''.join(f'<td class={side}>{escape(str(cell))}</td>' for cell, side in cells)}</tr>"
        )
    return "\n".join([*lines, "</table>"])


def _graph(content: Object, name: str, hits: Hits | None) -> tuple[str, str]:
    program = content.programs[name]
    return f"{name} ({program.kind})", graph_svg(blocks(program, hits), f"control flow of {name}")


def _timeline(events: Sequence[Event]) -> str:
    if not events:
        return "<p>Nothing.</p>"
    rows = [f"<li class={_kind(text)}>{escape(text)}</li>" for text in map(str, events[:MOST_EVENTS])]
    rest = len(events) - MOST_EVENTS
    more = f"<p>{rest:,} more are not shown.</p>" if rest > 0 else ""
    return "\n".join([_lanes(events[:MOST_DRAWN]), "<ol class=events>", *rows, f"</ol>{more}"])


def _lanes(events: Sequence[Event]) -> str:
    """The picture, in a tree of its own, since it brings a style sheet."""
    drawn = picture(events)
    return f'<div class="lanes"><template shadowrootmode="open">{drawn}</template></div>'


def _kind(event: str) -> str:
    """The class of a line: its first word, as far as that is one."""
    word = event.partition(" ")[0].lower()
    return word if word.isalpha() and word.isascii() else "other"


def _maps(history: History) -> str:
    if not history.changes:
        return "<p>No map changed.</p>"
    # Whatever stands in there must not end the script element.
    data = json.dumps(history.changes).replace("<", "\\u003c")
    last = history.changes[-1].moment
    columns = ("packet", "map", "key", "before", "after")
    cut = f"<p>{history.cut:,} more changes are not shown.</p>" if history.cut else ""
    return (
        f'<p><label>After packet <input id="moment" type="range" min="0" max="{last}" value="{last}"> '
        f'<output id="shown">{last}</output></label></p>\n<div id="contents"></div>\n'
        f"<details><summary>All changes</summary>{_rows('', columns, 'rllll', history.changes)}{cut}</details>\n"
        f'<script type="application/json" id="changes">{data}</script>'
    )
