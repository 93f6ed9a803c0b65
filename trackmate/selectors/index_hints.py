"""Queries written so that PostgreSQL uses the index made for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from django.db import connections

if TYPE_CHECKING:
    from django.db.models import Q, QuerySet

    from trackmate.models import ActivityLog

Row = TypeVar("Row")


def oldest_first(rows: QuerySet[ActivityLog, Row], about: Q) -> QuerySet[ActivityLog, Row]:
    """Return the rows matching `about`, the oldest first.

    PostgreSQL assumes that a frequent value is everywhere, and looks for its oldest row from the
    beginning of the log on: through all of it, for an address that is new. A range of that one
    value, in the order of its own index, prevents that. Other databases use the index for "=",
    and would not for a range.
    """
    match about.negated, about.children:
        case False, [(("actor_id" | "route" | "ip_address") as name, value)] if (
            connections[rows.db].vendor == "postgresql"
        ):
            ends = {f"{name}__gte": value, f"{name}__lte": value}
            return rows.filter(**ends).order_by(name, "pk")
    return rows.filter(about).order_by("pk")
