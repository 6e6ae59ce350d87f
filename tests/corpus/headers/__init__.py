"""Declarations in C as kernel headers have them."""

from __future__ import annotations

from pathlib import Path

UAPI = Path(__file__).with_name("uapi.h").read_text()
