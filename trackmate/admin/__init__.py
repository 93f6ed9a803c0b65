"""The log in the admin, read-only for everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin import ShowFacets, SimpleListFilter
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from trackmate.admin import filters as admin_filters
from trackmate.dashboard import formatting
from trackmate.dashboard.db.results import query_timeout
from trackmate.dashboard.db.statement_timeout import StatementTimeoutError
from trackmate.dashboard.http.permissions import may_open, may_see_payload, visible_rows
from trackmate.enums import Status
from trackmate.models import ActivityLog
from trackmate.selectors import LISTED, object_types, one

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from trackmate.selectors import Rows

MAX_ROWS = 1_000
"""The admin lists so many of the newest matching rows; the dashboard lists all."""


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Pages through the newest rows without counting the table."""

    @cached_property
    def count(self) -> int:
        """The number of rows, at most `MAX_ROWS`."""
        rows: Any = self.object_list
        return len(rows.values_list("pk", flat=True)[:MAX_ROWS])


class ActivityChangeList(ChangeList):
    """A list with the newest first, read with a timeout."""

    def get_ordering(self, request: HttpRequest, queryset: Any) -> list[Any]:
        """Return the order that an index serves, whatever the URL contains."""
        return ["-pk"]

    def get_results(self, request: HttpRequest) -> None:
        """Read the page now, so that a query that is stopped becomes a message."""
        self.queryset = self.queryset.only(*LISTED)
        try:
            with query_timeout():
                super().get_results(request)
                self.result_list = list(self.result_list)
        except StatementTimeoutError:
            self.queryset = self.queryset.none()
            super().get_results(request)
            text = gettext("This took too long and was stopped. Narrow the time range.")
            messages.warning(request, text)


FIELDSETS = (
    (
        _("What"),
        (
            "full_time",
            "status_text",
            "action_type",
            "action",
            "object_text",
            "object_key",
            "remarks",
            "reason",
        ),
    ),
    (
        _("Who"),
        (
            "who",
            "actor_key",
            "impersonator_text",
            "impersonator_key",
            "tenant",
            "ip_address",
            "user_agent",
            "session_hash",
        ),
    ),
    (_("Request"), ("method", "path", "route", "request_id", "trace_id", "execution_time")),
    (_("Payload"), ("changes_text", "data_text", "response_text", "extra_text")),
    (_("Log entry"), ("source", "recorded_at", "id")),
)


