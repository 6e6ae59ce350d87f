"""Results of helpers that a statement throws away, and what is lost with each."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skverdict.dsl.frontend.lowering import Lowering

_PULLED = ("where it fails, the bytes cannot be read", "test it: `if {call} != 0: return SK_DROP`")
_REDIRECTED = (
    "it is SK_DROP where the map has no socket at the key, and only a verdict of SK_PASS makes a redirect happen",
    "return what it gives, or write `_ = {call}` if the verdict is another on purpose",
)
# By helper: what the result tells, and what to write.
NEEDED: dict[str, tuple[str, str]] = {
    "bpf_skb_pull_data": _PULLED,
    "bpf_msg_pull_data": _PULLED,
    "bpf_sk_redirect_map": _REDIRECTED,
    "bpf_sk_redirect_hash": _REDIRECTED,
    "bpf_msg_redirect_map": _REDIRECTED,
    "bpf_msg_redirect_hash": _REDIRECTED,
}


def warn_if_ignored(lowering: Lowering, node: ast.AST, helper: str) -> None:
    """Warn of the call at `node`, which is a statement of its own."""
    if helper in NEEDED:
        why, hint = NEEDED[helper]
        lowering.scope.reporter.warning(
            lowering.place(node),
            f"the result of `{helper}` is ignored: {why}",
            hint.format(call=lowering.segment(node)),
        )
