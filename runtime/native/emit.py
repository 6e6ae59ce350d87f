"""From a program, its control flow and what is proven of it to a module in LLVM's assembly language."""

from __future__ import annotations

from typing import NamedTuple

from skverdict.runtime.native.facts import Facts, Needs, needs
from skverdict.runtime.native.function import Callee, Main
from skverdict.runtime.native.graph import all_sites, is_local_call
from skverdict.runtime.native.prelude import prelude


class Module(NamedTuple):
    """A module's text, and what it wants."""

    text: str
    needs: Needs


def emit(facts: Facts) -> Module:
    """Write the module for a program."""
    wants = needs(facts)
    called = {site.target for site in all_sites(facts.graph) if is_local_call(site) or site.slot in facts.loops}
    functions = [Callee(facts, function, wants).text() for slot, function in facts.graph.items() if slot in called]
    text = "\n".join([Main(facts, facts.graph[0], wants).text(), *functions])
    return Module(f"{prelude(text)}\n{text}", wants)
