"""A TCP option of our own (kind 253): the client's SYN asks for room, writes its tag, the server keeps it."""

from skverdict.dsl import HashMap, SockOps, Struct, be16, constants, i32, sock_ops, u8, u64

KIND = 253


class Tag(Struct):
    kind: u8
    length: u8
    tag: be16


tags = HashMap(key=u64, value=be16, max_entries=4096)


@sock_ops
def options(skops: SockOps) -> i32:
    tag = Tag(kind=KIND, length=4)
    match skops.op:
        case constants.BPF_SOCK_OPS_TCP_CONNECT_CB:
            skops.cb_flags_set(constants.BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG)
        case constants.BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
            skops.cb_flags_set(constants.BPF_SOCK_OPS_PARSE_UNKNOWN_HDR_OPT_CB_FLAG)
        case constants.BPF_SOCK_OPS_HDR_OPT_LEN_CB:
            skops.reserve_hdr_opt(4)
        case constants.BPF_SOCK_OPS_WRITE_HDR_OPT_CB:
            tag.tag = be16(skops.local_port & 0xFFFF)
            skops.store_hdr_opt(tag)
        case constants.BPF_SOCK_OPS_PARSE_HDR_OPT_CB:
            if skops.load_hdr_opt(tag) == 4:
                tags.update(skops.get_socket_cookie(), tag.tag)
    return 1
