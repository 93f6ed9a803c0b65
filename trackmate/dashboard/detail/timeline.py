"""The recorded changes of an object as a timeline, one entry for each request."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib.contenttypes.models import ContentType
from django.db.models import Q
from django.urls import reverse

from trackmate.dashboard import formatting
from trackmate.dashboard.cells import badge
from trackmate.dashboard.db.results import QueryResult, run_query
from trackmate.dashboard.detail.diff import Differ, parse_changes
from trackmate.dashboard.detail.object_state import ObjectState, build_state
from trackmate.dashboard.entities import actor_value, entity_url, with_query
from trackmate.dashboard.forms.pagination import TimelineForm
from trackmate.dashboard.http import permissions
from trackmate.enums import Source
from trackmate.models.object_keys import ObjectKey
from trackmate.selectors import LISTED, KeyRange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from uuid import UUID

    from django.http import HttpRequest
    from django.utils.safestring import SafeString

    from trackmate.dashboard.detail.diff import Change
    from trackmate.dashboard.entities import EntityPage
    from trackmate.models import ActivityLog
    from trackmate.selectors import Rows

ENTRIES = 10
"""Entries of one page."""
MAX_OF_REQUESTS = 200
"""Rows of the requests of one page, which usually have one or two each."""

PARTS_OF_REQUEST = frozenset({Source.REQUEST, Source.ADMIN, Source.MODEL})
"""Sources of rows that say the same of one request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectChange:
    """What one activity changed."""

    badge: SafeString
    action: str
    fields: str
    """The names of the fields."""
    changes: tuple[Change, ...] = ()
    """Without the permission to see them: none."""
    undo_url: str = ""
    """The address for putting it back, for those who may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one request, or anything else, did to the object."""

    row: ActivityLog
    """The activity that says most: the request's, else the newest change."""
    time: SafeString
    actor_url: str
    changes: tuple[ObjectChange, ...]
    at: UUID | None = None
    """The newest recorded change; None where no state of the object is known."""
    at_url: str = ""
    """This page with the state after it, or without if it is shown."""
    at_fragment: str = ""
    """The address of the timeline alone."""
    state: ObjectState | None = None
    """The state after it, if it is asked for."""

    @property
    def has_several(self) -> bool:
        """Whether it has several changes, so that each button has to name its own."""
        return len(self.changes) > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """One page of the changes of an object, the newest first."""

    entries: tuple[Entry, ...]
    with_payload: bool
    older: tuple[str, str] | None = None
    """The next page and its fragment, if there is one."""
    newest: tuple[str, str] | None = None
    """The first page and its fragment, on any other."""
    error: str = ""
    """What is wrong with the address."""


def load_timeline(
    rows: Rows,
    page: EntityPage,
    request: HttpRequest,
    params: Mapping[str, str],
    undo_url: Callable[[ActivityLog], str],
) -> QueryResult:
    """Return the timeline of the object that a page is about; its value is None for any other page,
    and for an object without recorded changes.

    `params` are the parameters of the list on the same page, which links keep. `undo_url` returns
    the address for putting back a change, "" where this person may not.
    """
    about = object_of_page(page)
    if about is None:
        return QueryResult()
    form = TimelineForm(request.GET)
    error = "" if form.is_valid() else str(next(iter(form.errors.values()))[0])
    keys = form.cleaned_data
    before = keys.get("changes_before")
    builder = _Builder(rows, about, page, request, params, undo_url, before, error)
    return run_query(partial(builder.build, keys.get("at")))


def object_of_page(page: EntityPage) -> ObjectKey | None:
    """Return the object that a page is about: "shop.order/42"."""
    label, _slash, key = page.value.partition("/")
    app_label, _dot, model = label.lower().partition(".")
    if page.type != "object" or not key:
        return None
    try:
        return ObjectKey.of_type(ContentType.objects.get_by_natural_key(app_label, model), key)
    except ContentType.DoesNotExist:
        return None


def state_url(row: ActivityLog, object_type: str) -> str:
    """Return the page of an object with its state after a recorded change; "" for other rows."""
    if row.source != Source.MODEL or not (object_type and row.object_id):
        return ""
    return entity_url("object", f"{object_type}/{row.object_id}", {"at": str(row.pk)})


def group_by_request(rows: Iterable[ActivityLog]) -> list[list[ActivityLog]]:
    """Return rows in groups, in the order of their first ones: a request with what it changed."""
    groups: dict[Any, list[ActivityLog]] = {}
    for row in rows:
        is_part = row.request_id and row.source in PARTS_OF_REQUEST
        groups.setdefault(row.request_id if is_part else row.pk, []).append(row)
    return list(groups.values())


def split_group(group: list[ActivityLog]) -> tuple[ActivityLog, list[ActivityLog]]:
    """Return the row that says most about a group, and those with its changes, the oldest first.

    What a request or a form says that it changed is in the recorded changes too.
    """
    recorded = [row for row in group if row.source == Source.MODEL]
    others = [row for row in group if row.source != Source.MODEL]
    main = others[-1] if others else group[0]
    return main, recorded[::-1] or others[::-1]


