"""Policies that read structures of the running kernel, and their twins in C."""
