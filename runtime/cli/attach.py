"""`skverdict attach`: a policy on this machine's kernel."""

from __future__ import annotations

import sys

from skverdict.runtime.cli.failure import CommandError, UsageError
from skverdict.runtime.cli.files import write_output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from skverdict.runtime.kernel.kernel import Kernel
    from skverdict.runtime.kernel.source import Source

DETAILS = """

The programs are attached to the policy's first socket map, and its sock_ops programs to the cgroup: they put
the TCP connections that processes in there make from then on into the maps. Counters are shown until Ctrl-C
(or SIGTERM), which detaches everything; a process that is killed takes all of it along, too. With --pin the
policy stays attached until 'skverdict detach NAME'.

'skverdict status' shows what is attached. Needs root, or the capabilities that 'skverdict doctor' lists."""

EXAMPLE = """example:
  skverdict attach examples/local_bypass.py --cgroup /sys/fs/cgroup/system.slice"""


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("policy", metavar="POLICY", help="a policy (.py; - for stdin) or a BPF object (.o)")
    parser.add_argument("--cgroup", metavar="PATH", help="cgroup2 folder whose connections the policy is for")
    parser.add_argument(
        "--attach",
        action="append",
        default=[],
        metavar="MAP[:PROGRAM,...]",
        help="socket map with its programs (all, if none are named); can be repeated",
    )
    parser.add_argument("--name", help="what to call it in 'status' and 'detach' (default: the file's name)")
    parser.add_argument("--pin", action="store_true", help="leave it attached when this command ends")
    parser.add_argument(
        "--seconds", type=_seconds, metavar="N", help="end by itself after so many seconds (0: at once)"
    )
    parser.add_argument("--print", action="store_true", help="also show what programs on the machine print")
    parser.add_argument("--log", metavar="FILE", help="where the verifier's log of a refusal goes")
    parser.add_argument("--json", action="store_true", help="print the last counts as JSON")


def _seconds(text: str) -> float:
    """A number of seconds."""
    from argparse import ArgumentTypeError
    from math import isfinite

    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if seconds < 0 or not isfinite(seconds):
        raise ArgumentTypeError(f"{text!r} is no number of seconds")
    return seconds


def run(options: Namespace) -> int:
    """Attach, show, and detach."""
    from skverdict.runtime.capture.plan import PlanError, doubt, make_plan
    from skverdict.runtime.cli.signals import held_back
    from skverdict.runtime.kernel.bpf import Bpf
    from skverdict.runtime.kernel.installation import installed
    from skverdict.runtime.kernel.libbpf import load_library
    from skverdict.runtime.kernel.records import RecordTaken, records_folder
    from skverdict.runtime.kernel.verifier import VerifierError

    source = load_source(options.policy)
    try:
        plan = make_plan(source.object, attach=options.attach)
    except PlanError as error:
        raise UsageError(str(error)) from None
    if plan.cgroup and options.cgroup is None:
        raise UsageError(f"which connections is {plan.cgroup[0]} for? Say it with --cgroup PATH")
    if not plan.cgroup and not options.pin:
        raise UsageError("no sock_ops program puts sockets into the maps: use --pin, so that others can do it")
    if note := doubt(source.object, options.attach):
        print(f"skverdict: {note}", file=sys.stderr)
    name = options.name or source.name.replace(".", "_")
    bpf = Bpf(load_library())
    with held_back():
        try:
            with installed(
                bpf,
                source,
                plan.attached,
                dict.fromkeys(plan.cgroup, options.cgroup),
                folder=records_folder(),
                name=name,
                policy=options.policy,
                pin=options.pin,
            ) as kernel:
                _show(kernel, name, options)
        except RecordTaken as error:
            raise CommandError(f"{error}; choose a --name, or: skverdict detach {name}") from None
        except VerifierError as error:
            if options.log is not None:
                write_output(options.log, error.log.encode())
            raise
    return 0


def load_source(path: str) -> Source:
    """The object in a file, or the one that the policy in it compiles to."""
    from skverdict.runtime.cli.policy import load, show
    from skverdict.runtime.kernel.source import read_source

    return read_source(path if path.endswith(".o") else load(path), show)


def _show(kernel: Kernel, name: str, options: Namespace) -> None:
    """Show the counts until it is time to end."""
    from skverdict.runtime.cli.live import watch
    from skverdict.runtime.kernel.counters import counting

    end = "Ctrl-C ends this, and it stays attached" if options.pin else "Ctrl-C detaches it"
    with counting(kernel) as counters:
        watch(
            counters.read,
            f"{name} is attached; {end}.",
            seconds=options.seconds,
            printed=(lambda: kernel.printed) if options.print else None,
            as_json=options.json,
        )
