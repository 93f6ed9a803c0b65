"""Datetimes, and identifiers that contain and sort by one: UUID version 7 (RFC 9562, 5.7).

The 12 bits after the milliseconds contain their fraction (RFC 9562, 6.2, method 3), so identifiers
of one millisecond sort by time, too.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from os import urandom
from uuid import UUID

from django.utils import timezone

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_VERSION_AND_VARIANT = (7 << 76) | (2 << 62)
_RANDOM_BITS = (1 << 62) - 1


def aware(value: date) -> datetime:
    """Return a date or datetime as an aware datetime in UTC.

    A naive one is in the current time zone, a date begins at midnight. In UTC, since Python ignores
    clock changes when it subtracts datetimes of one zone.
    """
    if not isinstance(value, datetime):
        value = datetime.combine(value, time.min)
    if timezone.is_naive(value):
        value = timezone.make_aware(value)
    try:
        return value.astimezone(UTC)
    except OverflowError:
        # Hours of the first and the last day are out of range in UTC.
        return value


def from_wall_clock(wall: datetime, *, is_end: bool = False) -> datetime:
    """Return the datetime at which clocks of the current time zone show a naive one.

    If that hour occurs twice, a range starts with the first and ends with the second. If it is
    skipped, the offset before the clock change is used.
    """
    first = timezone.make_aware(wall.replace(fold=0))
    return aware(wall.replace(fold=1) if is_end and is_repeated(first) else wall.replace(fold=0))


def is_repeated(local: datetime) -> bool:
    """Return True if this local time occurs twice, since clocks are put back."""
    first, second = local.replace(fold=0).utcoffset(), local.replace(fold=1).utcoffset()
    return first is not None and second is not None and first > second


def naive(value: datetime) -> datetime:
    """Return a datetime as the local one that Django stores if `USE_TZ` is False."""
    return timezone.make_naive(value) if timezone.is_aware(value) else value


def uuid7(value: datetime) -> UUID:
    """Return a new identifier for an aware datetime."""
    return UUID(int=_clock_bits(value) | int.from_bytes(urandom(8), "big") & _RANDOM_BITS)


def lowest_uuid7(value: datetime) -> UUID:
    """Return the lowest identifier for an aware datetime: `id >= lowest` is "then or later"."""
    return UUID(int=_clock_bits(value))


def datetime_of(identifier: UUID) -> datetime:
    """Return the datetime in an identifier, in UTC, exact to the microsecond."""
    milliseconds = identifier.int >> 80
    # Rounding up undoes the rounding down of `_clock_bits`.
    microseconds = -((identifier.int >> 64 & 0xFFF) * -1000 // 4096)
    return _EPOCH + timedelta(milliseconds=milliseconds, microseconds=microseconds)


def _clock_bits(value: datetime) -> int:
    # Version 7 starts in 1970; earlier datetimes sort first.
    microseconds = max(0, (value - _EPOCH) // _MICROSECOND)
    milliseconds, rest = divmod(microseconds, 1000)
    return milliseconds << 80 | (rest * 4096 // 1000) << 64 | _VERSION_AND_VARIANT
