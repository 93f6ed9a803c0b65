"""What else a request did: the activities that share its id, in order, and how far apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.html import format_html
from django.utils.translation import gettext as _

from trackmate.clock import aware
from trackmate.dashboard import texts
from trackmate.dashboard.tables import OLDEST_FIRST, ActivityTable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.utils.safestring import SafeString

    from trackmate.dashboard.looks import Look
    from trackmate.models import ActivityLog


class CompanionsTable(ActivityTable):
    """Activities of one request, each with the time since the first of them."""

    def __init__(self, rows: tuple[ActivityLog, ...], **options: Any) -> None:
        # Names of their own: the page may stand beside a list that has these rows, too.
        super().__init__(rows, sorting=OLDEST_FIRST, row_name="tm-same", **options)
        self.start = aware(rows[0].action_time)

    def render_time(self, record: ActivityLog) -> SafeString:
        offset = (aware(record.action_time) - self.start).total_seconds()
        return format_html(
            '{} <span class="tm-quiet">+{}</span>',
            super().render_time(record),
            texts.duration(max(0, offset)),
        )


def companions_table(
    row: ActivityLog, companions: tuple[ActivityLog, ...], types: Mapping[int, str], look: Look
) -> CompanionsTable | None:
    """Return the table of what a request did, if it did more than the row tells."""
    if len(companions) < 2:  # noqa: PLR2004 (the row itself is one of them)
        return None
    return CompanionsTable(
        companions,
        caption=_("Everything that this request did, in order"),
        look=look.with_usual_columns,
        types=types,
        current=row.pk,
    )
