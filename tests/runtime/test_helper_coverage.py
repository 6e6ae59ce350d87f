"""Every helper that some kernel lets some program kind call is there, or is refused with a reason at load."""

from __future__ import annotations

import pytest
from skverdict.dsl.catalogue.helpers import HELPERS
from skverdict.dsl.catalogue.programs import PROGRAMS
from skverdict.runtime.machine.arguments import arguments_reader
from skverdict.runtime.machine.fault import LoadError, UnsupportedHelper
from skverdict.runtime.machine.unsupported import UNSUPPORTED
from skverdict.runtime.simulator import HELPER_FUNCTIONS

from tests.runtime.machine_kit import EXIT, call, environment, loaded, object_of

#: Not a function but a step of its own, since it goes on in another program.
TAIL_CALL = "bpf_tail_call"


def test_each_helper_is_either_there_or_named_as_missing() -> None:
    there = {TAIL_CALL, *HELPER_FUNCTIONS}
    assert there.isdisjoint(UNSUPPORTED)
    assert there | UNSUPPORTED.keys() == HELPERS.keys()


@pytest.mark.parametrize("name", sorted({TAIL_CALL, *HELPER_FUNCTIONS}))
def test_what_is_there_can_take_its_arguments(name: str) -> None:
    assert arguments_reader(HELPERS[name]) is not None


@pytest.mark.parametrize("name", sorted(UNSUPPORTED))
def test_what_is_missing_is_refused_at_load_with_its_reason(name: str) -> None:
    helper = HELPERS[name]
    kind = next(kind for kind in PROGRAMS if helper.may_call(kind))
    surroundings = environment(helpers=HELPER_FUNCTIONS)
    with pytest.raises(LoadError) as caught:
        loaded(object_of([call(helper.number), EXIT], kind=kind), surroundings=surroundings)
    if helper.sleeps:
        assert "may not call" in caught.value.reason
    else:
        assert isinstance(caught.value, UnsupportedHelper)
        assert UNSUPPORTED[name] in caught.value.reason


def test_what_is_missing_and_why() -> None:
    """The whole list, so that a change of it is one that somebody meant."""
    reasons: dict[str, list[str]] = {}
    for name, why in UNSUPPORTED.items():
        reasons.setdefault(why.split(",")[0].split(";")[0], []).append(name.removeprefix("bpf_"))
    assert reasons == {
        "it gives or takes the kernel's structure of a task": [
            "find_vma",
            "get_current_task",
            "get_current_task_btf",
            "get_task_stack",
            "task_pt_regs",
            "task_storage_delete",
            "task_storage_get",
        ],
        "it takes the kernel's structure of a cgroup": ["cgrp_storage_delete", "cgrp_storage_get"],
        "it gives the kernel's own structure of a socket": [
            "skc_to_mptcp_sock",
            "skc_to_tcp6_sock",
            "skc_to_tcp_request_sock",
            "skc_to_tcp_sock",
            "skc_to_tcp_timewait_sock",
            "skc_to_udp6_sock",
            "skc_to_unix_sock",
        ],
        "it needs the types and variables of a running kernel": [
            "per_cpu_ptr",
            "snprintf_btf",
            "this_cpu_ptr",
        ],
        "it needs a map of a kind that no policy can declare": [
            "current_task_under_cgroup",
            "get_local_storage",
            "user_ringbuf_drain",
        ],
        "it reads counters of the processor": ["perf_event_read", "perf_event_read_value"],
        "it may sleep": ["copy_from_user", "copy_from_user_task"],
        "values of simulated maps hold no pointers to kernel objects": ["kptr_xchg"],
    }
