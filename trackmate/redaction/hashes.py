"""Keyed hashes: what has to be told apart, but not told."""

from __future__ import annotations

import hmac

from django.utils.crypto import salted_hmac

from trackmate.conf import per_settings


def keyed_hash(value: str, purpose: str) -> str:
    """Return 32 hex digits that only this project can make of `value`, for one purpose."""
    return hmac.digest(_derived_key(purpose), value.encode(errors="replace"), "sha256").hex()[:32]


def _derived_key(purpose: str) -> bytes:
    keys = _derived_keys()
    if purpose not in keys:
        keys[purpose] = salted_hmac("trackmate", purpose, algorithm="sha256").digest()
    return keys[purpose]


@per_settings
def _derived_keys() -> dict[str, bytes]:
    # Made of SECRET_KEY, which is a setting.
    return {}
