"""The error for a policy that is sound but exceeds what its target can hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.dsl.errors import Diagnostic, Place, PolicyError

if TYPE_CHECKING:
    from skverdict.dsl.ir.module import Location


class CodegenError(PolicyError):
    """A limit of BPF is exceeded: says which, where in the policy, and what to do about it."""

    def __init__(self, message: str, location: Location, text: str = "", hint: str = "") -> None:
        place = Place(location.file, location.line, location.column, text=text)
        super().__init__([Diagnostic(place, message, hint)])
