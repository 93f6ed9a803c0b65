"""Rows: a page of them, the new ones, one with its neighbours and related rows."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from django.contrib.contenttypes.models import ContentType
from django.db.models import Q

from trackmate.clock import datetime_of, lowest_uuid7
from trackmate.conf import get_settings
from trackmate.models import ActivityLog
from trackmate.selectors.index_hints import oldest_first
from trackmate.selectors.keyset import ALL_KEYS, NEWEST_FIRST, KeyRange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from datetime import datetime
    from uuid import UUID

    from trackmate.selectors.keyset import Order, Rows

ANYTHING = Q()
PAGE_SIZE = 50
NEW_CAP = 100
RELATED_CAP = 100
STREAM_SLICE = 500
SLOWEST = timedelta(minutes=2)
"""The longest request that still counts as new when it ends."""

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
    "impersonator",
    "impersonator_label",
    "ip_address",
    "method",
    "path",
    "route",
    "content_type",
    "object_id",
    "object_repr",
)
"""The columns that a list shows; no wide ones (text, JSON)."""

PAYLOAD = ("data", "response", "changes")
"""The columns that require `trackmate.view_payload`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of rows."""

    rows: tuple[ActivityLog, ...]
    newer: UUID | None = None
    """Cursor of the previous page, if there is one: the first row of this one."""
    older: UUID | None = None
    """Cursor of the next page, if there is one: the last row of this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewActivities:
    """How many activities are new."""

    count: int
    capped: bool
    """True if there are more, which were not counted."""
    types: tuple[tuple[str, int], ...] = ()
    """Action types and how many are of each, the most frequent first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjacent:
    """The keys of the next newer and the next older row."""

    newer: UUID | None
    older: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRange:
    """The time of the oldest row, and the newest row itself; None where there are none."""

    first: datetime | None
    last: ActivityLog | None


def every_row() -> Rows:
    """Return the whole log, from its database."""
    return ActivityLog.objects.using(get_settings().DATABASE)


def newest(rows: Rows, number: int, *more: str) -> tuple[ActivityLog, ...]:
    """Return the newest `number` rows, with the columns of a list and `more`."""
    return tuple(rows.only(*LISTED, *more).order_by("-pk")[:number])


def page(
    rows: Rows,
    *,
    within: KeyRange = ALL_KEYS,
    before: UUID | None = None,
    after: UUID | None = None,
    holding: UUID | None = None,
    order: Order = NEWEST_FIRST,
    among: Rows | None = None,
    more: Iterable[str] = (),
) -> Page:
    """Return a page of the rows whose keys are `within` a range: the first page, the one that
    follows the row `before`, the one that ends with the row `after`, or one with the row `holding`.

    Such a row is looked up `among` rows that the filters need not match. `more` columns are read
    beside those of a list.
    """
    listed = rows.only(*LISTED, *more)
    seek = partial(order.seek, listed, within, among=rows if among is None else among)
    first_page = partial(_page_of, within.filter(listed), order)
    if after is not None:
        return _page_up_to(seek, after, order) or first_page()
    if holding is not None:
        return _page_holding(seek, holding, order) or first_page()
    if before is not None:
        return _page_of(seek(before), order, is_first=False)
    return first_page()


def _page_of(listed: Rows, order: Order, *, is_first: bool = True) -> Page:
    found = tuple(order.sort(listed)[: PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE]
    return Page(
        rows=shown,
        newer=None if is_first or not shown else shown[0].pk,
        older=shown[-1].pk if len(found) > PAGE_SIZE else None,
    )


def _page_up_to(seek: Callable[..., Rows], after: UUID, order: Order) -> Page | None:
    found = tuple(order.sort(seek(after, backwards=True), backwards=True)[: PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE][::-1]
    if not shown:
        return None
    return Page(
        rows=shown,
        newer=shown[0].pk if len(found) > PAGE_SIZE else None,
        older=shown[-1].pk,
    )


def _page_holding(seek: Callable[..., Rows], pk: UUID, order: Order) -> Page | None:
    """Return a page with the row in the middle, or None if it is on the first page."""
    earlier = order.sort(seek(pk, backwards=True), backwards=True)
    found = earlier.values_list("pk", flat=True)[:PAGE_SIZE]
    if len(found) < PAGE_SIZE:
        return None
    return _page_of(seek(found[PAGE_SIZE // 2]), order, is_first=False)


def count_new(
    rows: Rows, *, after: UUID, loaded_at: UUID | None = None, within: KeyRange = ALL_KEYS
) -> NewActivities:
    """Count the rows newer than the row `after`, up to a cap.

    A slow request is older than fast ones that were stored before it: with `loaded_at`, a key of
    the time when the page was loaded, rows that were stored later are counted too.
    """
    newer = KeyRange.after(after)
    if loaded_at is not None:
        time = datetime_of(loaded_at)
        rows = rows.filter(Q(newer.condition) | Q(recorded_at__gt=time))
        newer = KeyRange(min(after, lowest_uuid7(time - SLOWEST)))
    newest_first = within.intersect(newer).filter(rows).order_by("-pk")
    found = list(newest_first.values_list("action_type", flat=True)[: NEW_CAP + 1])
    counted = found[:NEW_CAP]
    types = tuple(Counter(counted).most_common())
    return NewActivities(count=len(counted), capped=len(found) > NEW_CAP, types=types)


def is_empty(rows: Rows) -> bool:
    """Return True if there is no row."""
    return not rows.order_by("-pk").values_list("pk", flat=True)[:1]


def one(rows: Rows, pk: UUID, *, with_payload: bool) -> ActivityLog | None:
    """Return one row with all columns, or None. Without the payload, attributes such as `has_data`
    tell whether there is one."""
    rows = rows.annotate(**{f"has_{name}": Q(**{f"{name}__isnull": False}) for name in PAYLOAD})
    if not with_payload:
        rows = rows.defer(*PAYLOAD)
    return rows.filter(pk=pk).first()


def adjacent(rows: Rows, pk: UUID, *, within: KeyRange = ALL_KEYS) -> Adjacent:
    """Return the rows next to a row, which need not be one of `rows` itself."""
    keys = rows.values_list("pk", flat=True)
    newer, older = within.intersect(KeyRange.after(pk)), within.intersect(KeyRange.before(pk))
    return Adjacent(
        newer=newer.filter(keys).order_by("pk").first(),
        older=older.filter(keys).order_by("-pk").first(),
    )


def stream(
    rows: Rows,
    limit: int,
    *,
    within: KeyRange = ALL_KEYS,
    without: Iterable[str] = (),
    guard: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Iterator[ActivityLog]:
    """Yield the newest rows, at most `limit`, each with the name of its object's type as
    `object_type`.

    They are read in slices, each within a `guard()`: memory stays flat, and no transaction is open
    while a client reads. Slices with the payload have fewer rows, since these may be large.
    """
    rows = rows.defer(*without).order_by("-pk")
    size = STREAM_SLICE if without else STREAM_SLICE // 10
    types: dict[int, str] = {}
    while limit > 0:
        with guard():
            found = list(within.filter(rows)[: min(limit, size)])
            types |= object_types(row for row in found if row.content_type_id not in types)
        for row in found:
            row.object_type = types.get(row.content_type_id or 0, "")  # type: ignore[attr-defined]
            yield row
        limit -= len(found)
        if len(found) < size:
            return
        within = within.intersect(KeyRange.before(found[-1].pk))


def count_up_to(rows: Rows, limit: int) -> int:
    """Return the number of rows, or `limit` if there are more."""
    return rows.values("pk")[:limit].count()


def seen_range(rows: Rows, about: Q = ANYTHING, *, last: ActivityLog | None = None) -> SeenRange:
    """Return the first and last of the rows matching `about`, by one index lookup each; `last` is
    given where it is known."""
    if last is None:
        last = next(iter(newest(rows.filter(about), 1)), None)
    return SeenRange(first=None if last is None else oldest(rows, about), last=last)


def oldest(rows: Rows, about: Q = ANYTHING) -> datetime | None:
    """Return the time of the oldest row matching `about`."""
    return oldest_first(rows.values_list("action_time", flat=True), about).first()


def related(rows: Rows, row: ActivityLog) -> tuple[ActivityLog, ...]:
    """Return the rows of the same request, the row itself included, the oldest first."""
    if not row.request_id:
        return ()
    same = rows.filter(request_id=row.request_id).only(*LISTED).order_by("pk")
    return tuple(same[:RELATED_CAP])


def object_types(rows: Iterable[ActivityLog]) -> dict[int, str]:
    """Return the names ("shop.order") of the object types of rows, by key.

    Django caches those that exist, but not that one does not.
    """
    keys = {row.content_type_id for row in rows if row.content_type_id is not None}
    types: dict[int, ContentType] = {}
    while keys:
        key = keys.pop()
        try:
            types[key] = ContentType.objects.get_for_id(key)
        except ContentType.DoesNotExist:
            # There may be more: the rest is one query.
            types |= ContentType.objects.in_bulk(keys)
            break
    return {key: f"{type_.app_label}.{type_.model}" for key, type_ in types.items()}
