"""Policies that are refused, by topic, each with all that the compiler says of it: caret, reason, remedy.

A file begins with its topic. An entry is `=== title`, the policy behind the import of everything, a line
`---`, and the text. `python -m tests.corpus.rejected` writes `docs/errors.md` from it.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from skverdict.codegen import build
from skverdict.dsl import PolicyError, load_policy

from tests.corpus.language import PRELUDE

FOLDER = Path(__file__).parent
GALLERY = FOLDER.parents[2] / "docs" / "errors.md"
# The order in which a newcomer comes across them.
TOPICS = (
    "modules", "python", "flow", "loops", "numbers", "structures", "maps", "helpers", "packets", "bytes", "printing",
    "functions", "variables", "resources", "concurrency",
)  # fmt: skip

_HEAD = """\
# What the compiler refuses, and what to write instead

Policies that are wrong, by topic, each with what `skverdict check` says of it. A compile tells every error that
it finds, in the order of the source. This page is generated from `tests/corpus/rejected/`, which the tests hold the
compiler against; `python -m tests.corpus.rejected` writes it.
"""


class Rejected(NamedTuple):
    """One policy and the text of its errors, which name the file `policy.py`."""

    title: str
    text: str
    expected: str


class Topic(NamedTuple):
    """One file: what it is about, and its policies."""

    name: str
    summary: str
    entries: list[Rejected]


def topic(name: str) -> Topic:
    """The topic of that name. Raises ValueError for two policies of one title, or one without its errors."""
    summary, *parts = ("\n" + (FOLDER / f"{name}.txt").read_text(encoding="utf-8")).split("\n=== ")
    found: dict[str, Rejected] = {}
    for part in parts:
        title, _, rest = part.partition("\n")
        text, separator, expected = rest.partition("\n---\n")
        if title in found or not separator:
            raise ValueError(f"{name}.txt: {title!r} is there twice, or has no errors")
        found[title] = Rejected(title, text.strip("\n") + "\n", expected.strip("\n"))
    return Topic(name, summary.strip("\n"), list(found.values()))


def topics() -> Iterator[Topic]:
    """All topics, in order."""
    return map(topic, TOPICS)


def rendered(text: str) -> str:
    """What the compiler says of the policy `text`. Raises ValueError if it takes it."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        path = Path(folder) / "policy.py"
        path.write_text(PRELUDE + text, encoding="utf-8")
        try:
            build(load_policy(path))
        except PolicyError as error:
            return "\n".join(line.rstrip() for line in str(error).replace(f"{folder}/", "").splitlines())
    raise ValueError("the compiler takes this policy")


def gallery() -> str:
    """The text of `docs/errors.md`."""
    parts = [_HEAD]
    every = list(topics())
    parts.append("".join(f"- [{each.summary.rstrip('.')}](#{each.name})\n" for each in every))
    for each in every:
        parts.append(f"## {each.name.capitalize()}\n\n{each.summary}\n")
        parts.extend(map(_section, each.entries))
    return "\n".join(parts)


def _section(entry: Rejected) -> str:
    # Fences of another kind than those of the code that documents show as working.
    return f"### {entry.title}\n\n~~~python\n{PRELUDE}{entry.text}~~~\n\n```text\n{entry.expected}\n```\n"
