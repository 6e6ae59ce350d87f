/* SPDX-License-Identifier: GPL-2.0-only */
/* The C twin of ops_tuning.py. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define SOL_SOCKET 1
#define SO_SNDBUF 7
#define SO_RCVBUF 8
#define NEARBY 0x0a000000
#define MASK 0xff000000

SEC("sockops")
int tune(struct bpf_sock_ops *skops)
{
	int near = (skops->remote_ip4 & bpf_htonl(MASK)) == bpf_htonl(NEARBY);
	int bytes = 1 << 20;

	switch (skops->op) {
	case BPF_SOCK_OPS_TIMEOUT_INIT:
		if (near)
			skops->reply = 10;
		break;
	case BPF_SOCK_OPS_RWND_INIT:
		if (!near)
			skops->reply = 40;
		break;
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		if (!near) {
			bpf_setsockopt(skops, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
			bpf_setsockopt(skops, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
		}
		break;
	}
	return 1;
}

char _license[] SEC("license") = "GPL";
