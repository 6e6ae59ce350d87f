"""Public conformance suites of the BPF instruction set, run on the simulator's machine."""
