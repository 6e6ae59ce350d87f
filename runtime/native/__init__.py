"""The native engine: BPF compiled to the processor's own instructions, with the interpreter's checks and faults."""
