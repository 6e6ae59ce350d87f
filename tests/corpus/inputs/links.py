"""Links on socket maps: what they keep others from, what goes through them, and how they end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.corpus.inputs.build import Step

PROGRAMS = ("parser", "pulling_parser", "verdict", "dropping_verdict", "skb_verdict", "msg_verdict")
#: Each program that a link holds, and another that may take its place.
OTHERS = {
    "parser": "pulling_parser",
    "verdict": "dropping_verdict",
    "skb_verdict": "verdict",
    "msg_verdict": "dropping_msg_verdict",
}


def _scenario(name: str, *steps: Step) -> dict[str, Any]:
    return {"name": name, "lab": "links", "settings": {}, "steps": list(steps)}


def _through(client: str, server: str) -> list[Step]:
    """Bytes both ways."""
    return [["send", client, "in"], ["recv", server, 9], ["send", server, "out"], ["recv", client, 9]]


def scenarios() -> Iterator[dict[str, Any]]:
    yield from _alone()
    yield from _beside()
    yield from _updates()
    yield from _ends()
    yield from _misplaced()


def _alone() -> Iterator[dict[str, Any]]:
    for program, other in OTHERS.items():
        yield _scenario(
            f"a link keeps others from the place of {program}",
            ["link", "first", "watched", program],
            ["attach", "watched", program],
            ["attach", "watched", other],
            ["detach", "watched", program],
            ["detach", "watched", other],
            ["link", "second", "watched", program],
            ["link", "elsewhere", "targets", program],
            ["close_link", "first"],
            ["detach", "watched", program],
            ["attach", "watched", program],
            ["link", "third", "watched", other],
            ["detach", "watched", program],
            ["close_link", "third"],
            ["attach", "watched", other],
        )


def _beside() -> Iterator[dict[str, Any]]:
    """Each program by a link, and then each of the others in every way."""
    for first in PROGRAMS:
        for second in PROGRAMS:
            yield _scenario(
                f"{second} beside a link of {first}",
                ["link", "first", "watched", first],
                ["link", "second", "watched", second],
                ["attach", "watched", second],
                ["pair", "c", "s"],
                ["put", "watched", 0, "s", 0],
                *_through("c", "s"),
                ["update_link", "second", second],
                ["update_link", "first", second, first],
                ["close_link", "first"],
                ["attach", "watched", second],
                ["detach", "watched", second],
            )


def _updates() -> Iterator[dict[str, Any]]:
    for program, other in OTHERS.items():
        yield _scenario(
            f"an update from {program}, and sockets that were there before",
            ["link", "link", "watched", program],
            ["pair", "c", "s"],
            ["pair", "d", "t"],
            ["put", "watched", 0, "s", 0],
            ["update_link", "link", other, other],
            ["update_link", "link", program, other],
            ["update_link", "link", other, program],
            ["update_link", "link", other, program],
            ["put", "watched", 1, "t", 0],
            *_through("c", "s"),
            *_through("d", "t"),
            ["update_link", "link", program],
            ["update_link", "link", "parser", "parser"],
            ["detach_link", "link"],
            ["update_link", "link", program],
            ["update_link", "link", program, program],
            ["update_link", "link", program, other],
            ["update_link", "link", "skb_verdict"],
            ["attach", "watched", other],
            ["detach_link", "link"],
            ["detach", "watched", other],
            ["close_link", "link"],
            ["close_link", "link"],
            ["update_link", "link", program],
            ["update_link", "link", program, other],
            ["detach_link", "link"],
        )


def _ends() -> Iterator[dict[str, Any]]:
    for way in ("detach_link", "close_link"):
        for program in ("dropping_verdict", "dropping_msg_verdict", "parser"):
            yield _scenario(
                f"sockets keep {program} after {way}",
                *([["attach", "watched", "verdict"]] if program == "parser" else []),
                ["link", "link", "watched", program],
                ["pair", "c", "s"],
                ["pair", "d", "t"],
                ["put", "watched", 0, "s", 0],
                [way, "link"],
                ["put", "watched", 1, "t", 0],
                *_through("c", "s"),
                *_through("d", "t"),
                ["delete", "watched", 0],
                ["put", "watched", 0, "s", 0],
                *_through("c", "s"),
            )


def _misplaced() -> Iterator[dict[str, Any]]:
    for place in ("parser", "stream_verdict", "skb_verdict", "msg_verdict"):
        yield _scenario(
            f"every program by a link as {place}",
            *(
                step
                for number, program in enumerate(PROGRAMS)
                for step in (
                    ["link", f"l{number}", "watched", program, place],
                    ["close_link", f"l{number}"],
                    ["attach", "watched", program, place],
                    ["link", f"m{number}", "watched", program, place],
                    ["update_link", f"m{number}", "verdict"],
                    ["close_link", f"m{number}"],
                )
            ),
        )
    for program in PROGRAMS:
        yield _scenario(
            f"{program} by a link on a map of another kind",
            ["link", "link", "config", program],
            ["attach", "config", program],
            ["detach", "config", program],
            ["link", "wrong", "config", program, "msg_verdict"],
            ["attach", "config", program, "msg_verdict"],
        )
