"""The one noun of the write side: an activity, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self
from uuid import UUID

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import Model

from trackmate.clock import uuid7
from trackmate.conf import per_settings
from trackmate.db.keys import serialize_key
from trackmate.db.transactions import protected_transactions
from trackmate.enums import Source, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The object that an activity was done to, by name and not by reference."""

    model: str
    """Label of its concrete model, as in "shop.order"."""
    object_id: str
    """Its primary key as text."""
    object_repr: str = ""
    """Its text as it was then."""

    @classmethod
    def from_instance(cls, instance: Model) -> Self:
        """Describe a model instance without a query of our own."""
        concrete = instance._meta.concrete_model or type(instance)
        return cls(
            model=concrete._meta.label_lower,
            object_id=serialize_key(instance) or "",
            object_repr=safe_str(instance),
        )


class Activity(NamedTuple):
    """Who did what, when, from where, and how it went; a processor returns a changed copy.

    A tuple, since each request makes a few of these: it is made and copied in a third of the time
    that a frozen dataclass takes.
    """

    id: UUID
    """UUIDv7 made from `action_time`."""
    action_time: datetime
    """When it happened, aware."""
    source: str = Source.CUSTOM.value
    """Which capture made it."""
    action: str = ""
    """Stable name of the event, the same for success and failure: "invoice.approved"."""
    action_type: str = ""
    """One of `ActionType`, or a string of the project's own."""
    status: str = Status.SUCCESS.value
    """How it went."""
    status_code: int | None = None
    """HTTP status code."""
    execution_time: float | None = None
    """Seconds from start to end."""
    actor_id: Any = None
    """Primary key of the user who did it."""
    actor_label: str = ""
    """The actor's name as it was; also of actors that are no user, as in "cron:nightly"."""
    ip_address: str | None = None
    """Client address."""
    user_agent: str = ""
    """Client software."""
    session_hash: str = ""
    """Keyed hash of the session."""
    method: str = ""
    """HTTP method."""
    path: str = ""
    """Path of the request, without its query."""
    route: str = ""
    """URL pattern that the path matched."""
    request_id: str = ""
    """What ties together everything that one request did."""
    target: Target | None = None
    """The object it was done to."""
    remarks: str = ""
    """Free text."""
    data: Any = None
    """JSON: data of the request."""
    response: Any = None
    """JSON: data of the response."""
    changes: Any = None
    """JSON: `{field: [old, new]}`."""
    extra: Any = None
    """JSON: the rest."""

    @classmethod
    def now(cls, **values: Any) -> Self:
        """Make an activity of this moment."""
        moment = datetime.now(UTC)
        return cls(id=uuid7(moment), action_time=moment, **values)

    @classmethod
    def at(cls, moment: datetime, **values: Any) -> Self:
        """Make an activity of an aware `moment`."""
        return cls(id=uuid7(moment), action_time=moment, **values)

    def replace(self, **values: Any) -> Self:
        """Return a copy with other values. Raise ValueError or TypeError for an unknown name."""
        return self._replace(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready data for spools and queues, without what is empty."""
        values = {name: value for name, value in self._asdict().items() if value not in (None, "")}
        values["id"] = self.id.hex
        values["action_time"] = self.action_time.isoformat()
        if self.target is not None:
            values["target"] = asdict(self.target)
        if self.actor_id is not None and not isinstance(self.actor_id, int):
            values["actor_id"] = str(self.actor_id)
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return the activity of a `to_dict()`, also of another version with other names in it.

        Raise KeyError, TypeError, ValueError or AttributeError for other data.
        """
        target = values.get("target")
        return cls(
            **{
                **{name: value for name, value in values.items() if name in cls._fields},
                "id": UUID(values["id"]),
                "action_time": datetime.fromisoformat(values["action_time"]),
                "target": Target(**target) if target else None,
            }
        )


def describe_actor(who: Any) -> tuple[Any, str]:
    """Return key and label of an actor: of a user, or of a name such as "cron:nightly"."""
    if isinstance(who, str):
        return None, who
    if getattr(who, "is_anonymous", False):
        return None, ""
    named = getattr(who, "get_username", None)
    return _user_pk(who), safe_str(named() if named else who)


def _user_pk(who: Any) -> Any:
    """Return the key that names `who` among the project's users, or None."""
    model, key = _user_model(), getattr(who, "pk", None)
    if key is None or isinstance(who, model):
        return key
    if isinstance(who, Model):
        # The key of something else would name somebody else.
        return None
    try:
        # What a token stands for knows the key of its user.
        return model._meta.pk.to_python(key)
    except ValidationError:
        return None


@per_settings
def _user_model() -> type[Model]:
    return get_user_model()


def as_plain_str(text: Any, default: str = "") -> str:
    """Return a text as what a column takes: no lazy translation, no member of an enumeration, no
    thing that only has a text; `default` for None."""
    if type(text) is str:
        return text
    if isinstance(text, str):
        # Its characters, which for a member of an enumeration are not what it calls itself.
        return str.__str__(text)
    return default if text is None else str.__str__(safe_str(text))


def safe_str(thing: object) -> str:
    """Return `str(thing)`; an object that cannot say its name is named by its type."""
    if type(thing) is str:
        return thing
    try:
        with protected_transactions():
            return str(thing)
    except Exception:  # noqa: BLE001 (a broken __str__ must not cost the activity)
        key = getattr(thing, "pk", None)
        return f"{type(thing).__name__} ({key})"
