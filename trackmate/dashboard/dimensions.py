"""Dimensions: what activities can be searched, shown, counted and exported by.

Each is declared once. Its filter, column, facet, suggestions, export columns, entity page and
filter in the admin are made from the declaration. Projects add their own in
`TRACKMATE["DIMENSIONS"]`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model
from django.utils.module_loading import import_string
from django.utils.text import Truncator, capfirst
from django.utils.translation import gettext_lazy as _

from trackmate.conf import get_settings, per_settings
from trackmate.dashboard import cells, lookups, time_syntax
from trackmate.enums import OTHER, ActionType, Source, Status
from trackmate.selectors import CLOCK, PAYLOAD

if TYPE_CHECKING:
    from django.db.models import Q

    from trackmate.conf import Dotted
    from trackmate.dashboard.cells import CellContext
    from trackmate.models import ActivityLog

logger = logging.getLogger("trackmate")

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")

VIEW_PAYLOAD = "trackmate.view_payload"

RESERVED = frozenset(
    (
        *("q", "range", "start", "end", "sort", "columns", "density", "zone", "times"),
        *("page", "before", "after", "row", "since", "loaded_at", "open"),
        *("filters", "extended", "blank", "at", "changes_before"),
    )
)
"""Query parameters of the dashboard, which no dimension can be named like."""

FIRST_COLUMN = "time"
"""Always shown, and first: it links to the activity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """One thing that an activity has: its actor, its route, its address.

    `name` and `label` are enough for a column of the log; `Dimension(name="country",
    label=_("Country"), lookup="extra__country")` is one for a key in `extra`.
    """

    name: str
    """The query parameter of its filter, and the name of its column."""
    label: Any
    """What people read; translatable."""
    lookup: str = ""
    """Where its value is: a field ("route"), or a key of a JSON field ("extra__country")."""
    fields: tuple[str, ...] = ()
    """The fields of `ActivityLog` that its cell reads. Default: the one of `lookup`."""

    keys: tuple[str, ...] = ()
    """Its names in the query line, the preferred one first. Default: `name`."""
    parser: Callable[[str], Q] | None = None
    """Returns the condition that a text means, or raises ValidationError. Default: the value is
    exactly the text."""
    accepts_several: bool = True
    """Whether `name:a,b` means either of two values; if not, a comma is part of the value."""

    in_form: bool = True
    """Whether the form has a field for it."""
    choices: tuple[tuple[str, Any], ...] = ()
    """Values to choose from, with their labels; others are valid unless `parser` refuses them.
    Without any, the field is a text."""
    max_length: int = 255
    help_text: Any = ""

    cell: Callable[[ActivityLog, CellContext], Any] | None = None
    """Returns the content of its column. Default: the value, linked to its filter."""
    is_column: bool = True
    is_default_column: bool = False
    """Whether lists show the column until somebody chooses others."""
    sort_field: str = ""
    """The field that lists can be sorted by."""

    facet_fields: tuple[str, ...] | None = None
    """The lookups whose values are counted beside a list. Default: `lookup`."""
    hides_empty_facet: bool = False
    """Whether nothing is shown where there are no values to count."""
    suggested: Callable[..., str] | None = None
    """Returns the text to suggest for values of `suggested_fields`, "" for none."""
    suggested_fields: tuple[str, ...] | None = None
    """The lookups whose values are suggested. Default: `lookup`."""
    suggested_values: tuple[str, ...] = ()
    """Values that are always suggested, whether or not they occur."""
    export_fields: tuple[str, ...] | None = None
    """Its columns in an export: fields, or its own name for the value. Default: `name`."""

    has_page: bool = False
    """Whether there is a page about each of its values."""
    shows_all_time: Callable[[str], bool] = lambda _value: False
    """Whether the page about a value is not limited in time."""
    in_admin: bool = False
    """Whether the admin has a filter for it."""
    permission: str = ""
    """What people need to see it, as in `has_perm()`: "shop.view_country". Default for one that
    reads the payload: "trackmate.view_payload".

    The page of an activity and its export show all of `extra` to everyone.
    """

    def __post_init__(self) -> None:
        default = (self.lookup,) if self.lookup else ()
        self._default("fields", tuple(each.partition("__")[0] for each in default))
        self._default("keys", (self.name,))
        self._default("parser", lookups.exact_parser(self.lookup) if self.lookup else None)
        self._default("cell", self._value_cell if self.lookup else None)
        self._default("facet_fields", default, unset=None)
        self._default("suggested_fields", default, unset=None)
        self._default("export_fields", (self.name,) if self.lookup else (), unset=None)
        self._default("permission", VIEW_PAYLOAD if self._reads_payload() else "", unset="")

    def _reads_payload(self) -> bool:
        lookups = (self.facet_fields, self.suggested_fields, self.export_fields)
        named = (*self.fields, self.lookup, self.sort_field, *chain(*filter(None, lookups)))
        return not {each.partition("__")[0] for each in named}.isdisjoint(PAYLOAD)

    def _default(self, name: str, value: Any, *, unset: Any = ()) -> None:
        if getattr(self, name) in (unset, None):
            object.__setattr__(self, name, value)

    @property
    def key(self) -> str:
        """Its name in the query line."""
        return self.keys[0]

    @property
    def is_param(self) -> bool:
        """Return True if there is a query parameter for it, in the form or not."""
        return self.parser is not None and self.name != FIRST_COLUMN

    @property
    def is_built_in(self) -> bool:
        """Return True if it is not a project's."""
        return BUILT_IN.get(self.name) is self

    def value_of(self, row: ActivityLog) -> Any:
        """Return the value that a row has; None where a part of the lookup is missing."""
        field, *path = self.lookup.split("__")
        value: Any = getattr(row, field)
        for key in path:
            if isinstance(value, Model):
                value = getattr(value, key, None)
            else:
                value = value.get(key) if isinstance(value, Mapping) else None
        return value

    def can_filter(self, value: str) -> bool:
        """Return True if a link can filter by a value; blanks around one would get lost."""
        return bool(value) and value == value.strip() and len(value) <= self.max_length

    def label_for(self, value: str) -> str:
        """Return what people read for a value."""
        return str(dict(self.choices).get(value, value))

    def _value_cell(self, row: ActivityLog, context: CellContext) -> Any:
        value = self.value_of(row)
        if value in (None, ""):
            return cells.EMPTY
        # As databases write the values of JSON: "true", "1.5".
        text = value if isinstance(value, str) else json.dumps(value, cls=DjangoJSONEncoder)
        if isinstance(value, (list, dict)) or not self.can_filter(text):
            return cells.shorten(Truncator(text).chars(self.max_length))
        return context.link(self.name, text, text)


