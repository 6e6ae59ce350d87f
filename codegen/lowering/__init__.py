"""From the IR to LLVM's assembly language: one module for each family of operations."""
