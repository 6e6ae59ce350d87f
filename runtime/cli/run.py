"""`skverdict run`: a capture through a policy in the simulator."""

from __future__ import annotations

from skverdict.dsl.catalogue.programs import KERNELS
from skverdict.runtime.cli.failure import CommandError, UsageError
from skverdict.runtime.cli.files import input_name, read_input
from skverdict.runtime.cli.policy import load
from skverdict.runtime.cli.progress import Bar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from skverdict.codegen.object import Object
    from skverdict.dsl import Policy
    from skverdict.runtime.capture import Capture

DETAILS = """

The policy is compiled, and its object run in the simulator: no root, no kernel. Each side of each captured
connection sends what it sent, in the same segments. The server's end of each connection is put into the
policy's first socket map, to which all its parsers and verdicts are attached, and wherever the policy
redirects to an entry that would be empty, an upstream socket is put in beforehand. The options say it
otherwise."""

EXAMPLE = """examples:
  skverdict run examples/port_redirect.py --capture examples/captures/http1-nginx.pcap
  skverdict run examples/port_redirect.py --capture examples/captures/http1-nginx.pcap --report report.html
  skverdict run examples/message_policy.py --capture examples/captures/memcached-text.pcap \\
      --attach watched:whole_records --side client"""


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("policy", metavar="POLICY", help="a policy (.py; - for stdin) or a BPF object (.o)")
    parser.add_argument(
        "--capture", required=True, metavar="FILE", help="a pcap or pcapng file; - for stdin"
    )
    parser.add_argument(
        "--attach",
        action="append",
        default=[],
        metavar="MAP[:PROGRAM,...]",
        help="socket map that captured sockets are put into, with its programs (all, if none are named); "
        "can be repeated",
    )
    parser.add_argument(
        "--side",
        choices=("server", "client", "both", "none"),
        help="which ends of captured connections are put into the maps (default: server; none where a "
        "sock_ops program does it)",
    )
    upstream = parser.add_mutually_exclusive_group()
    upstream.add_argument(
        "--upstream",
        action="append",
        metavar="MAP:KEY",
        help="entry to hold an upstream socket: a number for a sockmap, hexadecimal digits for a sockhash; "
        "can be repeated (default: wherever the policy redirects to)",
    )
    upstream.add_argument("--no-upstream", action="store_true", help="put no upstream socket anywhere")
    parser.add_argument(
        "--holes",
        choices=("stop", "skip", "zero"),
        default="stop",
        help="where the capture lacks bytes of a stream: end it there, go on behind, or fill in zeros "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--kernel",
        choices=KERNELS,
        default=KERNELS[-1],
        help="Linux release whose rules hold (default: %(default)s)",
    )
    parser.add_argument("--trace", action="store_true", help="print everything that happens first")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument(
        "--report",
        metavar="FILE.html",
        help="also write a page with the programs' control flow and how often each line ran, everything that "
        "happened, and what the maps held when",
    )


def run(options: Namespace) -> int:
    """Replay and report."""
    if options.policy == options.capture == "-":
        raise UsageError("standard input can be the policy or the capture, not both")
    from skverdict.runtime.capture.plan import PlanError, make_plan
    from skverdict.runtime.capture.replay import replay
    from skverdict.runtime.cli.report import print_report

    policy, content = load_object(options.policy)
    capture = load_capture(options.capture)
    try:
        plan = make_plan(
            content,
            attach=options.attach,
            side=options.side,
            upstream=[] if options.no_upstream else options.upstream,
            holes=options.holes,
        )
    except PlanError as error:
        raise UsageError(str(error)) from None
    if options.report:
        from skverdict.runtime.cli.page import replay_for_page

        report = replay_for_page(options, capture, policy, content, plan)
    else:
        with Bar("replaying", len(capture.events)) as bar:
            report = replay(
                capture,
                content,
                plan,
                kernel=options.kernel,
                trace=options.trace,
                observe=lambda _: bar.counting(),
            )
    print_report(report, options.policy, as_json=options.json)
    if report.fault:
        raise CommandError(report.fault)
    return 0


def load_object(path: str) -> tuple[Policy | None, Object]:
    """The object in a file, or a policy with the object that it compiles to."""
    from skverdict.codegen import build, read_object

    if path.endswith(".o"):
        return None, read_object(read_input(path), path)
    policy = load(path)
    return policy, read_object(build(policy), path)


def load_capture(path: str) -> Capture:
    """The capture in a file. Raises CommandError where there is nothing to replay."""
    from skverdict.runtime.capture import parse_capture

    content = read_input(path)
    with Bar("reading the capture", len(content)) as bar:
        capture = parse_capture(content, input_name(path), bar.show)
    if not any(event.data for event in capture.events):
        notes = "".join(f"\n  {note}" for note in capture.notes)
        raise CommandError(f"{capture.file}: no TCP payload in {capture.packets} packets{notes}")
    return capture
