/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of msg_redirect.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct route {
	__u64 flags;
	__u32 target;
	__u32 apply;
	__u32 cork;
	__u32 enabled;
};

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 20);
	__type(key, __u32);
	__type(value, __u64);
} targets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct route);
} routes SEC(".maps");

SEC("sk_msg")
int verdict(struct sk_msg_md *msg)
{
	__u32 index = 0;
	struct route *route = bpf_map_lookup_elem(&routes, &index);

	if (!route || !route->enabled)
		return SK_DROP;
	if (route->apply)
		bpf_msg_apply_bytes(msg, route->apply);
	if (route->cork)
		bpf_msg_cork_bytes(msg, route->cork);
	return bpf_msg_redirect_map(msg, &targets, route->target, route->flags);
}

char _license[] SEC("license") = "GPL";
