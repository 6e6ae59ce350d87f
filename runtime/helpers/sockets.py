"""Helpers that work on sockets and on the bytes that pass through them."""

from __future__ import annotations

from skverdict.runtime.helpers import header_options, socket_lookup, socket_options
from skverdict.runtime.machine.call import Buffer, Call
from skverdict.runtime.machine.environment import HelperFunction
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.maps.sockmap import SocketMap, SockMap
from skverdict.runtime.sockets.accounting import MOST_LINEAR
from skverdict.runtime.sockets.buffer import SocketBuffer
from skverdict.runtime.sockets.callbacks import ALL_FLAGS, MAY_ENTER_MAPS
from skverdict.runtime.sockets.contexts import SkBuffContext, SkMsgContext, SocketContext, SockOpsContext
from skverdict.runtime.sockets.message import Message
from skverdict.runtime.sockets.sock import IPPROTO_TCP, Sock
from skverdict.runtime.sockets.verdict import SK_DROP, SK_PASS

BPF_F_INGRESS = 1

#: Flags of bpf_skb_store_bytes: BPF_F_RECOMPUTE_CSUM and BPF_F_INVALIDATE_HASH.
_STORE_FLAGS = 3

_MAX_OFFSET = 0x7FFFFFFF

#: Bytes that bpf_skb_adjust_room adds or takes, at most.
_MOST_ROOM = 0xFFF


def _redirect(content: SocketBuffer | Message, socket: Sock | None, flags: int) -> int:
    """Note whom to redirect to, unless there is nobody, it takes no redirects, or the flags are not a
    redirect's."""
    if flags & ~BPF_F_INGRESS or socket is None or not socket.takes_redirects:
        return SK_DROP
    content.target = socket
    content.ingress = bool(flags & BPF_F_INGRESS)
    return SK_PASS


def _redirect_message(message: Message, socket: Sock | None, flags: int) -> int:
    """As `_redirect`; a message leaves no socket but one of TCP."""
    if socket is not None and socket.protocol != IPPROTO_TCP and not flags & BPF_F_INGRESS:
        return SK_DROP
    result = _redirect(message, socket, flags)
    message.redirected |= result == SK_PASS
    return result


def sk_redirect_map(call: Call, skb: SkBuffContext, map_: SockMap, key: int, flags: int) -> int:
    return _redirect(skb.buffer, map_.at(key), flags)


def sk_redirect_hash(call: Call, skb: SkBuffContext, map_: SocketMap, key: bytes, flags: int) -> int:
    return _redirect(skb.buffer, map_.socket(key), flags)


def msg_redirect_map(call: Call, msg: SkMsgContext, map_: SockMap, key: int, flags: int) -> int:
    return _redirect_message(msg.message, map_.at(key), flags)


def msg_redirect_hash(call: Call, msg: SkMsgContext, map_: SocketMap, key: bytes, flags: int) -> int:
    return _redirect_message(msg.message, map_.socket(key), flags)


def sock_update(call: Call, skops: SockOpsContext, map_: SocketMap, key: bytes, flags: int) -> int:
    """`bpf_sock_map_update` and `bpf_sock_hash_update`: EOPNOTSUPP but in three callbacks."""
    if skops.op not in MAY_ENTER_MAPS:
        raise KernelError(Errno.EOPNOTSUPP, "only an established or listening socket goes into a map")
    map_.put_from_program(key, skops.socket, flags)
    return 0


def msg_apply_bytes(call: Call, msg: SkMsgContext, count: int) -> int:
    msg.message.apply_bytes = count
    return 0


def msg_cork_bytes(call: Call, msg: SkMsgContext, count: int) -> int:
    msg.message.cork_bytes = count
    return 0


def msg_pull_data(call: Call, msg: SkMsgContext, start: int, end: int, flags: int) -> int:
    msg.message.pull(start, end, flags)
    return 0


def msg_push_data(call: Call, msg: SkMsgContext, start: int, length: int, flags: int) -> int:
    msg.message.push(start, length, flags)
    return 0


def msg_pop_data(call: Call, msg: SkMsgContext, start: int, length: int, flags: int) -> int:
    msg.message.pop(start, length, flags)
    return 0


def skb_pull_data(call: Call, skb: SkBuffContext, length: int) -> int:
    """Make `length` bytes readable (0: only writable, what is readable now). ENOMEM if there are fewer."""
    if not skb.buffer.pull(length or skb.buffer.linear):
        raise KernelError(Errno.ENOMEM, f"pull_data of {length} from a buffer of {len(skb.buffer)}")
    return 0


def skb_load_bytes(call: Call, skb: SkBuffContext, offset: int, to: Buffer) -> int:
    """Copy bytes out, wherever they lie. EFAULT, and zeros, if they are not all there."""
    content = skb.buffer.content[offset : offset + to.size]
    if len(content) < to.size or offset > _MAX_OFFSET:
        to.write(bytes(to.size))
        raise KernelError(Errno.EFAULT, f"load_bytes of {to.size} at {offset} of {len(skb.buffer)}")
    to.write(bytes(content))
    return 0


