"""What LLVM may assume of kernel helpers; nothing where a helper is not named here."""

from __future__ import annotations

# These read what their pointers point to (keys) and change only what no policy can load from: kernel state,
# and marks on the buffer. So what was loaded before the call need not be loaded again.
READS_ARGUMENTS = frozenset(
    (
        "bpf_map_lookup_elem",
        "bpf_sk_redirect_map",
        "bpf_sk_redirect_hash",
        "bpf_msg_redirect_map",
        "bpf_msg_redirect_hash",
        "bpf_msg_apply_bytes",
        "bpf_msg_cork_bytes",
        "bpf_sock_map_update",
        "bpf_sock_hash_update",
        "bpf_get_socket_cookie",
        "bpf_get_prandom_u32",
        "bpf_ktime_get_ns",
        "bpf_ktime_get_boot_ns",
        "bpf_get_smp_processor_id",
    )
)

# Redirects answer SK_DROP (0) or SK_PASS (1).
RESULT_RANGES = dict.fromkeys(
    ("bpf_sk_redirect_map", "bpf_sk_redirect_hash", "bpf_msg_redirect_map", "bpf_msg_redirect_hash"),
    "range(i64 0, 2) ",
)

# Kinds of argument (`catalogue.helpers.Argument`) whose memory the helper reads only.
READ_ONLY_ARGUMENTS = frozenset(("key", "value", "memory", "string"))
