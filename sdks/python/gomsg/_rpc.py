"""What the client knows of an rpc."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rpc:
    """One rpc, as the generated table `gomsg._gen.rpcs` lists it."""

    path: str
    """`/gomsg.v1.KVService/Set`."""
    number: int
    """Its number in the frames of the pipeline."""
    is_write: bool
    """It changes something: sent in a session."""
    is_idempotent: bool
    """It may be applied twice without harm: repeated even without a session."""
