/* One of each thing that an object can hold: two programs of one section, maps by type and by size, a static
 * map, constants, variables, a static and a global function that both programs call.
 *
 * It needs no headers; the objects beside it are made by `make_objects.py`.
 */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define UINT(name, value) int(*name)[value]
#define TYPE(name, type) type *name
#define NOINLINE __attribute__((noinline))

struct __sk_buff {
	u32 len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto, priority;
	u32 ingress_ifindex, ifindex, tc_index, cb[5], hash, tc_classid, data, data_end, napi_id, family;
	u32 remote_ip4, local_ip4, remote_ip6[4], local_ip6[4], remote_port, local_port;
};

struct sk_msg_md {
	void *data, *data_end;
	u32 family, remote_ip4, local_ip4, remote_ip6[4], local_ip6[4], remote_port, local_port, size;
};

struct key {
	u32 source, destination;
};

struct {
	UINT(type, 15);
	UINT(max_entries, 2);
	TYPE(key, u32);
	TYPE(value, u64);
} sockets SEC(".maps");

struct {
	UINT(type, 18);
	UINT(max_entries, 1024);
	TYPE(key, struct key);
	UINT(value_size, 4);
} peers SEC(".maps");

static struct {
	UINT(type, 1);
	UINT(max_entries, 64);
	UINT(map_flags, 1);
	UINT(key_size, 8);
	UINT(value_size, 16);
} counters SEC(".maps");

static void *(*map_lookup)(void *, const void *) = (void *)1;
static long (*redirect_map)(struct __sk_buff *, void *, u32, u64) = (void *)52;
static long (*redirect_hash)(struct sk_msg_md *, void *, void *, u64) = (void *)71;

const volatile u32 limit = 1500;
u64 total;
u32 ports[4] = { 80, 443, 8080, 10000 };

static NOINLINE int count(u64 id, u32 size)
{
	u64 *counter = map_lookup(&counters, &id);

	if (counter) {
		__sync_fetch_and_add(&counter[0], 1);
		counter[1] += size;
	}
	return size > limit;
}

NOINLINE int known(u32 port)
{
	int at;

	for (at = 0; at < 4; at++)
		if (ports[at] == port)
			return count(port, 1);
	return -1;
}

SEC("sk_skb/stream_parser") int parser(struct __sk_buff *skb)
{
	return skb->len;
}

SEC("sk_skb/stream_verdict") int to_first(struct __sk_buff *skb)
{
	total += skb->len;
	if (known(skb->local_port) < 0)
		return 0;
	return redirect_map(skb, &sockets, 0, 0);
}

SEC("sk_skb/stream_verdict") int to_second(struct __sk_buff *skb)
{
	if (count(skb->remote_port, skb->len))
		return 1;
	return redirect_map(skb, &sockets, 1, 1);
}

SEC("sk_msg") int to_peer(struct sk_msg_md *msg)
{
	struct key key = { msg->remote_ip4, msg->local_ip4 };
	u8 *data = msg->data, *end = msg->data_end;

	if (data + 2 <= end && data[0] == 'G' && (data[1] ^ 0x20) != 'e')
		return 0;
	return redirect_hash(msg, &peers, &key, 1ULL << 40);
}

char _license[] SEC("license") = "GPL";
