"""One HTTP/2 connection to each node, shared by the pipeline, the streams and the raw clients."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path

import grpc
import grpc.aio

from ._failures import failure, transport_failure
from ._options import ConnectOptions, TlsOptions, is_token

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""Largest message either way."""

WINDOW_BYTES = 4 * 1024 * 1024
"""HTTP/2 receive window of a stream: a full one per round trip is what it can read at most."""

_FIRST_RECONNECT_MS = 100

_UNAVAILABLE = 14


class Channels:
    """The connections of one client, by address."""

    def __init__(self, options: ConnectOptions) -> None:
        self._options = options
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._closed = False
        self._credentials = _credentials(options.tls)

    def get(self, address: str) -> grpc.aio.Channel:
        """The connection to a node, which is made with its first use."""
        if self._closed:
            raise failure("CLIENT_CLOSED", "the client is closed: no call was sent")
        channel = self._channels.get(address)
        if channel is None:
            channel = self._channels[address] = self._open(address)
        return channel

    async def metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """The headers of each stream and call: the token, where there is one."""
        token = self._options.token
        if token is None:
            return ()
        if not callable(token):
            return (("authorization", f"Bearer {token}"),)
        try:
            given = token()
            value: object = await given if inspect.isawaitable(given) else given
        except Exception as error:
            # Whoever issues tokens may be back in a while: tried again like a connection.
            raise transport_failure(
                _UNAVAILABLE, f"token: the function failed: {type(error).__name__}: {error}", cause=error
            ) from error
        if not isinstance(value, str) or not is_token(value):
            raise failure(
                "INVALID_REQUEST", f"token: the function gave {type(value).__name__}, not a str of printable ASCII"
            )
        return (("authorization", f"Bearer {value}"),)

    async def close(self) -> None:
        self._closed = True
        channels = list(self._channels.values())
        self._channels.clear()
        for channel in channels:
            await channel.close()

    def _open(self, address: str) -> grpc.aio.Channel:
        limits = self._options.limits
        settings: list[tuple[str, int | str]] = [
            ("grpc.keepalive_time_ms", _milliseconds(limits.keepalive_interval)),
            ("grpc.keepalive_timeout_ms", _milliseconds(limits.keepalive_timeout)),
            # The core never starts the timer of the setting before when it is shorter than this one, of one minute
            # unless it is given (grpc_chttp2_end_write of 1.66 to 1.85).
            ("grpc.http2.ping_timeout_ms", _milliseconds(limits.keepalive_timeout)),
            # Nor does it ping while one of its pings that measure the bandwidth is unanswered. The window that those
            # would find is given instead.
            ("grpc.http2.bdp_probe", 0),
            ("grpc.http2.lookahead_bytes", WINDOW_BYTES),
            ("grpc.keepalive_permit_without_calls", 0),
            ("grpc.http2.max_pings_without_data", 0),
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            ("grpc.initial_reconnect_backoff_ms", _FIRST_RECONNECT_MS),
            # No wait, for all its name: how long a try may last, up to the first frame of the node. What accepts a
            # connection may be the kernel of a process that is stopped.
            ("grpc.min_reconnect_backoff_ms", _milliseconds(limits.connect_timeout)),
            ("grpc.max_reconnect_backoff_ms", _milliseconds(limits.max_retry_delay)),
            # Every client has its own connections: one that closes, or backs off, does not touch another.
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.enable_retries", 0),
            ("grpc.service_config_disable_resolution", 1),
        ]
        tls = self._options.tls
        if isinstance(tls, TlsOptions) and tls.server_name is not None:
            settings.append(("grpc.ssl_target_name_override", tls.server_name))
        if self._credentials is None:
            return grpc.aio.insecure_channel(address, options=_as_arguments(settings))
        return grpc.aio.secure_channel(address, self._credentials, options=_as_arguments(settings))


def _milliseconds(seconds: float) -> int:
    """As gRPC takes them: at least one, and no more than its numbers hold, about 24 days."""
    return min(max(round(seconds * 1000), 1), 2**31 - 1)


def _as_arguments(settings: list[tuple[str, int | str]]) -> Sequence[tuple[str, object]]:
    return [(name, value) for name, value in settings]


def _credentials(tls: TlsOptions | bool) -> grpc.ChannelCredentials | None:
    if tls is False:
        return None
    if tls is True:
        return grpc.ssl_channel_credentials()
    return grpc.ssl_channel_credentials(_pem("ca", tls.ca), _pem("key", tls.key), _pem("cert", tls.cert))


def _pem(name: str, source: str | bytes | Path | None) -> bytes | None:
    if source is None or isinstance(source, bytes):
        return source
    if isinstance(source, str) and "-----BEGIN" in source:
        return source.encode()
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise failure(
            "INVALID_REQUEST",
            f"connect: tls.{name}: {source} cannot be read: {error.strerror}",
            method="connect",
            subject=f"tls.{name}",
            cause=error,
        ) from error
