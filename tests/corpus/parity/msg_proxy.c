/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of msg_proxy.py. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct destination {
	__be32 address;
	__be32 port;
};

struct service {
	__u32 proxy;
	__u16 flags;
	__u16 weight;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} proxies SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct destination);
	__type(value, struct service);
} services SEC(".maps");

SEC("sk_msg")
int verdict(struct sk_msg_md *msg)
{
	struct destination destination = {
		.address = msg->remote_ip4,
		.port = msg->remote_port,
	};
	struct service *service = bpf_map_lookup_elem(&services, &destination);
	__u32 proxy;

	if (!service || service->flags & 1)
		return SK_PASS;
	service->bytes += msg->size;
	proxy = service->proxy;
	return bpf_msg_redirect_hash(msg, &proxies, &proxy, BPF_F_INGRESS);
}

char _license[] SEC("license") = "GPL";
