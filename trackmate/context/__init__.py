"""What surrounds the running code: the scope of its request, `bind()` and `suppress()`."""

from trackmate.context.binding import apply_context, bind, is_suppressed, suppress
from trackmate.context.scope import Enrichment, Scope, current_scope, enter_scope, leave_scope

__all__ = [
    "Enrichment",
    "Scope",
    "apply_context",
    "bind",
    "current_scope",
    "enter_scope",
    "is_suppressed",
    "leave_scope",
    "suppress",
]
