"""Moments in time, and identifiers that carry and sort by one: UUID version 7 (RFC 9562, 5.7).

The 12 bits behind the millisecond hold its fraction (RFC 9562, 6.2, method 3), so identifiers
made within one millisecond still sort by time, to a quarter of a microsecond.
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


def aware(moment: date) -> datetime:
    """Return `moment` as an aware time, a naive one being taken in the current time zone; a date
    stands for its first moment.

    It is in UTC: between two times of one zone Python reckons as if its clocks were never changed.
    """
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time.min)
    if timezone.is_naive(moment):
        moment = timezone.make_aware(moment)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        # The first and the last day of all have no UTC everywhere.
        return moment


def from_wall_clock(wall: datetime, *, is_end: bool = False) -> datetime:
    """Return the moment at which clocks of the current time zone show a naive time.

    Of an hour that comes twice a range begins with the first and ends with the second; an hour
    that is skipped is taken as if clocks went on as before.
    """
    first = timezone.make_aware(wall.replace(fold=0))
    return aware(wall.replace(fold=1) if is_end and is_repeated(first) else wall.replace(fold=0))


def is_repeated(local: datetime) -> bool:
    """Return True if clocks show this local time a second time, after they are put back."""
    first, second = local.replace(fold=0).utcoffset(), local.replace(fold=1).utcoffset()
    return first is not None and second is not None and first > second


def naive(moment: datetime) -> datetime:
    """Return `moment` as the local time that Django stores where `USE_TZ` is off."""
    return timezone.make_naive(moment) if timezone.is_aware(moment) else moment


def uuid7(moment: datetime) -> UUID:
    """Return a new identifier of an aware `moment`."""
    return UUID(int=_clock_bits(moment) | int.from_bytes(urandom(8), "big") & _RANDOM_BITS)


def lowest_uuid7(moment: datetime) -> UUID:
    """Return the smallest identifier of an aware `moment`: `id >= lowest` is "then or later"."""
    return UUID(int=_clock_bits(moment))


def datetime_of(identifier: UUID) -> datetime:
    """Return the moment that an identifier carries, in UTC, exact to the microsecond."""
    milliseconds = identifier.int >> 80
    # Rounding up undoes the rounding down of `_clock_bits`.
    microseconds = -((identifier.int >> 64 & 0xFFF) * -1000 // 4096)
    return _EPOCH + timedelta(milliseconds=milliseconds, microseconds=microseconds)


def _clock_bits(moment: datetime) -> int:
    # Before 1970 there is no version 7; such a moment sorts first.
    microseconds = max(0, (moment - _EPOCH) // _MICROSECOND)
    milliseconds, rest = divmod(microseconds, 1000)
    return milliseconds << 80 | (rest * 4096 // 1000) << 64 | _VERSION_AND_VARIANT
