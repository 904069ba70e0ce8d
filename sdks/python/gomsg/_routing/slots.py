"""Hash slots: CRC-16/XMODEM (polynomial 0x1021, initial value 0, no reflection) as in the Redis cluster specification
(https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec), which Python has as `binascii.crc_hqx`.
"""

from __future__ import annotations

from binascii import crc_hqx

SLOTS = 16_384
"""Number of hash slots that names are spread over."""


def slot_of(name: str) -> int:
    """The slot of a key, queue or topic.

    Where the name has a `{` with a `}` somewhere behind it and something between the two, only what is between the
    first such `{` and the first `}` after it counts: names that share such a tag share a slot.
    """
    start = name.find("{")
    if start != -1:
        end = name.find("}", start + 1)
        if end > start + 1:
            name = name[start + 1 : end]
    return crc_hqx(name.encode(), 0) % SLOTS


def queue_of_delivery(delivery_id: str) -> str:
    """The queue of a delivery or message id, `queue#sequence.delivery`: what stands before the last `#`."""
    queue, separator, _ = delivery_id.rpartition("#")
    return queue if separator else delivery_id
