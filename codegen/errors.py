"""The error for a policy that is sound but exceeds what its target can hold."""

from __future__ import annotations

from skverdict.dsl.errors import Diagnostic, Place, PolicyError


class CodegenError(PolicyError):
    """A limit of BPF is exceeded: says which, where in the policy, and what to do about it."""

    def __init__(self, message: str, place: Place, hint: str = "") -> None:
        super().__init__([Diagnostic(place, message, hint)])
