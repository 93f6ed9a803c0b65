"""Keyed hashes, which distinguish values without revealing them."""

from __future__ import annotations

import hmac

from django.utils.crypto import salted_hmac

from trackmate.conf import per_settings


def keyed_hash(value: str, purpose: str) -> str:
    """Return a hash of 32 hex digits, keyed with `SECRET_KEY` and a purpose."""
    return hmac.digest(_derived_key(purpose), value.encode(errors="replace"), "sha256").hex()[:32]


def _derived_key(purpose: str) -> bytes:
    keys = _derived_keys()
    if purpose not in keys:
        keys[purpose] = salted_hmac("trackmate", purpose, algorithm="sha256").digest()
    return keys[purpose]


@per_settings
def _derived_keys() -> dict[str, bytes]:
    # Derived from SECRET_KEY.
    return {}
