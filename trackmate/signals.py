"""Signals by which the dashboard tells what people do with it."""

from django.dispatch import Signal

activities_exported = Signal()
"""Somebody has taken activities out of the log.

Sent with `request`, `filters` (what was asked, as `{name: text}`), `since` and `until` (the range
of time, as two datetimes; `since` is None if it has no beginning), `format` ("csv"), `rows` (how
many went out) and `is_complete` (False if the limit was reached or the client hung up).
"""
