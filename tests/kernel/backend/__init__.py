"""Tests of the kernel backend that run in a guest only: `python -m tests.kernel backend`."""
