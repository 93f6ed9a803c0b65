"""Rows themselves: a page, a tick, one row with its neighbours and its companions."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.contrib.contenttypes.models import ContentType
from django.db.models import Q, QuerySet

from trackmate.clock import datetime_of, lowest_uuid7
from trackmate.conf import get_settings
from trackmate.models import ActivityLog
from trackmate.selectors.bounds import oldest_first, tightened
from trackmate.selectors.orders import NEWEST_FIRST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from datetime import datetime

    from trackmate.selectors.orders import Order

Rows = QuerySet[ActivityLog]

ANYTHING = Q()
PAGE_SIZE = 50
TICK_CAP = 100
COMPANIONS_CAP = 100
STREAM_SLICE = 500
SLOWEST = timedelta(minutes=2)
"""How long a request may take and still be news when it ends."""

LISTED = (
    "action_time",
    "source",
    "action_type",
    "action",
    "status",
    "status_code",
    "execution_time",
    "actor",
    "actor_label",
    "ip_address",
    "method",
    "path",
    "route",
    "content_type",
    "object_id",
    "object_repr",
)
"""The columns of a list: all that it shows, and none of the wide ones (text, JSON)."""

PAYLOAD = ("data", "response", "changes")
"""The columns that need `trackmate.view_payload`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of rows."""

    rows: tuple[ActivityLog, ...]
    newer: UUID | None = None
    """Cursor of the page before this one, if there is one: its first row. With the newest rows
    first, that page has newer ones."""
    older: UUID | None = None
    """Cursor of the page behind this one, if there is one: its last row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """How many rows came since a moment."""

    count: int
    capped: bool
    """There are more; nobody counted how many."""
    kinds: tuple[tuple[str, int], ...] = ()
    """How many of them are of each action type, the most first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """The rows on either side of one row."""

    newer: UUID | None
    older: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """When the oldest of some rows happened, and the newest itself; None where there are none."""

    first: datetime | None
    last: ActivityLog | None


def every_row() -> Rows:
    """Return the whole log, from the database that keeps it."""
    return ActivityLog.objects.using(get_settings().DATABASE)


def newest(rows: Rows, number: int, *more: str) -> tuple[ActivityLog, ...]:
    """Return the newest rows, so many of them, with the columns of a list and `more`."""
    return tuple(rows.only(*LISTED, *more).order_by("-pk")[:number])


def page(
    rows: Rows,
    *,
    before: UUID | None = None,
    after: UUID | None = None,
    holding: UUID | None = None,
    order: Order = NEWEST_FIRST,
    among: Rows | None = None,
    more: Iterable[str] = (),
) -> Page:
    """Return the first page, the one behind the row `before`, the one up to the row `after` or one
    in which the row `holding` is.

    Such a row is looked up `among` rows that need not be asked for (any more); `more` columns are
    read beside those of a list.
    """
    listed = rows.only(*LISTED, *more)
    among = rows if among is None else among
    if after is not None:
        return _page_up_to(listed, after, order, among)
    if holding is not None:
        return _page_holding(listed, holding, order, among)
    if before is not None:
        return _page_of(order.behind(listed, before, among), order, is_first=False)
    return _page_of(listed, order)


def _page_of(listed: Rows, order: Order, *, is_first: bool = True) -> Page:
    found = tuple(order.sort(listed)[: PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE]
    return Page(
        rows=shown,
        newer=None if is_first or not shown else shown[0].pk,
        older=shown[-1].pk if len(found) > PAGE_SIZE else None,
    )


def _page_up_to(listed: Rows, after: UUID, order: Order, among: Rows) -> Page:
    earlier = order.behind(listed, after, among, backwards=True)
    found = tuple(order.sort(earlier, backwards=True)[: PAGE_SIZE + 1])
    if not found:
        # Nothing comes before it any more: the first page is what was meant.
        return _page_of(listed, order)
    shown = found[:PAGE_SIZE][::-1]
    return Page(
        rows=shown,
        newer=shown[0].pk if len(found) > PAGE_SIZE else None,
        older=shown[-1].pk,
    )


def _page_holding(listed: Rows, pk: UUID, order: Order, among: Rows) -> Page:
    """Return the first page if the row is on it, else one with the row in the middle."""
    earlier = order.sort(order.behind(listed, pk, among, backwards=True), backwards=True)
    found = earlier.values_list("pk", flat=True)[:PAGE_SIZE]
    if len(found) < PAGE_SIZE:
        return _page_of(listed, order)
    behind = order.behind(listed, found[PAGE_SIZE // 2], among)
    return _page_of(behind, order, is_first=False)


def tick(rows: Rows, *, since: UUID, shown: UUID | None = None) -> Tick:
    """Count the rows newer than the row `since`, as far as it matters.

    A slow request is older than the fast ones that were stored before it; if `shown` carries the
    moment when the page was read, what was stored after that counts as well.
    """
    is_new, oldest = Q(pk__gt=since), since
    if shown is not None:
        moment = datetime_of(shown)
        is_new |= Q(recorded_at__gt=moment)
        oldest = min(since, lowest_uuid7(moment - SLOWEST))
    newer = tightened(rows.filter(is_new, pk__gt=oldest)).order_by("-pk")
    found = list(newer.values_list("action_type", flat=True)[: TICK_CAP + 1])
    counted = found[:TICK_CAP]
    kinds = tuple(Counter(counted).most_common())
    return Tick(count=len(counted), capped=len(found) > TICK_CAP, kinds=kinds)


def is_empty(rows: Rows) -> bool:
    """Say whether there is no row at all."""
    return not rows.order_by("-pk").values_list("pk", flat=True)[:1]


def one(rows: Rows, pk: UUID, *, with_payload: bool) -> ActivityLog | None:
    """Return one whole row, or None. Without the payload, attributes such as `has_data` still say
    whether there is one."""
    rows = rows.annotate(**{f"has_{name}": Q(**{f"{name}__isnull": False}) for name in PAYLOAD})
    if not with_payload:
        rows = rows.defer(*PAYLOAD)
    return rows.filter(pk=pk).first()


def neighbours(rows: Rows, pk: UUID) -> Neighbours:
    """Return the rows next to one row, whether or not it is among `rows` itself."""
    keys = rows.values_list("pk", flat=True)
    return Neighbours(
        newer=tightened(keys.filter(pk__gt=pk)).order_by("pk").first(),
        older=tightened(keys.filter(pk__lt=pk)).order_by("-pk").first(),
    )


def stream(
    rows: Rows,
    limit: int,
    *,
    without: Iterable[str] = (),
    guard: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Iterator[ActivityLog]:
    """Yield the newest rows, so many at most, each with the label of its object's type as
    `object_type`.

    They are read in slices, each from where the one before it ended and within a `guard()`:
    memory stays flat, and no transaction is held open for as long as a client takes to read.
    Slices with the payload are small, since a row of it may not be.
    """
    rows = rows.defer(*without).order_by("-pk")
    size = STREAM_SLICE if without else STREAM_SLICE // 10
    last: UUID | None = None
    types: dict[int, str] = {}
    while limit > 0:
        older = rows if last is None else tightened(rows.filter(pk__lt=last))
        with guard():
            found = list(older[: min(limit, size)])
            types |= object_types(row for row in found if row.content_type_id not in types)
        for row in found:
            row.object_type = types.get(row.content_type_id or 0, "")  # type: ignore[attr-defined]
            yield row
        limit -= len(found)
        if len(found) < size:
            return
        last = found[-1].pk


def count_up_to(rows: Rows, limit: int) -> int:
    """Return how many rows there are, but not more than `limit`, where the counting ends."""
    return rows.values("pk")[:limit].count()


def ends(rows: Rows, about: Q = ANYTHING, *, last: ActivityLog | None = None) -> Ends:
    """Return when the oldest of the rows about something happened, and the newest, `last` if that
    is known: a look into an index for each."""
    if last is None:
        last = next(iter(newest(rows.filter(about), 1)), None)
    return Ends(first=None if last is None else oldest(rows, about), last=last)


def oldest(rows: Rows, about: Q = ANYTHING) -> datetime | None:
    """Return when the oldest of the rows about something happened."""
    return oldest_first(rows.values_list("action_time", flat=True), about).first()


def companions(rows: Rows, row: ActivityLog) -> tuple[ActivityLog, ...]:
    """Return everything that the row's request did, the row included, in the order it happened."""
    if not row.request_id:
        return ()
    same = rows.filter(request_id=row.request_id).only(*LISTED).order_by("pk")
    return tuple(same[:COMPANIONS_CAP])


def object_types(rows: Iterable[ActivityLog]) -> dict[int, str]:
    """Return the names ("shop.order") of the object types that rows point to.

    Django remembers each that it has looked up, but not those that are gone.
    """
    keys = {row.content_type_id for row in rows if row.content_type_id is not None}
    kinds: dict[int, ContentType] = {}
    while keys:
        key = keys.pop()
        try:
            kinds[key] = ContentType.objects.get_for_id(key)
        except ContentType.DoesNotExist:
            # There may be more of them: all that is left is asked for at once.
            kinds |= ContentType.objects.in_bulk(keys)
            break
    return {key: f"{kind.app_label}.{kind.model}" for key, kind in kinds.items()}
