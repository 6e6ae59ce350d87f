/* Two switches that are large enough for jump tables, one in a function of its own. */
#include <linux/bpf.h>

#define SEC(name) __attribute__((section(name), used))
#define __uint(name, value) int(*name)[value]
#define __type(name, value) typeof(value) *name

static void *(*bpf_map_lookup_elem)(void *, const void *) = (void *)1;

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} total SEC(".maps");

static __attribute__((noinline)) __u64 weight(__u32 size, __u64 sum)
{
	switch (size) {
	case 2: return sum + 3;
	case 3: return sum ^ 7;
	case 4: return sum << 1;
	case 5: return sum - 1;
	case 6: return sum | 64;
	case 7: return sum & 0xffff;
	case 8: return sum * 5;
	case 9: return sum / 3;
	case 10: return sum + size;
	case 12: return sum % 1000;
	case 13: return ~sum & 0xffffff;
	case 14: return sum >> 2;
	case 15: return sum + 1;
	case 16: return sum ^ size;
	case 17: return 17;
	}
	return sum + 100;
}

SEC("sk_msg")
int verdict(struct sk_msg_md *msg)
{
	__u32 index = 0;
	__u64 *sum = bpf_map_lookup_elem(&total, &index);

	if (!sum)
		return SK_PASS;
	switch (msg->size - 20) {
	case 0: *sum += 1; break;
	case 1: *sum ^= 21; break;
	case 2: *sum *= 7; break;
	case 3: *sum = weight(3, *sum); break;
	case 4: *sum -= msg->size; break;
	case 5: *sum |= 1; break;
	case 6: *sum <<= 2; break;
	case 7: *sum >>= 1; break;
	case 8: *sum &= 0xfffff; break;
	case 9: *sum += msg->local_port > 0; break;
	case 10: *sum /= 2; break;
	case 11: *sum %= 777; break;
	case 12: *sum = 5; break;
	case 13: *sum = weight(9, *sum + 1); break;
	default: *sum = weight(msg->size, *sum);
	}
	return SK_PASS;
}

char LICENSE[] SEC("license") = "GPL";
