"""msg_verdicts of what applications send in other ways: several parts at once, more announced, from files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.corpus.inputs.build import (
    APPLY,
    CORK,
    DROP,
    FLAGS,
    INGRESS,
    POP_LENGTH,
    POP_START,
    PULL_END,
    PULL_START,
    PUSH_LENGTH,
    PUSH_START,
    REDIRECT,
    SK_MSG,
    Step,
    scenario,
)

SENDER: list[Step] = [
    ["attach", "watched", "msg_verdict"],
    ["pair", "s", "c"],
    ["pair", "u", "b"],
    ["put", "targets", 0, "u", 0],
    ["put", "watched", 0, "s", 0],
]
READ: list[Step] = [["recv", "c", 100], ["recv", "u", 100], ["recv", "b", 100], ["runs"]]
LATER: list[Step] = [["wait", 500], ["recv", "c", 100], ["runs"]]

SETTINGS: dict[str, dict[int, int]] = {
    "passed": {},
    "dropped": {SK_MSG: DROP},
    "redirected to egress": {SK_MSG: REDIRECT},
    "redirected to ingress": {SK_MSG: REDIRECT, FLAGS: INGRESS},
    "applied by 4": {APPLY: 4},
    "dropped by 4": {SK_MSG: DROP, APPLY: 4},
    "redirected by 4": {SK_MSG: REDIRECT, APPLY: 4},
    "corked to 20": {CORK: 20},
    "pulled 1 to 8": {PULL_START: 1, PULL_END: 8},
    "pushed at 4": {PUSH_START: 4, PUSH_LENGTH: 2},
    "popped at 2": {POP_START: 2, POP_LENGTH: 4},
    "popped at 2 and applied by 4": {POP_START: 2, POP_LENGTH: 4, APPLY: 4},
    "pushed at 1 and redirected": {PUSH_START: 1, PUSH_LENGTH: 3, SK_MSG: REDIRECT},
}
SENDS: dict[str, list[Step]] = {
    "three parts": [["sendmsg", "s", ["abc", "defgh", "ij"]]],
    "an empty part": [["sendmsg", "s", ["", "abcdefghij", ""]]],
    "more announced": [["more", "s", "abcde"], ["recv", "c", 100], ["send", "s", "fghij"]],
    "a file": [["sendfile", "s", "abcdefghij"]],
}


def scenarios() -> Iterator[dict[str, Any]]:
    for how, sends in SENDS.items():
        for name, settings in SETTINGS.items():
            yield scenario(f"{how}, {name}", settings, *SENDER, *sends, *READ, *LATER)
    yield scenario("nothing at all", {}, *SENDER, ["send", "s", ""], ["sendmsg", "s", []], *READ)
    large = "".join(chr(97 + number % 26) for number in range(6000))
    for name in ("passed", "redirected to egress", "applied by 4"):
        yield scenario(
            f"6000 bytes from a file, {name}",
            {**SETTINGS[name], **({APPLY: 4000} if name == "applied by 4" else {})},
            *SENDER,
            ["sendfile", "s", large],
            ["pending", "c"],
            ["pending", "b"],
            ["runs"],
        )
    yield scenario(
        "more announced without a program",
        {},
        ["pair", "s", "c"],
        ["more", "s", "abcde"],
        ["recv", "c", 100],
        ["send", "s", "fghij"],
        ["recv", "c", 100],
        ["more", "s", "klmno"],
        ["wait", 500],
        ["recv", "c", 100],
    )
