"""The error for a file that is not the BPF object it should be; alone here, so that it costs no imports."""

from __future__ import annotations


class ObjectError(Exception):
    """A file that is not a BPF object, is cut short, or contradicts itself; says what and at which place."""
