"""The gallery of refused policies: each with all that the compiler says of it."""

from __future__ import annotations

import pytest

from tests.corpus.rejected import GALLERY, Rejected, gallery, rendered, topics

ENTRIES = [(topic.name, entry) for topic in topics() for entry in topic.entries]


@pytest.mark.parametrize("entry", [pytest.param(entry, id=f"{name}: {entry.title}") for name, entry in ENTRIES])
def test_what_is_said(entry: Rejected) -> None:
    assert rendered(entry.text) == entry.expected


def test_there_is_an_entry_for_what_newcomers_write() -> None:
    assert len({entry.text for _, entry in ENTRIES}) >= 240


def test_the_gallery_is_current() -> None:
    """`python -m tests.corpus.rejected` writes it."""
    assert GALLERY.read_text(encoding="utf-8") == gallery()
