"""How lowering gives up on a statement: by an exception that carries what to tell the user."""

from __future__ import annotations

from collections.abc import Iterable

from skverdict.dsl.errors import Diagnostic, Place


class Refused(Exception):
    """The policy is wrong here. `diagnostic` is None where an earlier error already says why."""

    def __init__(self, diagnostic: Diagnostic | None) -> None:
        super().__init__(diagnostic)
        self.diagnostic = diagnostic


class Reporter:
    """Collects diagnostics; the same finding at the same place counts once."""

    __slots__ = ("_seen", "errors", "failures", "warnings")

    def __init__(self) -> None:
        self.errors: list[Diagnostic] = []
        self.warnings: list[Diagnostic] = []
        # How many errors were found, the same one again included.
        self.failures = 0
        self._seen: set[tuple[object, ...]] = set()

    def add(self, diagnostic: Diagnostic) -> bool:
        """Report a finding; False if it was told already."""
        self.failures += diagnostic.severity == "error"
        key = (*diagnostic.place.key, diagnostic.message)
        if key in self._seen:
            return False
        self._seen.add(key)
        (self.errors if diagnostic.severity == "error" else self.warnings).append(diagnostic)
        return True

    def take_back(self, diagnostic: Diagnostic) -> None:
        """Forget an error that was added: the code that it is about is looked at again."""
        self._seen.remove((*diagnostic.place.key, diagnostic.message))
        self.errors.remove(diagnostic)

    def error(
        self, place: Place, message: str, hint: str = "", notes: Iterable[tuple[Place, str]] = ()
    ) -> None:
        self.add(Diagnostic(place, message, hint, tuple(notes)))

    def warning(
        self, place: Place, message: str, hint: str = "", notes: Iterable[tuple[Place, str]] = ()
    ) -> None:
        self.add(Diagnostic(place, message, hint, tuple(notes), "warning"))


def in_order(diagnostics: list[Diagnostic], first_file: str) -> list[Diagnostic]:
    """Sorted as the user reads: the policy's own file first, then by line and column."""
    return sorted(diagnostics, key=lambda one: (one.file != first_file, *one.place.key))


def suggestion(name: str, known: Iterable[str]) -> str:
    """A hint that names what `name` may have been meant to be, or nothing."""
    import difflib

    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else ""