@admin.register(ActivityLog)
class ActivityLogAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Read-only for everyone, superusers included."""

    actions = None
    fieldsets = tuple((title, {"fields": names}) for title, names in FIELDSETS)
    list_display = (
        "time",
        "who",
        "action_type",
        "action",
        "status_text",
        "object_text",
        "method",
        "path",
    )
    list_max_show_all = 0
    list_per_page = 50
    list_select_related = False
    ordering = ("-pk",)
    paginator = CappedPaginator
    readonly_fields = tuple(name for _title, names in FIELDSETS for name in names)
    search_fields = ()
    show_facets = ShowFacets.NEVER
    show_full_result_count = False
    sortable_by = ()

    class Media:
        css: ClassVar = {"all": ["trackmate/admin.css"]}

    def get_queryset(self, request: HttpRequest) -> Rows:
        """Return the rows that this person may see."""
        return visible_rows(request).order_by("-pk")

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> ActivityLog | None:
        """Return one row, with the payload for those who may see it."""
        try:
            pk = UUID(object_id)
        except ValueError:
            return None
        return one(self.get_queryset(request), pk, with_payload=may_see_payload(request))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the list that no URL can sort otherwise."""
        return ActivityChangeList

    def get_list_filter(self, request: HttpRequest) -> list[type[SimpleListFilter]]:  # type: ignore[override]
        """Return the filters, which are made from the dimensions."""
        return admin_filters.build_filters(request)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Allow only the filters: any other lookup could guess the payload, and scan the table."""
        return lookup in {each.parameter_name for each in self.get_list_filter(request)}

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list, with a link to the dashboard."""
        context = {
            "may_open_dashboard": may_open(request),
            "max_rows": MAX_ROWS,
            "other_parameters": admin_filters.other_parameters(request),
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: rows are only recorded."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: rows are never changed."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: only retention deletes rows."""
        return False

    @admin.display(description=_("time"))
    def time(self, row: ActivityLog) -> SafeString:
        """The time, as in lists of the dashboard."""
        return formatting.Times()(row.action_time)

    @admin.display(description=_("time"))
    def full_time(self, row: ActivityLog) -> SafeString:
        """The time to the millisecond, and its age."""
        return formatting.format_full_time(row.action_time)

    @admin.display(description=_("actor"))
    def who(self, row: ActivityLog) -> str:
        """The actor in the row, and who acted as the actor; no user is queried."""
        return row.actor_text

    @admin.display(description=_("user ID"))
    def actor_key(self, row: ActivityLog) -> Any:
        """The primary key of the user."""
        return row.actor_id

    @admin.display(description=_("impersonator"))
    def impersonator_text(self, row: ActivityLog) -> str:
        """The name of whoever acted as the actor."""
        return row.impersonator_name

    @admin.display(description=_("impersonator ID"))
    def impersonator_key(self, row: ActivityLog) -> Any:
        """The primary key of whoever acted as the actor."""
        return row.impersonator_id

    @admin.display(description=_("status"))
    def status_text(self, row: ActivityLog) -> str:
        """The status as a sign and a word, and the status code."""
        sign = "\N{BALLOT X}" if row.status == Status.FAILED else "\N{CHECK MARK}"
        code = "" if row.status_code is None else row.status_code
        return f"{sign} {row.get_status_display()} {code}".rstrip()

    @admin.display(description=_("object"))
    def object_text(self, row: ActivityLog) -> str:
        """The object's name in the row."""
        return row.object_name or row.object_id or ""

    @admin.display(description=_("object ID"))
    def object_key(self, row: ActivityLog) -> str:
        """The object's type and primary key."""
        object_type = object_types([row]).get(row.content_type_id or 0, "")
        return f"{object_type}/{row.object_id}" if row.object_id else object_type

    @admin.display(description=_("changes"))
    def changes_text(self, row: ActivityLog) -> SafeString | str:
        """The changed fields."""
        return _format_document(row, "changes")

    @admin.display(description=_("data"))
    def data_text(self, row: ActivityLog) -> SafeString | str:
        """The request data."""
        return _format_document(row, "data")

    @admin.display(description=_("response"))
    def response_text(self, row: ActivityLog) -> SafeString | str:
        """The response data."""
        return _format_document(row, "response")

    @admin.display(description=_("extra"))
    def extra_text(self, row: ActivityLog) -> SafeString | str:
        """Everything else."""
        return _format_document(row, "extra")


def _format_document(row: ActivityLog, name: str) -> SafeString | str:
    if name in row.get_deferred_fields():
        if not getattr(row, f"has_{name}"):
            return ""
        hidden = gettext(
            "Hidden. You need the permission <code>%(permission)s</code> to view request data."
        )
        return SafeString(hidden % {"permission": "trackmate.view_payload"})
    value = getattr(row, name)
    return "" if value is None else format_html("<pre>{}</pre>", formatting.format_json(value))


class HistoryMixin:
    """Adds the history of an object to its change form, for the `ModelAdmin` of a project.

    It is shown to those who may view activities in the admin.
    """

    change_form_template = "admin/trackmate/change_form_with_history.html"

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Add to the context whether this person may see the history."""
        site = admin.site
        shows = site.is_registered(ActivityLog) and site.get_model_admin(
            ActivityLog
        ).has_view_permission(request)
        context = {"shows_history": shows, **(extra_context or {})}
        view: Any = super()
        return view.changeform_view(request, object_id, form_url, context)
