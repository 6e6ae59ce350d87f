"""Each known fault of the kernel is one that kernels were seen to have: a recorded scenario strikes it."""

from __future__ import annotations

import pytest
from skverdict.codegen import read_object
from skverdict.runtime import Simulator
from skverdict.runtime.sockets import hazards

from tests.corpus.scenario import expected, recorded, run
from tests.corpus.scenario_file import KERNELS, LABS
from tests.corpus.world import BackendWorld

SCENARIOS = {
    "LATE": "hazards: passed bytes are late behind the beginning of a message",
    "HIDDEN": "hazards: passed bytes hide behind the beginning of a long message",
    "LOST_AT_REMOVAL": "families: an empty message passed, then another, UDP over IPv4",
    "LOST_BY_SHUTDOWN": "hazards: unix stream, sender shuts down 0",
    "COME_AGAIN": "hazards: verdict, bytes that were read come again",
    "EMPTY_PASSED": "families: an empty message passed, then another, UDP over IPv4",
    "EMPTY_REDIRECTED": "lifetimes: verdict, egress, sender closes",
    "MUTE": "pressure: msg_verdict, ingress, the target resets",
    "UNJUDGED": "hazards: sends after shutdown",
    "DROP_COUNTS_AS_SENT": "sending: three parts, dropped by 4",
    "CORKED_REST": "sk_msg: sk_msg mode 0 apply 6 cork 4",
    "CORKED_REDIRECT": "sk_msg: sk_msg mode 2 apply 1 cork 10",
    "STALE_REDIRECT": "hazards: a redirect that outlives its run, egress",
    "EATEN": "listeners: listener in a map with verdict, mode 0",
    "ASLEEP": "listeners: listener in a map with parser and verdict, mode 0",
}
#: Those that end the kernel, and one that comes and goes.
UNRECORDED = {"PANIC_OF_ACCEPTED", "PANIC_OF_NO_DELAY", "SHORTENED_MESSAGE", "LOOKUP_BY_CHANCE"}
FAULTS = {name: fault for name, fault in vars(hazards).items() if isinstance(fault, hazards.Fault)}
RECORDED = {f"{group}: {scenario['name']}": scenario for group, scenario in recorded()}


def test_every_fault_is_struck_by_a_scenario_or_cannot_be_recorded() -> None:
    assert FAULTS.keys() == SCENARIOS.keys() | UNRECORDED


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("fault", SCENARIOS)
def test_a_kernel_did_what_the_fault_makes_it_do(fault: str, kernel: str) -> None:
    scenario = RECORDED[SCENARIOS[fault]]
    lab = LABS / f"{scenario.get('lab', 'lab')}.o"
    simulator = Simulator(read_object(lab.read_bytes(), lab.name), kernel=kernel)

    assert run(BackendWorld(simulator), scenario) == expected(scenario, kernel)

    assert FAULTS[fault].what in [hazard.what for hazard in simulator.trace.hazards()]
