"""A compiled policy, and the way to get one from a file."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    from skverdict.dsl.errors import Diagnostic
    from skverdict.dsl.ir.module import Module


class Policy:
    """A policy that was read, checked and lowered.

    `path` is the file as given; `module` its IR; `sources` the lines of every file it was written in, by the
    name that the IR's locations use, and `paths` where these files are; `warnings` what is allowed but
    deserves a look; `kernel` the Linux of which it may use what there is (6.1, 6.12 or 7.2).
    """

    __slots__ = ("kernel", "module", "path", "paths", "sources", "warnings")

    def __init__(
        self,
        path: str,
        module: Module,
        sources: Mapping[str, Sequence[str]],
        paths: Mapping[str, str],
        warnings: Sequence[Diagnostic] = (),
        kernel: str = "7.2",
    ) -> None:
        self.path = path
        self.module = module
        self.sources = sources
        self.paths = paths
        self.warnings = tuple(warnings)
        self.kernel = kernel

    def __repr__(self) -> str:
        return f"<Policy {self.path}>"


def load_policy(path: str | PathLike[str], kernel: str | None = None) -> Policy:
    """Read, run and compile the policy in the file `path`.

    Running means that the module's own code is executed as Python. With `kernel` (6.1, 6.12 or 7.2) only what
    that kernel has may be used; otherwise what the newest of them has. What deserves a look is issued as
    PolicyWarning, and kept in `warnings` of the policy. Raises PolicyError with every error found, ValueError
    for another kernel.
    """
    from skverdict.dsl.errors import warn
    from skverdict.dsl.frontend.load import load

    policy = load(path, kernel)
    for warning in policy.warnings:
        warn(warning)
    return policy
