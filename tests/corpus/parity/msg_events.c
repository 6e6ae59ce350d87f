/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of msg_events.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define ABSENT 0xffffffff

struct sent {
	__u32 port;
	__u32 size;
	__u32 kind;
};

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
} events SEC(".maps");

SEC("sk_msg")
int verdict(struct sk_msg_md *msg)
{
	struct sent sent = { msg->local_port, msg->size, ABSENT };

	if (bpf_msg_pull_data(msg, 0, 1, 0) == 0) {
		__u8 *data = msg->data, *end = msg->data_end;

		if (data + 1 <= end)
			sent.kind = data[0];
	}
	bpf_perf_event_output(msg, &events, BPF_F_CURRENT_CPU, &sent, sizeof(sent));
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
