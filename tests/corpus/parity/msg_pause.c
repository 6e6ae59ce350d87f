/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of msg_pause.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define LONG 64
#define CLOCK_MONOTONIC 1
#define MILLISECOND 1000000

struct pause {
	struct bpf_timer timer;
	__u32 paused;
};

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct pause);
} pauses SEC(".maps");

static int over(void *map, __u32 *key, struct pause *pause)
{
	pause->paused = 0;
	return 0;
}

SEC("sk_msg")
int verdict(struct sk_msg_md *msg)
{
	__u32 port = msg->local_port & 15;
	struct pause *pause = bpf_map_lookup_elem(&pauses, &port);

	if (!pause || pause->paused)
		return SK_DROP;
	if (msg->size >= LONG) {
		pause->paused = 1;
		bpf_timer_init(&pause->timer, &pauses, CLOCK_MONOTONIC);
		bpf_timer_set_callback(&pause->timer, over);
		bpf_timer_start(&pause->timer, MILLISECOND, 0);
	}
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
