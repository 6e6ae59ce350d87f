"""skverdict's objects held against other people's tools: clang, libbpf and bpftool."""
