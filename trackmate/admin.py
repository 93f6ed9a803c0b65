"""The log in the admin: to read, never to write, by anyone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from trackmate.dashboard import admin_filters, texts
from trackmate.dashboard.access import may_open, may_see_payload, visible_rows
from trackmate.dashboard.answers import within_budget
from trackmate.dashboard.budget import BudgetExceededError
from trackmate.enums import Status
from trackmate.models import ActivityLog
from trackmate.selectors import LISTED, object_types, one

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse
    from django.utils.safestring import SafeString

    from trackmate.selectors import Rows

COUNTED = 1_000
"""How many of the newest matching rows the admin pages through; the dashboard has no such end."""


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Pages through the newest rows without counting the table."""

    @cached_property
    def count(self) -> int:
        """Return the number of rows, as far as the admin shows them."""
        rows: Any = self.object_list
        return len(rows.values_list("pk", flat=True)[:COUNTED])


class ActivityChangeList(ChangeList):
    """A list in the order of the clock, read within the time budget."""

    def get_ordering(self, request: HttpRequest, queryset: Any) -> list[Any]:
        """Return the one order that an index serves, whatever the URL says."""
        return ["-pk"]

    def get_results(self, request: HttpRequest) -> None:
        """Read the page now, so that a slow question ends in a message."""
        self.queryset = self.queryset.only(*LISTED)
        try:
            with within_budget():
                super().get_results(request)
                self.result_list = list(self.result_list)
        except BudgetExceededError:
            self.queryset = self.queryset.none()
            super().get_results(request)
            text = gettext("This took too long and was stopped. Choose a shorter time.")
            messages.warning(request, text)


FIELDSETS = (
    (_("What"), ("when", "outcome", "action_type", "action", "target", "object_key", "remarks")),
    (_("Who"), ("who", "actor_key", "ip_address", "user_agent", "session_hash")),
    (_("Request"), ("method", "path", "route", "request_id", "execution_time")),
    (_("Documents"), ("changes_text", "data_text", "response_text", "extra_text")),
    (_("Record"), ("source", "recorded_at", "id")),
)


@admin.register(ActivityLog)
class ActivityLogAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Read-only for everyone, superusers included."""

    actions = None
    fieldsets = tuple((title, {"fields": names}) for title, names in FIELDSETS)
    list_display = ("time", "who", "action_type", "action", "outcome", "target", "method", "path")
    list_filter = admin_filters.FILTERS
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
        """Return the rows that the dashboard would show to this person."""
        return visible_rows(request).order_by("-pk")

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> ActivityLog | None:
        """Return a whole row, the payload only to those who may see it."""
        try:
            pk = UUID(object_id)
        except ValueError:
            return None
        return one(self.get_queryset(request), pk, with_payload=may_see_payload(request))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return our list, which no URL can sort or filter otherwise."""
        return ActivityChangeList

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Allow what the filters ask, and no lookup out of the URL: it would read the payload by
        guessing, and scan the table."""
        return lookup in {each.parameter_name for each in self.list_filter}

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list, with the way to the dashboard."""
        ours = {
            "may_open_dashboard": may_open(request),
            "counted": COUNTED,
            "kept_parameters": admin_filters.kept_parameters(request),
        }
        return super().changelist_view(request, {**ours, **(extra_context or {})})

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: rows come from activities."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: history is not rewritten."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: only retention removes rows."""
        return False

    @admin.display(description=_("time"))
    def time(self, row: ActivityLog) -> SafeString:
        """Show when it happened."""
        return texts.Moments()(row.action_time)

    @admin.display(description=_("time"))
    def when(self, row: ActivityLog) -> SafeString:
        """Show when it happened, to the millisecond."""
        return texts.full_moment(row.action_time)

    @admin.display(description=_("actor"))
    def who(self, row: ActivityLog) -> str:
        """Name the actor as the row does; no user is fetched."""
        return row.who

    @admin.display(description=_("user key"))
    def actor_key(self, row: ActivityLog) -> Any:
        """Show the primary key of the user."""
        return row.actor_id

    @admin.display(description=_("status"))
    def outcome(self, row: ActivityLog) -> str:
        """Say how it went by a sign and a word."""
        sign = "\N{BALLOT X}" if row.status == Status.FAILED else "\N{CHECK MARK}"
        code = "" if row.status_code is None else row.status_code
        return f"{sign} {row.get_status_display()} {code}".rstrip()

    @admin.display(description=_("object"))
    def target(self, row: ActivityLog) -> str:
        """Name the object as the row does."""
        return row.object_repr or row.object_id or ""

    @admin.display(description=_("object key"))
    def object_key(self, row: ActivityLog) -> str:
        """Show the object's type and primary key."""
        kind = object_types([row]).get(row.content_type_id or 0, "")
        return f"{kind}/{row.object_id}" if row.object_id else kind

    @admin.display(description=_("changes"))
    def changes_text(self, row: ActivityLog) -> SafeString | str:
        """Show the changed fields."""
        return _document(row, "changes")

    @admin.display(description=_("data"))
    def data_text(self, row: ActivityLog) -> SafeString | str:
        """Show the request's data."""
        return _document(row, "data")

    @admin.display(description=_("response"))
    def response_text(self, row: ActivityLog) -> SafeString | str:
        """Show the response's data."""
        return _document(row, "response")

    @admin.display(description=_("extra"))
    def extra_text(self, row: ActivityLog) -> SafeString | str:
        """Show the rest."""
        return _document(row, "extra")


def _document(row: ActivityLog, name: str) -> SafeString | str:
    if name in row.get_deferred_fields():
        hidden = gettext("There is something here. It takes the permission %(name)s to see it.")
        return hidden % {"name": "trackmate.view_payload"} if getattr(row, f"has_{name}") else ""
    value = getattr(row, name)
    return "" if value is None else format_html("<pre>{}</pre>", texts.pretty(value))


class HistoryMixin:
    """Adds the history of an object to its change form: for the `ModelAdmin` of a project.

    Those see it who may see activities in the admin.
    """

    change_form_template = "admin/trackmate/change_form_with_history.html"

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Tell the template whether this person sees the history."""
        site = admin.site
        shows = site.is_registered(ActivityLog) and site.get_model_admin(
            ActivityLog
        ).has_view_permission(request)
        context = {"shows_history": shows, **(extra_context or {})}
        view: Any = super()
        return view.changeform_view(request, object_id, form_url, context)
