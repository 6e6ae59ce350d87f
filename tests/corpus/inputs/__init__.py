"""What the recorded scenarios do: their settings and steps, before a kernel has said what comes of them.

`python -m tests.kernel.record` carries them out on the kernels and writes `../scenarios`, a file a group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.corpus.inputs import (
    callbacks,
    chains,
    corking,
    families,
    flow,
    hashes,
    hazards,
    headers,
    lifetimes,
    links,
    listeners,
    maps,
    options,
    parser,
    pressure,
    sending,
    sharing,
    sk_msg,
    verdict,
)

GROUPS: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {
    "callbacks": callbacks.scenarios,
    "chains": chains.scenarios,
    "corking": corking.scenarios,
    "families": families.scenarios,
    "flow": flow.scenarios,
    "hashes": hashes.scenarios,
    "headers": headers.scenarios,
    "hazards": hazards.scenarios,
    "lifetimes": lifetimes.scenarios,
    "links": links.scenarios,
    "listeners": listeners.scenarios,
    "maps": maps.scenarios,
    "options": options.scenarios,
    "parser": parser.scenarios,
    "pressure": pressure.scenarios,
    "sending": sending.scenarios,
    "sharing": sharing.scenarios,
    "sk_msg": sk_msg.scenarios,
    "verdict": verdict.scenarios,
}
