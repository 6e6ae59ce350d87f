"""Objects that a kernel is to accept, and what became of each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple


class Candidate(NamedTuple):
    """One object to load: who made it, of which policy, for which CPU.

    Where there is none, `content` is None, and `outcome` and `reason` are those of its case.
    """

    maker: str
    policy: str
    cpu: str
    content: bytes | None
    outcome: str = ""
    reason: str = ""

    @property
    def file(self) -> str:
        """Its file name in the guest."""
        return f"{re.sub(r'[^a-z0-9_]+', '-', self.policy.lower())}.{self.maker}.{self.cpu}.o"


class Case(NamedTuple):
    """What became of a candidate: `outcome` is `passed`, `failed` or `skipped`; `detail` says why or how."""

    maker: str
    name: str
    outcome: str
    detail: str


def _programs(result: dict[str, Any]) -> str:
    return ", ".join(
        f"{each['name']} {each['verified_instructions']} verified, {each['native_bytes']} bytes native"
        if each["accepted"]
        else f"{each['name']} refused"
        for each in result["programs"]
    )


def judge(tried: Iterable[Candidate], results: Iterable[dict[str, Any]]) -> Iterator[Case]:
    """Each candidate's case, from what the guest reported; without a report it has failed."""
    by_object = {result["object"]: result for result in results}
    for candidate in tried:
        name = f"{candidate.policy} {candidate.cpu}"
        result = by_object.get(candidate.file)
        if candidate.content is None:
            yield Case(candidate.maker, name, candidate.outcome, candidate.reason)
        elif result is None:
            yield Case(candidate.maker, name, "failed", "the guest reported nothing of it")
        elif result["accepted"]:
            yield Case(candidate.maker, name, "passed", _programs(result))
        else:
            yield Case(candidate.maker, name, "failed", f"{_programs(result)}\n{result['log']}".strip())
