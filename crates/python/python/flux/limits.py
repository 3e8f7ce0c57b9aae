"""Every limit of the package in one place; those of a connection are in the crate `client`."""

ANSWERS_MAX = 65536
"""Answers of one stream that have been dispatched and wait for reset(). One more ends the
stream with ENOBUFS."""

EVENTS_MAX = 65536
"""Messages that wait for one `async for`. One more ends it with ENOBUFS."""
