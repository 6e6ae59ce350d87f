/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of ops_states.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct ends {
	__be32 local_ip;
	__be32 remote_ip;
	__u32 local_port;
	__be32 remote_port;
};

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 65536);
	__type(key, struct ends);
	__type(value, __u64);
} open_sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} closed SEC(".maps");

static __always_inline void ends_of(struct bpf_sock_ops *skops, struct ends *ends)
{
	ends->local_ip = skops->local_ip4;
	ends->remote_ip = skops->remote_ip4;
	ends->local_port = skops->local_port;
	ends->remote_port = skops->remote_port;
}

SEC("sockops")
int follow(struct bpf_sock_ops *skops)
{
	struct ends ends;
	__u32 before;
	__u64 *count;

	switch (skops->op) {
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		bpf_sock_ops_cb_flags_set(skops, BPF_SOCK_OPS_STATE_CB_FLAG);
		ends_of(skops, &ends);
		bpf_sock_hash_update(skops, &open_sockets, &ends, BPF_ANY);
		break;
	case BPF_SOCK_OPS_STATE_CB:
		if (skops->args[1] != BPF_TCP_CLOSE)
			break;
		ends_of(skops, &ends);
		bpf_map_delete_elem(&open_sockets, &ends);
		before = skops->args[0];
		count = bpf_map_lookup_elem(&closed, &before);
		if (count)
			*count += 1;
		break;
	}
	return 1;
}

char _license[] SEC("license") = "GPL";
