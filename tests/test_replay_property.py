"""Whatever a project does: replaying what was recorded gives exactly what is in the tables."""

from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random

import pytest
from django.utils import timezone

from tests.library.models import (
    Audiobook,
    Author,
    Book,
    Card,
    Club,
    Edition,
    Genre,
    Membership,
    Page,
    Shelf,
)
from tests.library.random_life import Life
from trackmate.history import as_of
from trackmate.models import ActivityLog

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]

MODELS = (Author, Genre, Book, Audiobook, Edition, Page, Club, Membership, Shelf, Card)
LABELS = {each._meta.label_lower: each for each in MODELS}
LEFT_OUT = {
    Book: ["changed_at", "door_pin"],
    Audiobook: ["changed_at", "door_pin"],
}
"""A time that each save sets is no change by itself, and a secret has no values."""


@pytest.fixture
def life(request, registered):
    for model in MODELS:
        registered(model, exclude=LEFT_OUT.get(model, ()))
    return Life(request.param)


lives = pytest.mark.parametrize("life", range(8), indirect=True)


# --- what is in the tables ---------------------------------------------------------------------


def tables():
    """Return `{label: {key: {field: value}}}` of everything there is, as JSON has it."""
    return {label: rows_of(model) for label, model in LABELS.items()}


def rows_of(model):
    return {str(each.pk): state_of(model, each) for each in model._base_manager.all()}


def state_of(model, instance):
    columns = {
        each.name: plain(getattr(instance, each.attname))
        for each in model._meta.local_concrete_fields
        if each.name in own_columns(model)
    }
    members = {
        each.name: {plain(other.pk) for other in getattr(instance, each.name).all()}
        for each in own_members(model)
    }
    return columns | members


def own_members(model):
    """Return the many-to-many fields whose rows are no objects of their own."""
    return [
        each
        for each in model._meta.local_many_to_many
        if each.remote_field.through._meta.auto_created
    ]


def plain(value):
    """Return a value as it is recorded, by rules of this test's own."""
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if hasattr(value, "storage"):
        return value.name or None
    return value


# --- what was recorded -------------------------------------------------------------------------


def recorded():
    return list(ActivityLog.objects.filter(source="model").order_by("id"))


class Replay:
    """The tables as the recorded changes say that they are."""

    def __init__(self):
        self.tables = {label: {} for label in LABELS}

    def apply(self, row):
        """Make a change. Raise AssertionError if it does not fit what was there."""
        label, verb = row.action.rsplit(".", 1)
        assert row.object_id, f"about no object: {row.extra}"
        table, columns = self.tables[label], own_columns(LABELS[label])
        if verb == "create":
            assert row.object_id not in table, "was there already"
            empty = dict.fromkeys(columns) | {
                each.name: set() for each in own_members(LABELS[label])
            }
            table[row.object_id] = empty
        assert row.object_id in table, "is not there"
        state = table[row.object_id]
        for name, change in row.changes.items():
            if name in columns:
                old, new = map(bare, change)
                assert state[name] == old, f"{name} was {state[name]!r}"
                state[name] = new
            elif name in state:
                self.change_members(state[name], change)
        if verb == "delete":
            assert all(state[name] is None for name in columns), f"keeps {state}"
            del table[row.object_id]
            self.leave(LABELS[label], row.object_id)

    def change_members(self, members, change):
        removed, added = ({each["value"] for each in change[side]} for side in ("removed", "added"))
        assert removed <= members, f"were {members}"
        assert not added & (members - removed), f"were {members}"
        members -= removed
        members |= added

    def leave(self, model, key):
        """Take a deleted object out of all relations, as the database does."""
        for label, owner in LABELS.items():
            for field in own_members(owner):
                if field.related_model is model:
                    for state in self.tables[label].values():
                        state[field.name] = {each for each in state[field.name] if str(each) != key}


def own_columns(model):
    """Return the names of the recorded columns of a model's own table; the key is no value."""
    columns = [each for each in model._meta.local_concrete_fields if not each.primary_key]
    return {each.name for each in columns} - {*LEFT_OUT.get(model, ())}


def bare(value):
    """Return a value without its label."""
    is_labelled = isinstance(value, dict) and "value" in value and set(value) <= {"value", "label"}
    return value["value"] if is_labelled else value


def differences(replayed, stored):
    """Return what is not as it was recorded, a line each."""
    for label, table in stored.items():
        for key in sorted(table.keys() | replayed[label].keys()):
            then, now = replayed[label].get(key), table.get(key)
            if then is None or now is None:
                yield f"{label} {key}: recorded {then}, stored {now}"
                continue
            for name in now:
                if then[name] != now[name]:
                    yield f"{label} {key} {name}: recorded {then[name]!r}, stored {now[name]!r}"


def explain(life, start=0, *more):
    """Return what has been done, for whoever has to find a fault."""
    return "\n".join(["", *life.done[start:], *map(str, more)])


def describe(row):
    return f"{row.action} {row.object_id} {row.changes} {row.extra}"


@lives
def test_replaying_what_was_recorded_gives_what_is_there(life):
    replay = Replay()
    for _ in range(60):
        life.step()
    for row in recorded():
        try:
            replay.apply(row)
        except AssertionError as error:
            pytest.fail(explain(life, 0, describe(row), error))
    assert [*differences(replay.tables, tables())] == [], explain(life)


@lives
def test_each_step_records_exactly_what_it_has_changed(life):
    replay, seen = Replay(), set()
    for _ in range(40):
        start = len(life.done)
        life.step()
        rows = [row for row in recorded() if row.id not in seen]
        for row in rows:
            seen.add(row.id)
            try:
                replay.apply(row)
            except AssertionError as error:
                pytest.fail(explain(life, start, *map(describe, rows), describe(row), error))
        found = [*differences(replay.tables, tables())]
        assert found == [], explain(life, start, *map(describe, rows))


@lives
def test_no_row_is_without_a_change(life):
    for _ in range(40):
        life.step()
    for row in recorded():
        assert row.changes, explain(life, 0, describe(row))
        for name, change in row.changes.items():
            if isinstance(change, list):
                assert bare(change[0]) != bare(change[1]), explain(life, 0, describe(row))
            else:
                assert change["added"] or change["removed"], explain(life, 0, describe(row))
            assert name not in {"changed_at", "door_pin"}


@lives
def test_the_state_at_each_earlier_time_is_what_was_in_the_tables_then(life):
    random, then, seen = Random(0), [], set()
    for _ in range(30):
        life.step()
        now = tables()
        then.append((timezone.now(), len(life.done), now))
        seen |= {(label, key) for label, table in now.items() for key in table}
    for moment, end, stored in then:
        for label, key in random.sample(sorted(seen), min(12, len(seen))):
            expected = stored[label].get(key)
            found = as_of((LABELS[label], key), moment)
            if found is not None:
                found = {name: plain_past(found.get(name)) for name in expected or found}
            assert found == expected, explain(life, 0, f"at step {end}: {label} {key}")


def plain_past(value):
    """Return a value of an earlier state like those of tables."""
    if isinstance(value, list) and all(hasattr(each, "key") for each in value):
        return {each.key for each in value}
    return plain(value.key if hasattr(value, "key") else value)
