/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of ops_rtt.py. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct times {
	__u64 samples;
	__u32 mean;
	__u32 largest;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct times);
} networks SEC(".maps");

SEC("sockops")
int measure(struct bpf_sock_ops *skops)
{
	__u32 microseconds, network;
	struct times *times;

	switch (skops->op) {
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		bpf_sock_ops_cb_flags_set(skops, BPF_SOCK_OPS_RTT_CB_FLAG);
		return 1;
	case BPF_SOCK_OPS_RTT_CB:
		break;
	default:
		return 1;
	}

	microseconds = skops->srtt_us >> 3;
	network = bpf_ntohl(skops->remote_ip4) >> 8;
	times = bpf_map_lookup_elem(&networks, &network);
	if (!times) {
		struct times first = {
			.samples = 1,
			.mean = microseconds,
			.largest = microseconds,
		};

		bpf_map_update_elem(&networks, &network, &first, BPF_ANY);
		return 1;
	}
	times->samples++;
	times->mean = (times->mean * 7 + microseconds) >> 3;
	if (microseconds > times->largest)
		times->largest = microseconds;
	return 1;
}

char _license[] SEC("license") = "GPL";
