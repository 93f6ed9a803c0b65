"""Recorded values as the fields of models have them: every type, and what is refused."""

import datetime as dt
import json
from decimal import Decimal
from uuid import UUID

import pytest
from django.contrib.postgres.fields import ArrayField
from django.db import models

from trackmate.capture.model_changes.columns.values import serialize_value
from trackmate.dashboard.undo.values import (
    UnknownValueError,
    describe_value,
    holds_value,
    is_known,
    restore_value,
)
from trackmate.history import is_complete

KEY = UUID("0192c0de-0000-7000-8000-000000000000")


class Point:
    """A value of a project's own type, which knows no equality."""

    def __init__(self, x, y):
        self.x, self.y = x, y


class PointField(models.CharField):
    def to_python(self, value):
        return value if isinstance(value, Point) else Point(*map(int, value.split(",")))

    def get_prep_value(self, value):
        return f"{value.x},{value.y}"

    def value_to_string(self, instance):
        return self.get_prep_value(self.value_from_object(instance))


class ComplexDecoder(json.JSONDecoder):
    def decode(self, text):
        return {name: Decimal(value) for name, value in super().decode(text).items()}


class ComplexEncoder(json.JSONEncoder):
    def default(self, value):
        return str(value)


VALUES = [
    (models.BinaryField(), b"\0\xff"),
    (models.BooleanField(), True),
    (models.DurationField(), dt.timedelta(days=-1, seconds=5, microseconds=7)),
    (models.FloatField(), 0.1),
    (models.TimeField(), dt.time(1, 2, 3, 4)),
    (models.UUIDField(), KEY),
    (models.BigIntegerField(), -(2**63)),
    (models.DecimalField(max_digits=30, decimal_places=10), Decimal("12345678901234567890.5")),
    (models.JSONField(decoder=ComplexDecoder, encoder=ComplexEncoder), {"a": Decimal("1.5")}),
    (models.JSONField(), {"value": 1, "label": "not a label"}),
    (models.IntegerField(choices=[(1, "One")]), 1),
    (ArrayField(models.DateField()), [dt.date(2026, 1, 2), None]),
    (PointField(max_length=9), Point(1, 2)),
]


@pytest.mark.parametrize(("field", "value"), VALUES, ids=lambda each: type(each).__name__)
def test_what_is_recorded_is_what_comes_back(field, value):
    field.set_attributes_from_name("field")
    recorded = json.loads(json.dumps(serialize_value(field, value)))
    assert holds_value(field, value, recorded)
    parsed = restore_value(field, recorded)
    assert field.get_prep_value(parsed) == field.get_prep_value(value)
    json.dumps(describe_value(field, value))


@pytest.mark.parametrize(
    ("field", "present", "recorded"),
    [
        (models.FloatField(), float("nan"), "nan"),
        (models.CharField(), "1", 2),
        (models.UUIDField(), KEY, str(UUID(int=7))),
        (PointField(), Point(1, 2), "2,1"),
        (models.CharField(), None, ""),
        (models.TextField(), "x" * 10_001, "x" * 10_000),
    ],
)
def test_what_differs_is_not_the_same(field, present, recorded):
    assert not holds_value(field, present, recorded)


@pytest.mark.parametrize(
    ("field", "recorded"),
    [
        (models.BinaryField(), "not Base64"),
        (models.UUIDField(), "garbage"),
        (models.DurationField(), "soon"),
        (models.IntegerField(), {"value": {"value": 1}}),
        (models.IntegerField(), "9" * 5_000),
        (models.BooleanField(), "maybe"),
        (models.DateField(), "2026-02-30"),
        (ArrayField(models.DateField()), ["2026-02-30"]),
        (ArrayField(models.CharField()), ["[redacted]"]),
        (PointField(), "here"),
        (PointField(), [1, 2]),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(field, recorded):
    with pytest.raises(UnknownValueError):
        restore_value(field, recorded)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
def test_a_project_without_time_zones_gets_its_local_time_back(settings, zone):
    settings.USE_TZ, settings.TIME_ZONE = False, zone
    local = dt.datetime(2026, 1, 2, 3, 4)  # noqa: DTZ001 (the case)
    field = models.DateTimeField()
    assert restore_value(field, local.isoformat()) == local
    assert holds_value(field, local, local.isoformat())
    aware = "2026-01-02T00:00:00+00:00"
    hours = 5.5 if zone == "Asia/Kolkata" else 0
    assert restore_value(field, aware) == dt.datetime(2026, 1, 2) + dt.timedelta(hours=hours)  # noqa: DTZ001


@pytest.mark.parametrize(
    "value",
    ["Emma… [7 more]", "[too deep]", "[3 more]", "[9 bytes]", "[withheld: DEBUG]", "[redacted]"],
)
def test_the_history_and_undo_agree_on_what_is_no_whole_value(value):
    for recorded in (value, [value], {"text": value}):
        assert not is_complete(recorded)
        assert not is_known(recorded)
    assert is_complete(f"Emma {value[1:-1]}")
    assert is_known(f"Emma {value[1:-1]}")
