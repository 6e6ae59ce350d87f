"""`skverdict check`: whether a policy compiles."""

from __future__ import annotations

from skverdict.codegen.target import CPUS, Target
from skverdict.runtime.cli.files import input_name
from skverdict.runtime.cli.policy import add_kernel_option, load, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from skverdict.dsl import Policy

DETAILS = """

Finds everything that `build` would refuse, goes through each program as the kernel's
verifier does, and writes nothing."""

EXAMPLE = """example:
  skverdict check examples/port_redirect.py"""


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("policy", metavar="POLICY.py", help="the policy; - for stdin")
    parser.add_argument(
        "--cpu", choices=CPUS, default="v3", help="instruction set version (default: %(default)s)"
    )
    add_kernel_option(parser)
    parser.add_argument("--json", action="store_true", help="print the policy's maps and programs as JSON")


def run(options: Namespace) -> int:
    """Compile, throw the result away, and print what there is."""
    from skverdict.codegen import build

    policy = load(options.policy, options.kernel)
    build(policy, Target(options.cpu), isolate=True, warn=show, verify=True)
    if options.json:
        import json

        print(json.dumps(contents(policy), indent=2))
        return 0
    print(f"{input_name(options.policy)}: ok")
    for kind, names in contents(policy).items():
        for one in names:
            print(f"  {kind[:-1]:8}{one['name']} ({one['kind']})")
    return 0


def contents(policy: Policy) -> dict[str, list[dict[str, str]]]:
    """Name and kind of each map and each program, in the order of the source."""
    module = policy.module
    programs = [function for function in module.functions if function.kind != "subprogram"]
    return {
        "maps": [{"name": each.name, "kind": each.kind} for each in module.maps],
        "programs": [{"name": each.name, "kind": each.kind} for each in programs],
    }
