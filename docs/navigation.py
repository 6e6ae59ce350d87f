"""A hook of mkdocs: pages that `nav` in mkdocs.yml does not name stand at its end, so that none is left out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any


def on_config(config: Any) -> Any:
    """Complete the navigation."""
    named = set(re.findall(r"[\w-]+\.md", str(config["nav"])))
    rest = sorted(path.name for path in Path(config["docs_dir"]).glob("*.md") if path.name not in named)
    if rest:
        config["nav"].append({"More": rest})
    return config
