"""Policies on a live Linux kernel, through libbpf. `kernel.Kernel` offers what the simulator offers."""
