/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of msg_frames.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define HEADER 9
#define LARGEST 16384

struct kind {
	__u32 allowed;
	__u32 spare;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 10);
	__type(key, __u32);
	__type(value, struct kind);
} kinds SEC(".maps");

SEC("sk_msg")
int verdict(struct sk_msg_md *msg)
{
	__u8 *frame = msg->data;
	struct kind *kind;
	__u32 length, which;

	if ((void *)(frame + 4) > msg->data_end) {
		bpf_msg_cork_bytes(msg, HEADER);
		return SK_PASS;
	}
	length = frame[0] << 16 | frame[1] << 8 | frame[2];
	if (length > LARGEST)
		return SK_DROP;
	which = frame[3];
	kind = bpf_map_lookup_elem(&kinds, &which);
	if (!kind || !kind->allowed)
		return SK_DROP;
	kind->bytes += length + HEADER;
	bpf_msg_apply_bytes(msg, length + HEADER);
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
