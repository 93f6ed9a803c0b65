"""The table of all activities of one request, in order, with the time between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.html import format_html
from django.utils.translation import gettext as _

from trackmate.clock import aware
from trackmate.dashboard import formatting
from trackmate.dashboard.tables.activity_table import ActivityTable
from trackmate.dashboard.tables.display_options import Sorting

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

    from trackmate.dashboard.tables.display_options import DisplayOptions
    from trackmate.models import ActivityLog


class RelatedTable(ActivityTable):
    """Activities of one request, each with the time since the first of them."""

    def __init__(self, rows: tuple[ActivityLog, ...], **options: Any) -> None:
        # The page may be shown beside a list that has the same rows.
        super().__init__(
            rows, sorting=Sorting(is_descending=False), row_prefix="tm-related", **options
        )
        self.start = aware(rows[0].action_time)

    def detail_link(self, row: ActivityLog) -> SafeString:
        """Return the link to a row's page, with the time since the first row."""
        offset = (aware(row.action_time) - self.start).total_seconds()
        return format_html(
            '{} <span class="tm-quiet">+{}</span>',
            super().detail_link(row),
            formatting.format_duration(max(0, offset)),
        )


def related_table(
    row: ActivityLog,
    related: tuple[ActivityLog, ...],
    object_types: dict[int, str],
    display: DisplayOptions,
) -> RelatedTable | None:
    """Return the table, or None if the request did nothing else."""
    if len(related) < 2:  # noqa: PLR2004 (the row itself is one of them)
        return None
    return RelatedTable(
        related,
        caption=_("All activity in this request"),
        display=display.with_built_in_columns,
        object_types=object_types,
        current=row.pk,
    )
