"""Hooks: what a client tells those who trace, measure or log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class CallInfo:
    """A call that begins."""

    method: str
    """`kv.set`."""
    rpc: str
    """`gomsg.v1.KVService/Set`."""
    route: str | None
    """The key, queue or topic that it is about; None where there is none."""


@dataclass(frozen=True, slots=True)
class CallResult:
    """A call that ended."""

    seconds: float
    """From its beginning to its end."""
    error: BaseException | None
    """Why it failed, or asyncio.CancelledError when its caller gave it up; None when it succeeded."""


@dataclass(frozen=True, slots=True)
class RetryInfo:
    """A call that is sent again."""

    method: str
    attempt: int
    """How often it was sent so far."""
    error: Exception
    """Why it has to be sent again."""
    delay: float
    """Seconds until then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """Functions that are told what happens, all optional and called on the event loop: they must not block.

    What a hook raises never breaks a call: it goes to `log`.
    """

    on_call: Callable[[CallInfo], Callable[[CallResult], None] | None] | None = None
    """Told of each call; what it returns is told of the end of the call."""
    on_connect: Callable[[str], None] | None = None
    """Told the address of a node that was reached."""
    on_disconnect: Callable[[str, Exception], None] | None = None
    """Told the address of a node that was lost, and why."""
    on_retry: Callable[[RetryInfo], None] | None = None
    """Told of calls that are sent again."""
    log: Callable[[LogLevel, str, Mapping[str, object]], None] | None = None
    """Told what happens inside the client, with the details by name."""


class HookCaller:
    """Calls hooks, and lets none of them do harm."""

    def __init__(self, hooks: Hooks) -> None:
        self.hooks = hooks

    def call_begins(self, info: CallInfo) -> Callable[[CallResult], None] | None:
        if self.hooks.on_call is None:
            return None
        try:
            return self.hooks.on_call(info)
        except Exception as error:
            self._failed("on_call", error)
            return None

    def call_ends(self, end: Callable[[CallResult], None], result: CallResult) -> None:
        try:
            end(result)
        except Exception as error:
            self._failed("on_call", error)

    def connected(self, address: str) -> None:
        if self.hooks.on_connect is not None:
            try:
                self.hooks.on_connect(address)
            except Exception as error:
                self._failed("on_connect", error)

    def disconnected(self, address: str, error: Exception) -> None:
        if self.hooks.on_disconnect is not None:
            try:
                self.hooks.on_disconnect(address, error)
            except Exception as raised:
                self._failed("on_disconnect", raised)

    def retries(self, info: RetryInfo) -> None:
        if self.hooks.on_retry is not None:
            try:
                self.hooks.on_retry(info)
            except Exception as error:
                self._failed("on_retry", error)

    def log(self, level: LogLevel, message: str, **details: object) -> None:
        if self.hooks.log is not None:
            try:
                self.hooks.log(level, message, details)
            except Exception:  # noqa: BLE001 - there is nobody left to tell
                return

    def _failed(self, hook: str, error: Exception) -> None:
        self.log("error", "a hook failed", hook=hook, error=error)
