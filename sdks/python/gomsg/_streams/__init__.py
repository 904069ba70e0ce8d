"""Subscriptions, consumers and watches: streams that go on after a lost connection."""
