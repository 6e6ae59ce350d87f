"""What to import, or which spelling to use, for a name that a policy does not have."""

from __future__ import annotations

from collections.abc import Iterable

from skverdict import dsl
from skverdict.dsl.frontend.refusal import suggestion


def dotted(name: str) -> str:
    """A hint for a `case` with a constant's bare name, which Python takes for a new name that fits anything."""
    if name in dsl.constants.__all__:
        return f"write `case constants.{name}:`, with `from skverdict.dsl import constants`"
    return f"write what `{name}` is, or make it a member of a class, such as `case Kind.{name}:`"


def unknown_name(name: str, known: Iterable[str] = ()) -> str:
    """A hint for a name that nothing in the policy stands behind; empty if there is nothing like it."""
    from skverdict.dsl.catalogue.helpers import HELPERS

    if name in dsl.__all__:
        return f"write `from skverdict.dsl import {name}`"
    if name in HELPERS:
        return f"write `from skverdict.dsl.helpers import {name}`"
    own = suggestion(name, known)
    if own:
        return own
    close = suggestion(name, [*dsl.__all__, *HELPERS])
    return f"{close} It is not imported yet." if close else ""
