"""The client, and how it is made."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from types import TracebackType
from typing import Self

from ._core import Core
from ._failures import failure
from ._gen.services import Services
from ._options import (
    DEFAULT_ADDRESS,
    ConnectOptions,
    TlsOptions,
    Token,
    checked_addresses,
    checked_limits,
    is_token,
)
from .hooks import Hooks
from .raw import RawClient

Seconds = float | timedelta | None


class Client(Services):
    """A client of a node or a cluster. Made by `gomsg.connect`; belongs to the event loop of its first call."""

    def __init__(self, options: ConnectOptions) -> None:
        self._core = Core(options)
        super().__init__(self._core)
        self.raw = RawClient(lambda: self._core.channels.get(self._core.pipeline.router.home))
        """The plain generated gRPC clients."""

    @property
    def pending_calls(self) -> int:
        """Calls whose callers wait for an answer."""
        return self._core.pipeline.pending_calls

    @property
    def is_closed(self) -> bool:
        return self._core.is_closed

    async def close(self) -> None:
        """Takes no more calls, waits for those in flight, and frees everything: tasks, timers, sockets.

        Subscriptions end; calls that are not answered within `close_timeout` fail with CLIENT_CLOSED. Twice does no harm.
        """
        await self._core.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def connect(
    address: str | Iterable[str] = DEFAULT_ADDRESS,
    *,
    timeout: Seconds = None,
    unreachable_timeout: Seconds = None,
    tls: bool | TlsOptions = False,
    token: Token | None = None,
    hooks: Hooks | None = None,
    max_in_flight_calls: int | None = None,
    max_in_flight_bytes: int | None = None,
    max_waiting_calls: int | None = None,
    max_waiting_bytes: int | None = None,
    max_request_bytes: int | None = None,
    retry_delay: Seconds = None,
    max_retry_delay: Seconds = None,
    max_sends: int | None = None,
    max_collected: int | None = None,
    keepalive_interval: Seconds = None,
    keepalive_timeout: Seconds = None,
    connect_timeout: Seconds = None,
    close_timeout: Seconds = None,
) -> Client:
    """A client. It connects with its first call. Fails with INVALID_REQUEST for what is no address or option.

    Args:
        address: `host:port` of a node; several with commas, or in a list.
        timeout: Seconds that a call waits for its answer, unless it says otherwise. Default 30.
        unreachable_timeout: Calls fail with UNREACHABLE once no node could be reached for this long. Default 10.
        tls: True trusts the system's authorities; TlsOptions has certificates. Default: no TLS.
        token: Sent as `authorization: Bearer …` with every stream and call: text, or a function that gives it.
        hooks: Told of calls, connections and retries, for tracing and logging.
        max_in_flight_calls: Calls that the servers may have at once; more wait. Default 4,096.
        max_in_flight_bytes: Bytes of their requests. Default 32 MiB.
        max_waiting_calls: Calls that may wait; the next fails with OVERLOADED. Default 65,536.
        max_waiting_bytes: Bytes of their requests. Default 64 MiB.
        max_request_bytes: Largest encoded request. Default 16 MiB less 1 KiB.
        retry_delay: First wait before another try; each next one doubles. Default 0.025.
        max_retry_delay: Longest such wait. Default 2.
        max_sends: Times that one call is sent at most. Default 10.
        max_collected: Most elements that a method collects from pages. Default 100,000.
        keepalive_interval: A connection with open calls or streams is pinged when nothing was heard on it for this
            long. Default 3.
        keepalive_timeout: A connection that leaves a ping unanswered this long is given up: what may be repeated goes
            to another node. Default 2.
        connect_timeout: A try to connect is given up after this long, also when what accepts it says nothing. Default 5.
        close_timeout: How long `close` waits for calls in flight. Default 5.
    """
    given: dict[str, object] = {
        "timeout": timeout,
        "unreachable_timeout": unreachable_timeout,
        "max_in_flight_calls": max_in_flight_calls,
        "max_in_flight_bytes": max_in_flight_bytes,
        "max_waiting_calls": max_waiting_calls,
        "max_waiting_bytes": max_waiting_bytes,
        "max_request_bytes": max_request_bytes,
        "retry_delay": retry_delay,
        "max_retry_delay": max_retry_delay,
        "max_sends": max_sends,
        "max_collected": max_collected,
        "keepalive_interval": keepalive_interval,
        "keepalive_timeout": keepalive_timeout,
        "connect_timeout": connect_timeout,
        "close_timeout": close_timeout,
    }
    for name, value, kinds in (("tls", tls, bool | TlsOptions), ("hooks", hooks, Hooks | None)):
        if not isinstance(value, kinds):
            raise failure("INVALID_REQUEST", f"connect: {name}: {value!r} is none", method="connect", subject=name)
    if token is not None and not (is_token(token) if isinstance(token, str) else callable(token)):
        raise failure(
            "INVALID_REQUEST",
            "connect: token: give a str of printable ASCII, or a function",
            method="connect",
            subject="token",
        )
    return Client(
        ConnectOptions(
            addresses=checked_addresses(address),
            limits=checked_limits(given),
            tls=tls,
            token=token,
            hooks=hooks if hooks is not None else Hooks(),
        )
    )
