"""An activity as plain data: what the write side passes along."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self
from uuid import UUID

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.utils.translation import gettext

from trackmate.clock import uuid7
from trackmate.conf import get_settings, load_dotted
from trackmate.db.keys import serialize_key
from trackmate.db.transactions import QueryNotAllowedError, no_queries, protected_transactions
from trackmate.diagnostics import report, summarize_error
from trackmate.enums import Source, Status

HASHED = "sha256:"
"""What the label of an unknown account starts with, if its identifier is hashed."""
_HASHED_LABEL = re.compile(rf"{HASHED}[0-9a-f]{{32}}")
"""Not the digest of a file or of an image, which has 64 digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The object of an activity, as its model, key and text."""

    model: str
    """Label of its concrete model, as in "shop.order"."""
    object_id: str
    """Its primary key as text."""
    object_repr: str = ""
    """Its `str()` at the time."""

    @property
    def identity(self) -> tuple[str, str]:
        """Model and key, whatever the object is called."""
        return self.model, self.object_id

    @classmethod
    def from_instance(cls, instance: Model) -> Self:
        """Return the target for a model instance."""
        return cls._named(instance, safe_str)

    @classmethod
    def without_query(cls, instance: Model) -> Self:
        """Return the target for a model instance; named "Order (7)" if `str()` needs a query."""
        with no_queries():
            # There is nothing to protect.
            return cls._named(instance, _str_or_key)

    @classmethod
    def _named(cls, instance: Model, to_text: Callable[[object], str]) -> Self:
        return cls(
            model=label_of(instance.__class__),  # of a lazy object, such as `request.user`, too
            object_id=serialize_key(instance) or "",
            object_repr=_name_of(instance, to_text),
        )


class Activity(NamedTuple):
    """Who did what, when, from where, and how it went.

    Immutable; a processor returns a copy. A tuple is created and copied three times as fast as a
    frozen dataclass.
    """

    id: UUID
    """UUIDv7 made from `action_time`."""
    action_time: datetime
    """When it happened, as an aware datetime."""
    source: str = Source.CUSTOM.value
    """A `Source`: what recorded it."""
    action: str = ""
    """Stable name of the event, the same for success and failure: "invoice.approved"."""
    action_type: str = ""
    """An `ActionType`, or a custom string."""
    status: str = Status.SUCCESS.value
    """A `Status`."""
    status_code: int | None = None
    """HTTP status code."""
    execution_time: float | None = None
    """Seconds from start to end."""
    actor_id: Any = None
    """Primary key of the user who did it."""
    actor_label: str = ""
    """The actor's name at the time, also for actors without a user, such as "cron:nightly"."""
    impersonator_id: Any = None
    """Primary key of the user who acts as the actor."""
    impersonator_label: str = ""
    """The name of that user at the time."""
    tenant: str | None = None
    """The tenant, in a project with several."""
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
    """Shared by all activities of one request."""
    trace_id: str = ""
    """The trace that it is a part of: 32 hex digits (W3C Trace Context)."""
    target: Target | None = None
    """The object."""
    remarks: str = ""
    """Free text."""
    reason: str = ""
    """Why it was done, in the words of whoever did it."""
    data: Any = None
    """JSON: request data."""
    response: Any = None
    """JSON: response data."""
    changes: Any = None
    """JSON: `{field: [old, new]}`."""
    extra: Any = None
    """JSON: additional values."""

    @classmethod
    def now(cls, **values: Any) -> Self:
        """Create an activity with the current time."""
        return cls.at(datetime.now(UTC), **values)

    @classmethod
    def at(cls, action_time: datetime, **values: Any) -> Self:
        """Create an activity with an aware `action_time`."""
        return cls(id=uuid7(action_time), action_time=action_time, **values)

    @property
    def has_actor(self) -> bool:
        """Return True if it has a user, or the name of another actor."""
        return self.actor_id is not None or bool(self.actor_label)

    @property
    def has_impersonator(self) -> bool:
        """Return True if somebody acts as its actor."""
        return self.impersonator_id is not None or bool(self.impersonator_label)

    def replace(self, **values: Any) -> Self:
        """Return a copy with other values. Raise ValueError or TypeError for an unknown field."""
        return self._replace(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return its non-empty values as JSON-ready data, for spools and queues."""
        values = {name: value for name, value in self._asdict().items() if value not in (None, "")}
        values["id"] = self.id.hex
        values["action_time"] = self.action_time.isoformat()
        if self.target is not None:
            values["target"] = asdict(self.target)
        for name in ("actor_id", "impersonator_id"):
            if (key := values.get(name)) is not None and not isinstance(key, int):
                values[name] = str(key)
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Create an activity from the result of `to_dict()`, ignoring unknown names.

        Raise KeyError, TypeError, ValueError or AttributeError for invalid data.
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


def label_of(model: type[Model]) -> str:
    """Return the label of a model, or of the one that it is a proxy of: "shop.order"."""
    return (model._meta.concrete_model or model)._meta.label_lower


def describe_actor(actor: Any) -> tuple[Any, str]:
    """Return the primary key and the label of an actor: a user, or a name like "cron:nightly"."""
    if isinstance(actor, str):
        return None, actor
    if getattr(actor, "is_anonymous", False):
        return None, ""
    return _user_pk(actor), _label_of(actor)


def _name_of(instance: Model, to_text: Callable[[object], str]) -> str:
    """Return the text of an object; of a user, the same as for an actor."""
    is_named_user = get_settings().ACTOR_LABEL is not None and isinstance(
        instance, get_user_model()
    )
    return _label_of(instance) if is_named_user else to_text(instance)


def _label_of(actor: Any) -> str:
    """Return what `ACTOR_LABEL` calls an actor, else its user name."""
    label_of: Any = get_settings().ACTOR_LABEL
    if label_of is not None:
        try:
            with protected_transactions():
                label = load_dotted(label_of)(actor)
        except QueryNotAllowedError:
            pass
        except Exception as error:  # noqa: BLE001 (a project's code)
            report("failed", f"ACTOR_LABEL: {summarize_error(error)}")
        else:
            if label:
                return as_plain_str(label)
    get_username = getattr(actor, "get_username", None)
    return safe_str(get_username() if get_username else actor)


def is_hashed(label: str) -> bool:
    """Return True if a label is the hash of an unknown account."""
    return _HASHED_LABEL.fullmatch(label) is not None


def actor_name(label: str) -> str:
    """Return an actor's label as people read it: "Unknown account (6fc8)" for a hash."""
    if not is_hashed(label):
        return label
    return gettext("Unknown account (%(hash)s)") % {"hash": label.removeprefix(HASHED)[:4]}


def _user_pk(actor: Any) -> Any:
    """Return the primary key of the user that `actor` is or represents, or None."""
    model, key = get_user_model(), getattr(actor, "pk", None)
    if key is None or isinstance(actor, model):
        return key
    if isinstance(actor, Model):
        # The key of another model would be that of somebody else.
        return None
    try:
        # Token users, such as simplejwt's, have the key of their user.
        return model._meta.pk.to_python(key)
    except ValidationError:
        return None


def as_plain_str(text: Any, default: str = "") -> str:
    """Return `text` as an exact `str`, for enum members, lazy translations and other objects too.

    Return `default` for None.
    """
    if isinstance(text, str):
        # The value of an enum member, not its name.
        return str.__str__(text)
    return default if text is None else str.__str__(safe_str(text))


def safe_str(value: object) -> str:
    """Return `str(value)`, or its type and primary key if that raises an error."""
    if type(value) is str:
        return value
    try:
        with protected_transactions():
            return str(value)
    except Exception:  # noqa: BLE001 (a broken __str__ must not cost the activity)
        return type_and_key(value)


def _str_or_key(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 (as above, or a query)
        return type_and_key(value)


def type_and_key(value: object) -> str:
    """Return the name of an object that has no other: "Order (7)"."""
    try:
        key = getattr(value, "pk", None)
    except Exception:  # noqa: BLE001 (any attribute of a lazy object)
        key = None
    return f"{type(value).__name__} ({key})"
