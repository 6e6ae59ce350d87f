"""The helpers as methods of the context: `skb.pull_data(n)` is `bpf_skb_pull_data(skb, n)`."""

from __future__ import annotations

from functools import cache

from skverdict.dsl.catalogue.helpers import HELPERS
from skverdict.dsl.catalogue.programs import PROGRAMS

# What a method's name leaves out, the longest first.
_PREFIXES = ("bpf_sock_ops_", "bpf_skb_", "bpf_msg_", "bpf_sk_", "bpf_")


@cache
def method_names(context: str) -> dict[str, str]:
    """Method name to helper name, for the helpers that take this context first."""
    names = {}
    for helper in HELPERS.values():
        kinds = [kind for kind in helper.callers if PROGRAMS[kind].context == context]
        if kinds and helper.signature.partition(" ")[0].rstrip("?").endswith(":context"):
            prefix = next(prefix for prefix in _PREFIXES if helper.name.startswith(prefix))
            names[helper.name[len(prefix) :]] = helper.name
    return names
