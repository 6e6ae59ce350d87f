"""The kernel's constants under their C names, as a policy imports them from `skverdict.dsl`."""

from __future__ import annotations

from skverdict.dsl.catalogue.constants import CONSTANTS

__all__ = list(CONSTANTS)

globals().update(CONSTANTS)
