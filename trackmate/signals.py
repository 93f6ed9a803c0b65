"""Signals of the dashboard."""

from django.dispatch import Signal

activities_exported = Signal()
"""Sent after an export.

Arguments: `request`, `filters` (as `{name: text}`), `since` and `until` (the time range as
datetimes; `since` is None if it is open), `format` ("csv"), `rows` (the number of exported rows)
and `is_complete` (False if the limit was reached or the client has disconnected).
"""

change_undone = Signal()
"""Sent after a recorded change, or a part of it, was put back.

Arguments: `sender` (the model), `request`, `activity` (the `ActivityLog` row that was undone),
`instance` (the object as it was saved), `using` (its database), `changes` (what was put back, as
`{field: [old, new]}`) and `reason` (the person's words).
"""
