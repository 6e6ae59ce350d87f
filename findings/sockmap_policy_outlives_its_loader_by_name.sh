#!/usr/bin/env bash
# Linux 6.1.192 (Debian 6.1.0-56): whether a policy goes on when its loader exits, with nothing pinned, depends on whether
# its program mentions the map that the sockets are in. If it does, sockets of other processes stay under it for as long
# as they are open: each holds its programs, which hold the map, which holds the sockets, and though nobody can reach that
# map any more, a restarted loader gets EBUSY for them. If it does not, or mentions another map only, all sockets are free
# again at once, and what was dropped before goes through. Pin the map, or have the program mention no map, on purpose.
# 6.12.117 and 7.2.13 gave the same output.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/program.bpf.c" <<'END'
#include "program.h"

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 4);
	__type(key, u32);
	__type(value, u64);
} others SEC(".maps");

SEC("sk_msg")
int no_map(struct sk_msg_md *msg)
{
	return SK_DROP;
}

/* Nothing is at 3, so these drop, too. */
SEC("sk_msg")
int its_map(struct sk_msg_md *msg)
{
	return bpf_msg_redirect_map(msg, &sockets, 3, 0);
}

SEC("sk_msg")
int other_map(struct sk_msg_md *msg)
{
	return bpf_msg_redirect_map(msg, &others, 3, 0);
}

SEC("sk_skb/stream_verdict")
int skb_no_map(struct __sk_buff *skb)
{
	return SK_DROP;
}

SEC("sk_skb/stream_verdict")
int skb_its_map(struct __sk_buff *skb)
{
	return bpf_sk_redirect_map(skb, &sockets, 3, 0);
}
END
cat >"$work/user.c" <<'END'
#include "user.h"

#include <sys/wait.h>

/* A loader of its own process puts pair[end] under `program`; 0, or the error. */
static int run_loader(const char *program, int type, int pair[2], int end)
{
	int status;

	fflush(stdout);
	if (!fork()) {
		load();
		attach(program, type);
		_exit(-put(0, pair[end]));
	}
	wait(&status);
	usleep(500000);
	return WEXITSTATUS(status);
}

static void story(const char *program, int type, int end)
{
	int pair[2], error;

	connect_pair(pair);
	run_loader(program, type, pair, end);
	printf("%s: ", program);
	say(pair[0], "loader gone");
	hear(program, pair[1], 200);
	error = run_loader(program, type, pair, end);
	printf("%s: put by the next loader: %s\n", program, error ? strerror(error) : "ok");
}

int main(void)
{
	story("no_map", BPF_SK_MSG_VERDICT, 0);
	story("other_map", BPF_SK_MSG_VERDICT, 0);
	story("its_map", BPF_SK_MSG_VERDICT, 0);
	story("skb_no_map", BPF_SK_SKB_STREAM_VERDICT, 1);
	story("skb_its_map", BPF_SK_SKB_STREAM_VERDICT, 1);
	return 0;
}
END
cat >"$work/expected" <<'END'
6.1.0-56-amd64
no_map: send "loader gone": 11
no_map has "loader gone"
no_map: put by the next loader: ok
other_map: send "loader gone": 11
other_map has "loader gone"
other_map: put by the next loader: ok
its_map: send "loader gone": Permission denied
its_map has ""
its_map: put by the next loader: Device or resource busy
skb_no_map: send "loader gone": 11
skb_no_map has "loader gone"
skb_no_map: put by the next loader: ok
skb_its_map: send "loader gone": 11
skb_its_map has ""
skb_its_map: put by the next loader: Device or resource busy
end of output, status 0
END
guest/run.sh "$work/program.bpf.c" "$work/user.c" | tee "$work/seen"
diff "$work/expected" "$work/seen"
