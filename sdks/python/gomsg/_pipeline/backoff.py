"""Waits that double, with jitter, so that many clients of a node that came back do not come at once."""

from __future__ import annotations

import random
from collections.abc import Callable

_MAX_DOUBLINGS = 30


def backoff_seconds(
    attempt: int, first: float, longest: float, rand: Callable[[], float] = random.random
) -> float:
    """The wait before try number `attempt` (from 0): half of it is certain, the rest by chance."""
    full: float = min(longest, first * 2 ** min(attempt, _MAX_DOUBLINGS))
    return full / 2 + full / 2 * rand()