def _suggest_actor(key: Any, label: str, method: str, action_type: str) -> str:
    if label or key is not None:
        return _suggest_person(key, label)
    return "unknown" if action_type == ActionType.LOGIN_FAILED else method and "anonymous"


def _suggest_person(key: Any, label: str) -> str:
    return label or ("" if key is None else f"#{key}")


_DECLARED = (
    Dimension(
        name=FIRST_COLUMN,
        label=_("Time"),
        fields=("action_time",),
        keys=("created", "time"),
        parser=lambda text: time_syntax.parse_range(text).condition,
        accepts_several=False,
        in_form=False,
        cell=cells.render_time,
        is_default_column=True,
        sort_field=CLOCK,
        suggested_values=("-15m..", "-1h..", "-24h..", "-7d..", "-30d..", "today", "yesterday"),
        export_fields=("action_time", "recorded_at"),
    ),
    Dimension(
        name="actor",
        label=_("Actor"),
        fields=(
            *("actor", "actor_label", "impersonator", "impersonator_label"),
            *("method", "action_type"),
        ),
        keys=("actor", "user"),
        parser=lookups.parse_actor,
        help_text=_("Username, ID or part of a name"),
        cell=cells.render_actor,
        is_default_column=True,
        sort_field="actor_label",
        facet_fields=("actor", "actor_label"),
        suggested=_suggest_actor,
        suggested_fields=("actor_id", "actor_label", "method", "action_type"),
        export_fields=("actor_id", "actor_label"),
        has_page=True,
        in_admin=True,
    ),
    Dimension(
        name="impersonator",
        label=_("Impersonator"),
        fields=("impersonator", "impersonator_label"),
        keys=("as", "impersonator"),
        parser=lookups.parse_impersonator,
        help_text=_("Whoever acted as somebody else, or as whom"),
        cell=cells.render_impersonator,
        facet_fields=(),
        suggested=_suggest_person,
        suggested_fields=("impersonator_id", "impersonator_label"),
        export_fields=("impersonator_id", "impersonator_label"),
    ),
    Dimension(
        name="tenant",
        label=_("Tenant"),
        lookup="tenant",
        max_length=64,
        help_text=_("Exact name of a tenant"),
        hides_empty_facet=True,
    ),
    Dimension(
        name="action",
        label=_("Action"),
        lookup="action",
        fields=("action_type", "action", "route"),
        help_text=_("Exact name, e.g. invoice.approved"),
        cell=cells.render_action,
        is_default_column=True,
        facet_fields=(),
    ),
    Dimension(
        name="action_type",
        label=_("Action type"),
        lookup="action_type",
        keys=("type", "action_type"),
        parser=lookups.parse_action_type,
        choices=(*ActionType.choices, (OTHER, _("Other"))),
        max_length=32,
        is_column=False,
        suggested_values=(*ActionType.values, OTHER),
        in_admin=True,
    ),
    Dimension(
        name="object",
        label=_("Object"),
        fields=("content_type", "object_id", "object_repr"),
        parser=lookups.parse_object,
        max_length=400,
        help_text=_("shop.order/42, or shop.order for all"),
        cell=cells.render_object,
        is_default_column=True,
        suggested_fields=("content_type",),
        export_fields=("object_type", "object_id", "object_repr"),
        has_page=True,
        shows_all_time=lambda value: "/" in value,
        in_admin=True,
    ),
    Dimension(
        name="path",
        label=_("Path"),
        lookup="path",
        fields=("method", "path"),
        parser=lookups.parse_path,
        accepts_several=False,
        max_length=2048,
        help_text=_("Starts with “/”: prefix. Otherwise: any part. “*” stands for anything."),
        cell=cells.render_path,
        is_default_column=True,
        facet_fields=(),
    ),
    Dimension(
        name="method",
        label=_("Method"),
        lookup="method",
        parser=lookups.parse_method,
        choices=tuple((name, name) for name in METHODS),
        max_length=16,
        is_column=False,
        suggested_values=METHODS,
    ),
    Dimension(
        name="status",
        label=_("Status"),
        lookup="status",
        fields=("status", "status_code"),
        parser=lookups.parse_status,
        choices=tuple(Status.choices),
        cell=cells.render_status,
        is_default_column=True,
        sort_field="status",
        suggested_values=(*Status.values, "5xx", "4xx"),
        suggested_fields=("status_code",),
        in_admin=True,
    ),
    Dimension(
        name="status_code",
        label=_("Status code"),
        lookup="status_code",
        keys=("code", "status_code"),
        parser=lookups.parse_status_code,
        max_length=20,
        help_text=_("404, 5xx, >=500 or 400-499"),
        is_column=False,
    ),
    Dimension(
        name="duration",
        label=_("Duration"),
        lookup="execution_time",
        parser=lookups.parse_duration,
        accepts_several=False,
        max_length=40,
        help_text=_(">1s, <=250ms or 100ms..2s"),
        cell=cells.render_duration,
        is_default_column=True,
        sort_field="execution_time",
        facet_fields=(),
        suggested_fields=(),
        suggested_values=(">100ms", ">1s", ">10s"),
        export_fields=("execution_time",),
    ),
    Dimension(
        name="address",
        label=_("Address"),
        lookup="ip_address",
        keys=("ip", "address"),
        parser=lookups.parse_address,
        max_length=64,
        help_text=_("10.2.3.4 or 10.2.0.0/16"),
        is_default_column=True,
        export_fields=("ip_address",),
        has_page=True,
    ),
    Dimension(
        name="source",
        label=_("Source"),
        lookup="source",
        parser=lookups.parse_source,
        choices=tuple(Source.choices),
        cell=cells.render_source,
        suggested_values=tuple(Source.values),
    ),
    Dimension(
        name="route",
        label=_("Route"),
        lookup="route",
        accepts_several=False,
        help_text=_("Exact URL pattern, e.g. orders/<int:pk>/"),
        has_page=True,
    ),
    Dimension(
        name="agent",
        label=_("User agent"),
        lookup="user_agent",
        parser=lookups.substring_parser("user_agent"),
        accepts_several=False,
        max_length=512,
        help_text=_("Part of it, e.g. Firefox"),
        cell=cells.render_user_agent,
        facet_fields=(),
        export_fields=("user_agent", "session_hash"),
    ),
    Dimension(
        name="request",
        label=_("Request ID"),
        lookup="request_id",
        max_length=64,
        help_text=_("All activity in one request"),
        facet_fields=(),
        suggested_fields=(),
        export_fields=("request_id",),
        has_page=True,
        shows_all_time=lambda _value: True,
    ),
    Dimension(
        name="trace",
        label=_("Trace"),
        lookup="trace_id",
        keys=("trace", "trace_id"),
        max_length=32,
        help_text=_("Trace ID, 32 hex digits"),
        facet_fields=(),
        suggested_fields=(),
        export_fields=("trace_id",),
    ),
    Dimension(
        name="reason",
        label=_("Reason"),
        lookup="reason",
        parser=lookups.substring_parser("reason"),
        accepts_several=False,
        help_text=_("Part of it, e.g. ticket 4711"),
        cell=cells.render_reason,
        facet_fields=(),
        suggested_fields=(),
    ),
)

