/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of ops_numbered.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define PLACES 16

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, PLACES);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} following SEC(".maps");

SEC("sockops")
int remember(struct bpf_sock_ops *skops)
{
	__u32 index = 0, *place, key;

	switch (skops->op) {
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		place = bpf_map_lookup_elem(&following, &index);
		if (!place)
			break;
		key = *place;
		bpf_sock_map_update(skops, &sockets, &key, BPF_ANY);
		*place = (*place + 1) % PLACES;
		break;
	}
	return 1;
}

char _license[] SEC("license") = "GPL";