def skb_store_bytes(call: Call, skb: SkBuffContext, offset: int, content: bytes, flags: int) -> int:
    """Overwrite bytes, which makes everything up to them linear. EFAULT if they are not all there."""
    if flags & ~_STORE_FLAGS:
        raise KernelError(Errno.EINVAL, f"store_bytes with flags {flags:#x}")
    if offset > _MAX_OFFSET or not skb.buffer.pull(offset + len(content)):
        raise KernelError(Errno.EFAULT, f"store_bytes of {len(content)} at {offset} of {len(skb.buffer)}")
    skb.buffer.own()[offset : offset + len(content)] = content
    return 0


def skb_change_tail(call: Call, skb: SkBuffContext, length: int, flags: int) -> int:
    """Cut bytes off or add zeros, which makes everything linear. EINVAL for flags and for too long a
    buffer."""
    if flags or length > MOST_LINEAR:
        raise KernelError(Errno.EINVAL, f"change_tail to {length} with flags {flags:#x}")
    skb.buffer.resize(length)
    return 0


def skb_change_head(call: Call, skb: SkBuffContext, length: int, flags: int) -> int:
    """Put zeros in front. EINVAL for flags and for too long a buffer."""
    if flags or length > _MAX_OFFSET or len(skb.buffer) + length > MOST_LINEAR:
        raise KernelError(Errno.EINVAL, f"change_head by {length} with flags {flags:#x}")
    if length:
        skb.buffer.push(length)
    return 0


def skb_adjust_room(call: Call, skb: SkBuffContext, difference: int, mode: int, flags: int) -> int:
    """Put zeros in front, or take bytes away there.

    EINVAL for flags and modes, which are for other kinds of programs; EFAULT for more than 4095 bytes; ENOMEM
    for taking more than there are.
    """
    if flags or mode:
        raise KernelError(Errno.EINVAL, f"adjust_room with mode {mode} and flags {flags:#x}")
    if abs(difference) > _MOST_ROOM:
        raise KernelError(Errno.EFAULT, f"adjust_room by {difference}")
    if difference < -len(skb.buffer):
        raise KernelError(Errno.ENOMEM, f"adjust_room by {difference} in a buffer of {len(skb.buffer)}")
    if difference > 0:
        skb.buffer.push(difference)
    elif difference:
        skb.buffer.drop(-difference)
    return 0


def get_socket_cookie(call: Call, context: SocketContext) -> int:
    return context.socket.cookie


def get_socket_uid(call: Call, skb: SkBuffContext) -> int:
    return call.environment.user


def get_netns_cookie(call: Call, context: SocketContext | None) -> int:
    """The network namespace of the socket, or the first one there was for no context; there is but one."""
    return call.environment.network_namespace


def sock_ops_cb_flags_set(call: Call, skops: SockOpsContext, flags: int) -> int:
    """Ask for further callbacks; returns the flags that the kernel does not know. EOPNOTSUPP for a request.
    """
    if not skops.full:
        raise KernelError(Errno.EOPNOTSUPP, "only a full socket has callback flags")
    skops.socket.callback_flags = flags & ALL_FLAGS
    return flags & ~ALL_FLAGS


FUNCTIONS: dict[str, HelperFunction] = {
    **header_options.FUNCTIONS,
    **socket_lookup.FUNCTIONS,
    **socket_options.FUNCTIONS,
    "bpf_sk_redirect_map": sk_redirect_map,
    "bpf_sk_redirect_hash": sk_redirect_hash,
    "bpf_msg_redirect_map": msg_redirect_map,
    "bpf_msg_redirect_hash": msg_redirect_hash,
    "bpf_sock_map_update": sock_update,
    "bpf_sock_hash_update": sock_update,
    "bpf_msg_apply_bytes": msg_apply_bytes,
    "bpf_msg_cork_bytes": msg_cork_bytes,
    "bpf_msg_pull_data": msg_pull_data,
    "bpf_msg_push_data": msg_push_data,
    "bpf_msg_pop_data": msg_pop_data,
    "bpf_skb_pull_data": skb_pull_data,
    "bpf_skb_load_bytes": skb_load_bytes,
    "bpf_skb_store_bytes": skb_store_bytes,
    "bpf_skb_change_tail": skb_change_tail,
    "bpf_skb_change_head": skb_change_head,
    "bpf_skb_adjust_room": skb_adjust_room,
    "bpf_get_socket_cookie": get_socket_cookie,
    "bpf_get_socket_uid": get_socket_uid,
    "bpf_get_netns_cookie": get_netns_cookie,
    "bpf_sock_ops_cb_flags_set": sock_ops_cb_flags_set,
}
