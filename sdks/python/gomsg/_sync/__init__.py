"""The client without asyncio: the same calls over an event loop on a thread of its own."""
