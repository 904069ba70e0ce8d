"""The client that is not asynchronous."""

from __future__ import annotations

from contextlib import suppress
from types import TracebackType
from typing import Self

from .._client import Client as AsyncClient
from .._error import GomsgError
from .._gen.services import SyncServices
from .runner import Runner


class Client(SyncServices):
    """A client of a node or a cluster, for programs without asyncio. May be used by several threads at once.

    Made by `gomsg.sync.connect`.
    """

    def __init__(self, client: AsyncClient) -> None:
        self._runner = Runner()
        self._client = client
        super().__init__(self._runner, client)

    @property
    def is_closed(self) -> bool:
        return self._client.is_closed

    def close(self) -> None:
        """Takes no more calls, waits for those in flight, and frees everything. Twice does no harm."""
        handled = self._runner.handled_task
        if handled is not None:
            # By a handler: nobody waits for it, as it waits for this.
            with suppress(GomsgError):
                self._runner.call_soon(lambda: self._client._core.closed_by(handled))
        self._runner.close(self._client.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
