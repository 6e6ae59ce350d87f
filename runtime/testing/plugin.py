"""The pytest plugin: fixtures, markers, and coverage of policies.

pytest imports this at its start in every project of the environment, so it imports nothing that costs time
before a test needs it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from skverdict.dsl import Policy
    from skverdict.runtime.coverage.recorder import Recorder
    from skverdict.runtime.simulator import Simulator
    from skverdict.runtime.sockets.socket import Socket

SIMULATOR, KERNEL = "simulator", "kernel"

MARKERS = (
    "policy(path, kernel): the policy that fixture `policy` compiles, from the folder of the test module, and the "
    "Linux (6.1, 6.12 or 7.2) that it is for",
    "simulator(**options): what fixture `simulator` is made with, beside the policy",
    "tcp_pair(**options): what fixture `tcp_pair` is made with, such as server_port=80",
    "kernel: run the test also on a real kernel, in a virtual machine (see --kernel-image)",
)

_RECORDER: pytest.StashKey[Recorder] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("skverdict", "skverdict: socket policies")
    group.addoption(
        "--no-policy-coverage",
        action="store_true",
        help="do not tell coverage.py which lines of policies ran as BPF",
    )
    group.addoption(
        "--kernel-image",
        metavar="PATH",
        help="boot this kernel in a virtual machine (needs virtme-ng) for tests marked `kernel`",
    )
    group.addoption(
        "--kernel-seconds",
        type=float,
        default=600,
        metavar="SECONDS",
        help="time that the virtual machine has for all of them (default: %(default)s)",
    )
    group.addoption("--skverdict-guest", metavar="TOKEN", help="used by --kernel-image inside the machine")
    group.addoption("--skverdict-reports", metavar="FILE", help="used by --kernel-image inside the machine")


def pytest_configure(config: pytest.Config) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    if config.getoption("skverdict_guest"):
        from skverdict.runtime.testing.inside import Reporting, require_guest

        require_guest(config.getoption("skverdict_guest"))
        config.pluginmanager.register(Reporting(config, config.getoption("skverdict_reports")))
    elif config.getoption("kernel_image"):
        from skverdict.runtime.testing.guest import GuestTests

        config.pluginmanager.register(GuestTests(config))


# Fixtures


@pytest.fixture(scope="module")
def policy(request: pytest.FixtureRequest) -> Policy:
    """The compiled policy of this test module: marker `policy`, or for `test_x.py` the policy `x.py`."""
    from skverdict.dsl import load_policy
    from skverdict.dsl.errors import PolicyError
    from skverdict.runtime.testing.policies import NoPolicy, policy_path
    from skverdict.runtime.watching import watcher

    marker = request.node.get_closest_marker("policy")
    try:
        path = policy_path(request.path, marker.args if marker else ())
        options = _options(request, "policy")
        _check_options("policy", options, partial(load_policy, path))
        loaded = load_policy(path, **options)
        # Here, since the first of several runs would have its time measured with it.
        watcher().build(loaded)
    except (NoPolicy, PolicyError, ValueError) as error:
        # Nobody wants to see the compiler's own lines.
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    return loaded


@pytest.fixture
def skverdict_backend(request: pytest.FixtureRequest) -> str:
    """Where the test runs: `simulator`, or `kernel` for the second run of one that is marked so."""
    backend: str = getattr(request, "param", SIMULATOR)
    if backend == KERNEL and not request.config.getoption("skverdict_guest"):
        pytest.skip("no kernel is given: --kernel-image=PATH")
    return backend


@pytest.fixture
def simulator(request: pytest.FixtureRequest, policy: Policy, skverdict_backend: str) -> Iterator[Any]:
    """A Simulator of the policy; inside the virtual machine a Kernel, which offers the same."""
    options = _options(request, "simulator")
    if skverdict_backend == KERNEL:
        from skverdict.runtime.kernel.kernel import Kernel

        shared = {name: value for name, value in options.items() if name in ("globals", "max_entries")}
        with Kernel(policy, **shared) as kernel:
            yield kernel
    else:
        from skverdict.runtime.simulator import Simulator

        _check_options("simulator", options, Simulator)
        yield Simulator(policy, **options)


@pytest.fixture
def tcp_pair(request: pytest.FixtureRequest, simulator: Simulator) -> tuple[Socket, Socket]:
    """A TCP connection in the simulator: the client's socket and the server's."""
    options = _options(request, "tcp_pair")
    _check_options("tcp_pair", options, simulator.tcp_pair)
    return simulator.tcp_pair(**options)


def _options(request: pytest.FixtureRequest, name: str) -> dict[str, Any]:
    """What the marker `name` of a test holds."""
    marker = request.node.get_closest_marker(name)
    return dict(marker.kwargs) if marker else {}


def _check_options(name: str, options: dict[str, Any], taker: Callable[..., object]) -> None:
    """Let the test fail if `taker` does not take what the marker `name` holds."""
    from inspect import signature

    try:
        signature(taker).bind_partial(**options)
    except TypeError as error:
        raise pytest.fail.Exception(f"@pytest.mark.{name}: {error}", pytrace=False) from None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that is marked `kernel` is two."""
    if metafunc.definition.get_closest_marker("kernel") is None:
        return
    if "skverdict_backend" not in metafunc.fixturenames:
        return  # a marker of the same name, for something else
    metafunc.parametrize("skverdict_backend", [SIMULATOR, KERNEL], indirect=True)


# Failures


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a failed test show what happened in its simulator, unless its error does so already."""
    report = yield
    trace = getattr(getattr(item, "funcargs", {}).get("simulator"), "trace", None)
    if call.when == "call" and report.failed and trace is not None:
        from skverdict.runtime.testing.assertions import timeline

        shown = timeline(trace)
        if call.excinfo is None or shown not in str(call.excinfo.value):
            report.sections.append(("what happened in the simulator", shown))
    return report


# Coverage


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Record which lines of policies run as BPF, while coverage.py measures."""
    coverage = _running_coverage(item.config)
    if coverage is None:
        return (yield)
    from skverdict.runtime.coverage.recorder import Recorder
    from skverdict.runtime.watching import watched_by

    stash = item.config.stash
    if _RECORDER not in stash:
        stash[_RECORDER] = Recorder()
    with watched_by(stash[_RECORDER]):
        result = yield
    stash[_RECORDER].hand_over(coverage)
    return result


def _running_coverage(config: pytest.Config) -> Any:
    """The coverage.Coverage that measures now, or None."""
    module = sys.modules.get("coverage")
    if module is None or config.getoption("no_policy_coverage"):
        return None
    return module.Coverage.current()