BUILT_IN: dict[str, Dimension] = {each.name: each for each in _DECLARED}


@per_settings
def dimensions() -> Mapping[str, Dimension]:
    """Return all dimensions by name: the built-in ones, then the project's.

    Those that cannot be loaded are left out and logged; a system check reports them.
    """
    found = dict(BUILT_IN)
    for setting, load in (("DIMENSIONS", _load), ("TABLE_COLUMNS", _load_column)):
        for dotted in getattr(get_settings(), setting):
            try:
                dimension = load(dotted)
            except (ImportError, AttributeError, TypeError) as error:
                logger.error("%s: %r cannot be loaded: %s", setting, dotted, error)
            else:
                found.setdefault(dimension.name, dimension)
    return found


def dimension_for(key: str) -> Dimension | None:
    """Return the dimension that has a name in the query line, in capitals or not."""
    return _by_key().get(key.lower())


@per_settings
def columns() -> Mapping[str, Dimension]:
    """Return the dimensions that lists can show."""
    return {each.name: each for each in dimensions().values() if each.is_column and each.cell}


@per_settings
def default_columns() -> tuple[str, ...]:
    """Return the columns of a list until somebody chooses others."""
    found = columns().values()
    return tuple(each.name for each in found if each.is_default_column or not each.is_built_in)


@per_settings
def _by_key() -> Mapping[str, Dimension]:
    found: dict[str, Dimension] = {}
    for each in dimensions().values():
        if each.parser:
            for key in each.keys:
                found.setdefault(key.lower(), each)
    return found


def _load(dotted: str) -> Dimension:
    dimension: Any = import_string(dotted)
    if not isinstance(dimension, Dimension):
        raise TypeError(f"{type(dimension).__name__} is not a Dimension")
    return dimension


def _load_column(dotted: Dotted) -> Dimension:
    """Return a dimension that is only a column, for a callable `(row, request)`."""
    content: Any = import_string(dotted) if isinstance(dotted, str) else dotted
    name = content.__name__
    return Dimension(
        name=name,
        label=getattr(content, "short_description", capfirst(name.replace("_", " "))),
        fields=tuple(getattr(content, "needs", ())),
        cell=lambda row, context: content(row, context.request),
        in_form=False,
    )
