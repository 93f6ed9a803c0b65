"""Merging what several signals and log entries describe: one act on one object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import Any

from trackmate.activity import Activity
from trackmate.enums import ActionType, Source, Status

LOGINS = frozenset({ActionType.LOGIN.value, ActionType.LOGOUT.value, ActionType.LOGIN_FAILED.value})

_SAME_ACTS = (
    ("auth.user.create", "auth.signup"),
    ("auth.password.change", "auth.password.set", "auth.password.reset"),
)
"""Actions that are one if they happen to one account in one request; the last is the most exact."""

_RANKS = {name: (act, rank) for act in _SAME_ACTS for rank, name in enumerate(act)}


def join_entries(events: Sequence[Activity]) -> list[Activity]:
    """Return the events with one entry of the admin's logs for each object.

    Wagtail logs that a page was created, and that it was published. The action is that of
    a creation or deletion, else of the last entry; `extra` has the actions of all.
    """
    entries: dict[tuple[str, str], list[Activity]] = {}
    for each in events:
        if each.source == Source.ADMIN and each.target is not None:
            entries.setdefault(object_of(each), []).append(each)
    joined = {each.id: _join(several) for several in entries.values() for each in several[:1]}
    left_out = {each.id for several in entries.values() for each in several[1:]}
    return [joined.get(each.id, each) for each in events if each.id not in left_out]


def _join(entries: Sequence[Activity]) -> Activity:
    if len(entries) == 1:
        return entries[0]
    weighty = [
        each for each in entries if each.action_type in (ActionType.CREATE, ActionType.DELETE)
    ]
    main = (weighty or entries)[-1]
    actions = list(dict.fromkeys(each.action for each in entries))
    extra = merge_documents(each.extra for each in entries)
    return main.replace(
        remarks="; ".join(dict.fromkeys(each.remarks for each in entries if each.remarks)),
        changes=merge_documents(each.changes for each in entries) or None,
        extra=(extra | {"entries": actions} if len(actions) > 1 else extra) or None,
    )


def merge_documents(documents: Iterable[Any]) -> dict[str, Any]:
    """Return the keys of all dictionaries, with the value of the last one that has it."""
    merged: dict[str, Any] = {}
    for each in documents:
        merged.update(each or {})
    return merged


def merge_events(events: Sequence[Activity]) -> list[Activity]:
    """Return the activities of a request with one event for each act on an account.

    A package reports a new password, the user is saved with it, and the admin's log has an entry:
    that is one event. Groups that were added and removed again are none.
    """
    merged: dict[Any, Activity] = {}
    for event in events:
        key = _key_of_act(event)
        merged[key] = _merge(merged[key], event) if key in merged else event
    acts = [each for each in merged.values() if not _is_undone(each)]
    return _add_entries(acts)


def _key_of_act(event: Activity) -> Any:
    if not _is_account_event(event) or event.status == Status.FAILED:
        # Each attempt counts: a request can try many codes.
        return event.id
    extra = sorted((event.extra or {}).items())
    return (_act(event), object_of(event), event.status, str(extra))


def _is_account_event(event: Activity) -> bool:
    return (
        event.source == Source.AUTH and event.action_type not in LOGINS and event.target is not None
    )


def _act(event: Activity) -> Any:
    return _RANKS.get(event.action, (event.action, 0))[0]


def _rank(event: Activity) -> int:
    return _RANKS.get(event.action, (event.action, 0))[1]


def object_of(activity: Activity) -> tuple[str, str]:
    """Return model and key of what an activity is about."""
    return activity.target.identity if activity.target else ("", "")


def _merge(event: Activity, later: Activity) -> Activity:
    named = max(event, later, key=_rank)
    return event.replace(
        action=named.action,
        action_type=named.action_type,
        changes=_net(event.changes or {}, later.changes or {}) or None,
        remarks=event.remarks or later.remarks,
    )


def _net(changes: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """Return two changes as one, from the first old to the last new value."""
    net = {**changes, **later}
    for name in changes.keys() & later.keys():
        if isinstance(later[name], Mapping):
            net[name] = net_members(changes[name], later[name])
        else:
            net[name] = [changes[name][0], later[name][1]]
    return net


def net_members(changes: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, list[Any]]:
    added, removed = changes["added"], changes["removed"]
    return {
        "added": [
            *(each for each in added if each not in later["removed"]),
            *(each for each in later["added"] if each not in (*added, *removed)),
        ],
        "removed": [
            *(each for each in removed if each not in later["added"]),
            *(each for each in later["removed"] if each not in (*added, *removed)),
        ],
    }


def _is_undone(event: Activity) -> bool:
    """Return True if an event's changes cancel each other out."""
    if event.source != Source.AUTH or not event.changes:
        return False
    return all(
        not (change["added"] or change["removed"])
        if isinstance(change, Mapping)
        else change[0] == change[1]
        for change in event.changes.values()
    )


def _add_entries(activities: list[Activity]) -> list[Activity]:
    """Return them with the entries of the admin's log added to the events about the same object."""
    events = {object_of(each): each for each in reversed(activities) if _is_account_event(each)}
    entries: dict[Any, list[Activity]] = {}
    rest = []
    for each in activities:
        event = events.get(object_of(each)) if each.source == Source.ADMIN else None
        if event is None:
            rest.append(each)
        else:
            entries.setdefault(event.id, []).append(each)
    return [reduce(_add_entry, entries.get(each.id, ()), each) for each in rest]


def _add_entry(event: Activity, entry: Activity) -> Activity:
    # The admin's log knows the names of groups.
    return event.replace(
        changes=merge_documents([event.changes, entry.changes]) or None,
        extra=merge_documents([event.extra, entry.extra]) or None,
        remarks=event.remarks or entry.remarks,
        reason=event.reason or entry.reason,
    )
