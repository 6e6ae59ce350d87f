/* SPDX-License-Identifier: GPL-2.0-only */
/* What the C twins of the example policies need: libbpf's section and map macros, and the helpers they call.
 *
 * Structures, map types and helper numbers come from the kernel's UAPI header. The helpers' signatures are those
 * of that header's helper documentation.
 */
#ifndef SKVERDICT_TEST_H
#define SKVERDICT_TEST_H

#include <linux/bpf.h>

#define SEC(name) __attribute__((section(name), used))
#define __uint(name, number) int (*name)[number]
#define __type(name, type) __typeof__(type) *name

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define bpf_htonl(word) __builtin_bswap32(word)
#define bpf_htons(half) __builtin_bswap16(half)
#else
#define bpf_htonl(word) (word)
#define bpf_htons(half) (half)
#endif
#define bpf_ntohl(word) bpf_htonl(word)

#define AF_INET 2
#define SOL_TCP 6
#define TCP_SAVE_SYN 27

/* An underscore, since LLVM takes a symbol named as its section is for a second definition of that section. */
#define LICENSE(text) char _license[] SEC("license") = text

static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;
static long (*bpf_map_update_elem)(void *map, const void *key, const void *value,
				   __u64 flags) = (void *)BPF_FUNC_map_update_elem;

static __u64 (*bpf_get_socket_cookie)(void *ctx) = (void *)BPF_FUNC_get_socket_cookie;

static long (*bpf_skb_pull_data)(struct __sk_buff *skb, __u32 len) = (void *)BPF_FUNC_skb_pull_data;
static long (*bpf_sk_redirect_map)(struct __sk_buff *skb, void *map, __u32 key,
				   __u64 flags) = (void *)BPF_FUNC_sk_redirect_map;
static long (*bpf_sk_redirect_hash)(struct __sk_buff *skb, void *map, void *key,
				    __u64 flags) = (void *)BPF_FUNC_sk_redirect_hash;

static long (*bpf_msg_apply_bytes)(struct sk_msg_md *msg, __u32 bytes) = (void *)BPF_FUNC_msg_apply_bytes;
static long (*bpf_msg_cork_bytes)(struct sk_msg_md *msg, __u32 bytes) = (void *)BPF_FUNC_msg_cork_bytes;
static long (*bpf_msg_pull_data)(struct sk_msg_md *msg, __u32 start, __u32 end,
				 __u64 flags) = (void *)BPF_FUNC_msg_pull_data;
static long (*bpf_msg_redirect_hash)(struct sk_msg_md *msg, void *map, void *key,
				     __u64 flags) = (void *)BPF_FUNC_msg_redirect_hash;

static long (*bpf_sock_hash_update)(struct bpf_sock_ops *skops, void *map, void *key,
				    __u64 flags) = (void *)BPF_FUNC_sock_hash_update;
static long (*bpf_sock_ops_cb_flags_set)(struct bpf_sock_ops *skops,
					 int flags) = (void *)BPF_FUNC_sock_ops_cb_flags_set;
static long (*bpf_setsockopt)(struct bpf_sock_ops *skops, int level, int name, void *value,
			      int length) = (void *)BPF_FUNC_setsockopt;
static long (*bpf_load_hdr_opt)(struct bpf_sock_ops *skops, void *option, __u32 length,
				__u64 flags) = (void *)BPF_FUNC_load_hdr_opt;
static long (*bpf_store_hdr_opt)(struct bpf_sock_ops *skops, const void *option, __u32 length,
				 __u64 flags) = (void *)BPF_FUNC_store_hdr_opt;
static long (*bpf_reserve_hdr_opt)(struct bpf_sock_ops *skops, __u32 length,
				   __u64 flags) = (void *)BPF_FUNC_reserve_hdr_opt;

#endif
