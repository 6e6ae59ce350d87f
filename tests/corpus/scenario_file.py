"""Files of scenarios: JSON, checked before a step of them is carried out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from tests.corpus.world import ATTACH

#: The kernels whose outcomes are recorded, oldest first.
KERNELS = ("6.1", "6.12", "7.2")
#: The objects that scenarios drive: `lab`, unless the scenario says another.
LABS = Path(__file__).parent / "lab"

Scenario = dict[str, Any]

#: What each verb takes, in order; what ends in a question mark may be left out.
VERBS: dict[str, str] = {
    "attach": "map program place?",
    "detach": "map program",
    "link": "new_link map program place?",
    "update_link": "link program program?",
    "detach_link": "link",
    "close_link": "link",
    "attach_cgroup": "name",
    "detach_cgroup": "name",
    "pair": "new new options?",
    "listen": "new options?",
    "connect": "socket new new options?",
    "tcp": "new",
    "udp": "new new options?",
    "udp_socket": "new options?",
    "unix": "new new name",
    "put": "map key socket number?",
    "get": "map key",
    "delete": "map key",
    "keys": "map",
    "set": "number number",
    "send": "socket text",
    "more": "socket text",
    "sendmsg": "socket texts",
    "sendfile": "socket text",
    "recv": "socket count",
    "peek": "socket count",
    "pending": "socket",
    "buffers": "socket count",
    "flood": "socket count",
    "burst": "socket few few",
    "drain": "socket",
    "transfer": "socket socket count",
    "shutdown": "socket number?",
    "close": "socket",
    "reset": "socket",
    "error": "socket",
    "state": "socket",
    "wait": "count",
    "runs": "",
    "seen": "",
    "seen_lengths": "",
    "callbacks": "",
    "options": "",
    "headers": "",
    "syns": "",
}
_OPTIONS = {
    "server_port": int, "client_port": int, "port": int, "family": str, "address": str, "server_address": str,
    "client_address": str, "bound": bool,
}  # fmt: skip
#: Names: what they are of, and whether it is a new one.
_NAMED = {"new": ("socket", True), "socket": ("socket", False), "new_link": ("link", True), "link": ("link", False)}
_PLACES = ("parser", "stream_verdict", "skb_verdict", "msg_verdict")
_LARGEST = (1 << 64) - 1
_MOST, _FEW = 1 << 22, 1 << 10


class ScenarioError(Exception):
    """What is no scenario: where in the file, and why."""


def read(content: str | bytes) -> list[Scenario]:
    """The scenarios in a file. Raises ScenarioError."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ScenarioError(f"it is not JSON: {error}") from None
    if not isinstance(found, list):
        raise ScenarioError("it is no array of scenarios")
    for number, scenario in enumerate(found):
        check(scenario, f"scenario {number}")
    return found


def check(scenario: Any, where: str) -> None:
    """Raise ScenarioError for what cannot be carried out."""
    if not isinstance(scenario, dict) or not isinstance(scenario.get("name"), str):
        _refuse(where, "it is no object with a name")
    extra = scenario.keys() - {"name", "lab", "settings", "steps", "outcomes", "outcomes_on"}
    if extra:
        _refuse(where, f"nothing is called {', '.join(sorted(extra))}")
    lab = scenario.get("lab", "lab")
    if not isinstance(lab, str) or lab not in {path.stem for path in LABS.glob("*.o")}:
        _refuse(where, f"there is no lab {lab!r}")
    settings, steps = scenario.get("settings", {}), scenario.get("steps")
    if not isinstance(settings, dict) or not all(map(_is_setting, settings.items())):
        _refuse(where, "its settings are no object of numbers by number")
    if not isinstance(steps, list):
        _refuse(where, "its steps are no array")
    known: set[tuple[str, str]] = set()
    for number, step in enumerate(steps):
        _check_step(step, known, f"{where}, step {number}")
    _check_outcomes(scenario, len(steps), where)


def _refuse(where: str, problem: str) -> NoReturn:
    raise ScenarioError(f"{where}: {problem}")


def _is_setting(setting: tuple[str, Any]) -> bool:
    slot, value = setting
    return slot.isascii() and slot.isdecimal() and _is_number(value)


def _is_number(value: Any) -> bool:
    return type(value) is int and abs(value) <= _LARGEST


def _check_step(step: Any, known: set[tuple[str, str]], where: str) -> None:
    """`known` are the sockets and links that earlier steps have made; those of this one are added."""
    if not isinstance(step, list) or not step or not isinstance(step[0], str) or step[0] not in VERBS:
        _refuse(where, "it is no array that begins with a verb")
    verb, *arguments = step
    wanted = VERBS[verb].split()
    least = sum(not kind.endswith("?") for kind in wanted)
    if not least <= len(arguments) <= len(wanted):
        _refuse(where, f"{verb} takes {VERBS[verb] or 'nothing'}")
    for argument, kind in zip(arguments, wanted, strict=False):
        kind = kind.removesuffix("?")
        if kind in _NAMED:
            what, new = _NAMED[kind]
            if not isinstance(argument, str) or ((what, argument) in known) is new:
                _refuse(where, f"{verb}: {argument!r} is no {'name for a new' if new else 'known'} {what}")
            known.add((what, argument))
        elif not _KINDS[kind](argument):
            _refuse(where, f"{verb}: {str(argument)[:40]!r} is no {kind}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and all(ord(character) <= 0xFF for character in value)


def _is_options(value: Any) -> bool:
    return isinstance(value, dict) and all(type(each) is _OPTIONS.get(name) for name, each in value.items())


_KINDS: Mapping[str, Callable[[Any], bool]] = {
    "map": lambda value: isinstance(value, str),
    "name": lambda value: isinstance(value, str),
    "program": lambda value: isinstance(value, str) and value in ATTACH,
    "key": lambda value: _is_number(value) or (isinstance(value, list) and all(map(_is_number, value))),
    "place": lambda value: isinstance(value, str) and value in _PLACES,
    "number": _is_number,
    "count": lambda value: _is_number(value) and 0 <= value <= _MOST,
    "few": lambda value: _is_number(value) and 0 <= value <= _FEW,
    "text": _is_text,
    "texts": lambda value: isinstance(value, list) and all(map(_is_text, value)),
    "options": _is_options,
}


def _check_outcomes(scenario: Scenario, steps: int, where: str) -> None:
    """What kernels gave, if that is known: one outcome for each step, and others by kernel and step."""
    outcomes, others = scenario.get("outcomes"), scenario.get("outcomes_on", {})
    if outcomes is not None and (not isinstance(outcomes, list) or len(outcomes) != steps):
        _refuse(where, f"its outcomes are no array of {steps}")
    if not isinstance(others, dict) or not all(isinstance(each, dict) for each in others.values()):
        _refuse(where, "its outcomes_on are no objects by kernel")
    for kernel, each in others.items():
        known = kernel in KERNELS and outcomes is not None
        if not known or not all(step.isascii() and step.isdecimal() and int(step) < steps for step in each):
            _refuse(where, f"its outcomes_on {kernel[:40]!r} fit no kernel or no step")
