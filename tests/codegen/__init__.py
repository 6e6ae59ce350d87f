"""Tests of code generation: objects and all that is in them."""
