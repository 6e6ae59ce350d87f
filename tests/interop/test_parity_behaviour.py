"""Each policy of the corpus and its C twin behave alike in the simulator, step by step."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from skverdict.codegen import Object, read_object
from skverdict.dsl import load_policy
from skverdict.runtime.machine.call import Buffer
from skverdict.runtime.machine.load import data_memory, load
from skverdict.runtime.machine.run import run
from skverdict.runtime.maps.hash import HashMap

from tests.interop.conftest import Build
from tests.interop.parity_scripts import script
from tests.interop.scripts import machines
from tests.interop.stage import Step, play
from tests.interop.twins import CORPUS, PARITY, Twin, compile_c
from tests.runtime.machine_kit import TestContext, environment, spec

QUICK = settings(max_examples=12, deadline=None, derandomize=True, database=None)
SEARCH = settings(QUICK, max_examples=400, phases=[Phase.generate])
TARGETS = [("v1", "little"), ("v3", "little"), ("v3", "big"), ("v4", "little")]
# Answers of helpers that no script brings about: these programs are run alone as well, with the test's helpers.
ALONE = {"ops_options": "options", "ops_tuning": "tune"}


@pytest.mark.parametrize("target", TARGETS, ids="-".join)
@pytest.mark.parametrize("twin", CORPUS, ids=str)
def test_twins_behave_alike(
    twin: Twin, target: tuple[str, str], clang_19: str, built: Build, compiled: Build
) -> None:
    module = load_policy(twin.policy).module
    ours = read_object(built(twin, *target).read_bytes(), "skverdict")
    theirs = read_object(compiled(clang_19, twin, *target).read_bytes(), "clang")

    @QUICK
    @given(machines(target[0]), script(twin.name, module, target[1]))  # type: ignore[arg-type]
    def alike(how: dict[str, Any], steps: list[Step]) -> None:
        assert play(ours, how, steps) == play(theirs, how, steps)

    alike()


def callback(policy: Object, name: str, fields: dict[str, int], answer: int) -> Any:
    """What program `name` does at one callback: the helpers it calls, its reply, its result, its map."""
    calls: list[Any] = []

    def record(helper: str) -> Any:
        def called(call: Any, context: Any, *arguments: Any) -> int:
            seen = [each.read() if isinstance(each, Buffer) else each for each in arguments]
            calls.append((helper, seen))
            if helper == "bpf_load_hdr_opt":
                arguments[0].write(b"\xfd\x04\x12\x34")
            return answer

        return called

    names = ("setsockopt", "sock_ops_cb_flags_set", "reserve_hdr_opt", "store_hdr_opt", "load_hdr_opt")
    helpers = {f"bpf_{each}": record(f"bpf_{each}") for each in names}
    helpers["bpf_get_socket_cookie"] = lambda call, context: 77
    surroundings = environment(helpers=helpers)
    tags = HashMap(spec("tags", 8, 2, 16), policy.endian)
    context = TestContext("sock_ops", **fields)
    program = load(policy, name, {"tags": tags} if policy.maps else {}, data_memory(policy), surroundings)
    result = run(program, context, surroundings)
    return calls, context.fields, result.value & 0xFFFFFFFF, [(key, tags.read(key)) for key in tags.keys()]  # noqa: SIM118


@pytest.mark.parametrize("target", TARGETS, ids="-".join)
@pytest.mark.parametrize("name", ALONE)
def test_callbacks_are_answered_alike(
    name: str, target: tuple[str, str], clang_19: str, built: Build, compiled: Build
) -> None:
    twin = Twin(name, PARITY, PARITY)
    ours = read_object(built(twin, *target).read_bytes(), "skverdict")
    theirs = read_object(compiled(clang_19, twin, *target).read_bytes(), "clang")
    order: Any = target[1]
    done = set()
    for op in range(18):
        for text in ("10.1.2.3", "11.1.2.3", "127.0.0.1"):
            for answer in (0, 4, -2):
                address = int.from_bytes(IPv4Address(text).packed, order)
                fields = {"op": op, "remote_ip4": address, "local_port": 0x12345, "reply": 9}
                outcome = callback(ours, ALONE[name], fields, answer)
                assert outcome == callback(theirs, ALONE[name], fields, answer)
                done.add(repr(outcome))
    assert len(done) > 5


# A twin, what its C source says, and a mistake to put in its place.
MISTAKES = [
    ("parse_fixed", "MESSAGE 10", "MESSAGE 11"),
    ("parse_prefix", "return 2 + length", "return 3 + length"),
    ("parse_by_port", "skb->local_port % 128", "(skb->local_port + 1) % 128"),
    ("parse_varint", "7 * i", "8 * i"),
    ("verdict_port", "MAIL 10001", "MAIL 10002"),
    ("verdict_payload", "request->version != 1", "request->version != 2"),
    ("verdict_payload", "STAMP 0xc0dec0de", "STAMP 0xc0dec0df"),
    ("verdict_method", 'word("HEAD")', 'word("HEAP")'),
    ("verdict_counters", "seen->bytes += skb->len", "seen->bytes += 1"),
    ("verdict_rewrite", "'*'", "'+'"),
    ("verdict_tls", "record->minor > 4", "record->minor > 0"),
    ("verdict_sizes", "rest > 1", "rest > 2"),
    ("verdict_knock", "step++", "step += 2"),
    ("verdict_dns", "length > 63", "length > 6"),
    ("verdict_unwrap", "header->version != 2", "header->version == 2"),
    ("msg_commands", "LINE 64", "LINE 63"),
    ("msg_frames", "frame[0] << 16", "frame[0] << 8"),
    ("msg_wrap", "bpf_htonl(size)", "size"),
    ("msg_ports", "*rule == DENY", "*rule == 2"),
    ("msg_settings", "number(CORK)", "number(APPLY)"),
    ("msg_redirect", "!route->enabled", "route->enabled"),
    ("verdict_prefix", "{ 32, ", "{ 8, "),
    ("verdict_report", "10001", "10002"),
    ("verdict_bloom", "skb->len == 3", "skb->len == 4"),
    ("verdict_chain", "skb->len <= 8", "skb->len <= 4"),
    ("verdict_tenants", "< 3", "< 2"),
    ("verdict_lookup", "local_port & ~1", "local_port & ~2"),
    ("verdict_globals", "refused += step", "refused += 1"),
    ("verdict_globals", "longest = 40", "longest = 41"),
    ("verdict_locked", "seen->segments++", "seen->segments += 2"),
    ("verdict_survey", "BUDGET 100", "BUDGET 90"),
    ("verdict_words", "\"no \"", "\"to \""),
    ("msg_pause", "pause->paused = 0", "pause->paused = 1"),
    ("msg_events", "data[0]", "data[0] + 1"),
    ("msg_budget", "size < 4", "size < 2"),
    ("msg_zones", "msg->size < *least", "msg->size <= *least"),
    ("msg_beside", "MOST 40", "MOST 41"),
    ("parse_touch", "SEEN 1", "SEEN 2"),
    ("parse_partial", "len < HEADER", "len < 3"),
    ("parse_partial", "most = 12", "most = 9"),
    ("verdict_stamp", "STAMP 0x50415353", "STAMP 0x50415354"),
    ("verdict_stamp", "&targets, 0, *flags", "&targets, 0, 0"),
    ("verdict_tail", "skb->len - 1", "skb->len - 2"),
    ("verdict_tail", "case 'E'", "case 'e'"),
    ("verdict_counted", "(*count)++", "*count += 2"),
    ("bytes_total", "&total, skb->len", "&total, 1"),
    ("skb_answers", "return SK_DROP", "return SK_PASS"),
    ("msg_least", "msg->size < *least", "msg->size <= *least"),
    ("msg_print", "data[0], data[1]", "data[1], data[0]"),
    ("msg_process", "refused = 1", "refused = 2"),
    ("ops_both", "local_port & 15", "local_port & 7"),
    ("ops_events", "op >= CALLBACKS", "op >= 4"),
    ("ops_numbered", "(*place + 1)", "(*place + 2)"),
    ("ops_ports", "LAST 10015", "LAST 10004"),
]


@pytest.mark.parametrize(("name", "right", "wrong"), MISTAKES)
def test_the_steps_tell_a_mistake(
    name: str, right: str, wrong: str, clang_19: str, built: Build, tmp_path: Path
) -> None:
    twin = Twin(name, PARITY, PARITY)
    source = twin.source.read_text(encoding="utf-8")
    assert right in source
    mistaken = tmp_path / twin.source.name
    mistaken.write_text(source.replace(right, wrong), encoding="utf-8")
    module = load_policy(twin.policy).module
    ours = read_object(built(twin).read_bytes())
    theirs = read_object(compile_c(clang_19, mistaken, tmp_path / "mistaken.o").read_bytes())

    def differs(case: tuple[dict[str, Any], list[Step]]) -> bool:
        return play(ours, *case) != play(theirs, *case)

    try:
        find(st.tuples(machines(), script(name, module, "little")), differs, settings=SEARCH)
    except NoSuchExample:
        pytest.fail(f"no steps tell {wrong!r} from {right!r}")
