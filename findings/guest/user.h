/* The user-space side: load program.o, connect TCP over loopback, put sockets into the map, read and write. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct bpf_object *object;

static void load(void)
{
	object = bpf_object__open_file("/program.o", NULL);
	if (!object || bpf_object__load(object)) {
		puts("program.o was refused");
		exit(2);
	}
}

static int map_fd(const char *name)
{
	return bpf_map__fd(bpf_object__find_map_by_name(object, name));
}

static void attach(const char *program, int type)
{
	int fd = bpf_program__fd(bpf_object__find_program_by_name(object, program));

	if (bpf_prog_attach(fd, map_fd("sockets"), type, 0))
		printf("attach %s: %s\n", program, strerror(errno));
}

static int put(unsigned int key, int socket)
{
	unsigned long long value = socket;

	return bpf_map_update_elem(map_fd("sockets"), &key, &value, BPF_ANY) ? -errno : 0;
}

static void set(unsigned int slot, unsigned long long value)
{
	bpf_map_update_elem(map_fd("numbers"), &slot, &value, BPF_ANY);
}

static long long get(unsigned int slot)
{
	unsigned long long value = 0;

	bpf_map_lookup_elem(map_fd("numbers"), &slot, &value);
	return value;
}

/* pair[0] is the client, pair[1] the server; neither delays small segments. */
static void connect_pair(int pair[2])
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	bind(listener, (struct sockaddr *)&address, length);
	listen(listener, 1);
	getsockname(listener, (struct sockaddr *)&address, &length);
	pair[0] = socket(AF_INET, SOCK_STREAM, 0);
	connect(pair[0], (struct sockaddr *)&address, length);
	pair[1] = accept(listener, NULL, NULL);
	close(listener);
	for (int i = 0; i < 2; i++)
		setsockopt(pair[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* Sends `text`, prints the count or the error, and lets the other side settle. */
static void say(int socket, const char *text)
{
	ssize_t count = send(socket, text, strlen(text), MSG_NOSIGNAL);

	if (count < 0)
		printf("send \"%s\": %s\n", text, strerror(errno));
	else
		printf("send \"%s\": %zd\n", text, count);
	usleep(100000);
}

/* Prints everything that arrives within `milliseconds`. */
static void hear(const char *name, int socket, int milliseconds)
{
	char text[4096];
	size_t have = 0;
	struct pollfd ready = {.fd = socket, .events = POLLIN};

	while (have < sizeof(text) - 1 && poll(&ready, 1, milliseconds) > 0) {
		ssize_t count = recv(socket, text + have, sizeof(text) - 1 - have, MSG_DONTWAIT);

		if (count <= 0)
			break;
		have += count;
	}
	text[have] = 0;
	printf("%s has \"%s\"\n", name, text);
}
