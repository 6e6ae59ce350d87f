"""Loaders to begin with, for the libraries that load BPF objects: one module a language."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from skverdict.runtime.skeleton import c, go, rust
from skverdict.runtime.skeleton.parts import Parts


class Language(NamedTuple):
    """A language: the ending of its files, and what writes one."""

    ending: str
    text: Callable[[Parts], str]


LANGUAGES = {
    "c": Language(".c", c.text),
    "go": Language(".go", go.text),
    "rust": Language(".rs", rust.text),
}