@dataclass(slots=True)
class _Builder:
    """Reads one page of a timeline: one query, and a second one for requests."""

    rows: Rows
    about: ObjectKey
    page: EntityPage
    request: HttpRequest
    params: Mapping[str, str]
    undo_url: Callable[[ActivityLog], str]
    before: UUID | None
    error: str

    def build(self, at: UUID | None) -> Timeline | None:
        """Return the page with the changes before `before`, else one with the row `at`."""
        groups, older = self._groups(self.before)
        if at is not None and self.before is None and not _contains(groups, at):
            following = KeyRange.after(at).first
            found = self._groups(following)
            if _contains(found[0], at):
                (groups, older), self.before = found, following
        if not groups and self.before is None:
            return None
        with_payload = permissions.may_see_payload(self.request)
        differ = Differ() if with_payload else None
        return Timeline(
            entries=tuple(self._entry(group, at, differ) for group in groups),
            with_payload=with_payload,
            older=None if older is None else self._links(changes_before=str(older)),
            newest=None if self.before is None else self._links(),
            error=self.error,
        )

    def _groups(self, before: UUID | None) -> tuple[list[list[ActivityLog]], UUID | None]:
        """Return the groups of a page, and the key that the next page is before."""
        rows = self.rows.filter(self.about.condition).only(
            *LISTED, "request_id", "reason", "remarks", "changes"
        )
        changed = rows.filter(Q(source=Source.MODEL) | Q(changes__isnull=False))
        within = KeyRange() if before is None else KeyRange.before(before)
        found = list(within.filter(changed).order_by("-pk")[: ENTRIES + 1])
        shown = found[:ENTRIES]
        older = shown[-1].pk if len(found) > ENTRIES else None
        requests = {row.request_id for row in shown if row.request_id}
        if requests:
            parts = rows.filter(request_id__in=requests, source__in=PARTS_OF_REQUEST)
            same = parts.order_by("-pk")[:MAX_OF_REQUESTS]
            unique = {row.pk: row for row in (*shown, *same)}
            shown = sorted(unique.values(), key=lambda row: row.pk, reverse=True)
        groups = group_by_request(shown)
        if before is not None:
            # A request that ended later is on an earlier page.
            groups = [group for group in groups if _newest_change(group) < before]
        return groups, older

    def _entry(self, group: list[ActivityLog], at: UUID | None, differ: Differ | None) -> Entry:
        main, changed = split_group(group)
        own = changed[-1].pk if changed[-1].source == Source.MODEL else None
        is_shown = own is not None and any(row.pk == at for row in group)
        position = {} if self.before is None else {"changes_before": str(self.before)}
        target = position if is_shown else {**position, "at": str(own)}
        at_url, at_fragment = self._links(**target) if own is not None else ("", "")
        return Entry(
            row=main,
            time=formatting.format_full_time(main.action_time),
            actor_url=entity_url("actor", actor_value(main)),
            changes=tuple(_object_change(row, differ, self.undo_url(row)) for row in changed),
            at=own,
            at_url=at_url,
            at_fragment=at_fragment,
            state=self._state(changed, at) if is_shown else None,
        )

    def _state(self, changed: list[ActivityLog], at: UUID | None) -> ObjectState:
        """Return the state after the change that is asked for, or after the last of its request."""
        row = next((row for row in changed if row.pk == at), changed[-1])
        return build_state(self.about, row, self.rows, self.request)

    def _links(self, **params: str) -> tuple[str, str]:
        """Return the address of the page with parameters of the timeline, and its fragment."""
        merged = {**self.params, **params}
        part = with_query(reverse("trackmate:timeline"), {**merged, **self.page.params})
        return self.page.url(merged), part


def _object_change(row: ActivityLog, differ: Differ | None, undo_url: str) -> ObjectChange:
    return ObjectChange(
        badge=badge(row.action_type),
        action=row.action or row.route,
        fields=changed_fields(row),
        changes=shortened_changes(row, differ) if differ is not None else (),
        undo_url=undo_url,
    )


def changed_fields(row: ActivityLog) -> str:
    """Return the names of the fields that a row changed."""
    changes: Any = row.changes
    names = changes if isinstance(changes, dict) else ()
    return formatting.escape_invisible(", ".join(map(str, names)))


def shortened_changes(row: ActivityLog, differ: Differ | None = None) -> tuple[Change, ...]:
    """Return the changed fields of a row, with what differs and a little around it."""
    return tuple(each.shortened for each in parse_changes(row.changes, differ))


def _contains(groups: list[list[ActivityLog]], pk: UUID) -> bool:
    return any(row.pk == pk for group in groups for row in group)


def _newest_change(group: list[ActivityLog]) -> UUID:
    """Return the key that decides on which page a group is."""
    changed = [row for row in group if row.source == Source.MODEL or row.changes is not None]
    pk: UUID = (changed or group)[0].pk
    return pk
