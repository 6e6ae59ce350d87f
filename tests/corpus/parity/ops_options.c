/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of ops_options.py. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define KIND 253

struct tag {
	__u8 kind;
	__u8 length;
	__be16 tag;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __be16);
} tags SEC(".maps");

SEC("sockops")
int options(struct bpf_sock_ops *skops)
{
	struct tag tag = { .kind = KIND, .length = sizeof(tag) };
	__u64 cookie;

	switch (skops->op) {
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
		bpf_sock_ops_cb_flags_set(skops, BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG);
		break;
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		bpf_sock_ops_cb_flags_set(skops, BPF_SOCK_OPS_PARSE_UNKNOWN_HDR_OPT_CB_FLAG);
		break;
	case BPF_SOCK_OPS_HDR_OPT_LEN_CB:
		bpf_reserve_hdr_opt(skops, sizeof(tag), 0);
		break;
	case BPF_SOCK_OPS_WRITE_HDR_OPT_CB:
		tag.tag = bpf_htons(skops->local_port);
		bpf_store_hdr_opt(skops, &tag, sizeof(tag), 0);
		break;
	case BPF_SOCK_OPS_PARSE_HDR_OPT_CB:
		if (bpf_load_hdr_opt(skops, &tag, sizeof(tag), 0) == sizeof(tag)) {
			cookie = bpf_get_socket_cookie(skops);
			bpf_map_update_elem(&tags, &cookie, &tag.tag, BPF_ANY);
		}
		break;
	}
	return 1;
}

char _license[] SEC("license") = "GPL";
