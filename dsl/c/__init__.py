"""Declarations in C, as kernel headers have them, turned into types and constants of a policy."""
