"""What surrounds the running code: the scope of its request, `bind()` and `suppress()`."""

from trackmate.context.binding import bind, is_suppressed, stamp, suppress
from trackmate.context.scope import Enrichment, Scope, current_scope, enter, leave

__all__ = [
    "Enrichment",
    "Scope",
    "bind",
    "current_scope",
    "enter",
    "is_suppressed",
    "leave",
    "stamp",
    "suppress",
]
