"""The shelf of saved views: beside the list, and on a page of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import Error, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from trackmate.dashboard import people, saved
from trackmate.dashboard.answers import answer, failure
from trackmate.dashboard.fields import CheckField
from trackmate.dashboard.pages import DashboardView
from trackmate.dashboard.widgets import Renderer, with_fixed_fields

if TYPE_CHECKING:
    from trackmate.dashboard.saved import View

SHOWN = 12
"""Views that stand beside the list; the others are on their own page."""

MAX_QUERY = 4_000
"""Characters of a query string: what servers and browsers take in an address."""

IDS = "tm-view-%s"
"""Identifiers of the form's fields; the filters on the same page have those of Django."""

SAID = {"changed": _("The view was changed."), "deleted": _("The view was deleted.")}
"""What the page says after an order, by its parameter `done`."""


@with_fixed_fields
class ViewForm(forms.Form):
    """What one can say of a view."""

    default_renderer = Renderer

    name = forms.CharField(
        label=_("Name"),
        max_length=80,
        help_text=_("A view of yours with this name is replaced."),
        widget=forms.TextInput(
            attrs={"aria-describedby": "tm-error-name tm-help-name", "autocomplete": "off"}
        ),
    )
    shared = CheckField(label=_("Share it with all who may open the dashboard"), required=False)
    default = CheckField(label=_("Open the list with it"), required=False)

    def clean_name(self) -> str:
        """Refuse what could hide in a list, or disturb it."""
        name: str = self.cleaned_data["name"]
        if not name.isprintable():
            raise ValidationError(_("A name is one line of characters that can be seen."))
        return name

    @property
    def settings(self) -> dict[str, Any]:
        """What was said, as `saved` takes it."""
        said = self.cleaned_data
        return {
            "name": said["name"],
            "is_shared": said["shared"],
            "is_default": said["default"],
        }


@with_fixed_fields
class SaveForm(ViewForm):
    """What one can say of a new view: the same, and the query string of the moment."""

    query = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean_query(self) -> str:
        """Keep the question alone, and no more than fits into an address."""
        question = saved.question_of(self.cleaned_data["query"])
        if len(question) > MAX_QUERY:
            raise ValidationError(_("These filters are too long to be saved."))
        return question

    @property
    def key(self) -> str | None:
        """What tells what is seen of it from others; None once something was typed."""
        return None if self.is_bound else ""

    @property
    def question(self) -> str:
        """The query string that the form holds."""
        return str(self["query"].value() or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The saved views beside a list."""

    views: tuple[View, ...]
    question: str
    """What the list asks, as it would be saved."""
    may_save: bool
    home_url: str = ""
    """The default view, where nothing at all was asked."""

    @property
    def links(self) -> list[tuple[View, bool]]:
        """The views to show, and whether each asks what the list asks."""
        marked = [(view, view.asks(self.question)) for view in self.views]
        return [each for place, each in enumerate(marked) if place < SHOWN or each[1]]

    @property
    def form(self) -> SaveForm:
        """The form that saves what the list asks."""
        return SaveForm(auto_id=IDS, initial={"query": self.question})


def shelf_beside(request: HttpRequest, query: str, known_url: str | None) -> Shelf | None:
    """Return the views for beside a list that asks `query`; nothing if they cannot be read, or if
    the page at `known_url`, which asks for its list anew, has them as they are."""
    question = saved.question_of(query)
    if known_url is not None and question == saved.question_of(_query_of(known_url)):
        return None
    views = people.read(lambda: saved.seen_by(request))
    if views is None:
        return None
    default = next((view.url for view in views if view.is_default), "")
    return Shelf(
        views=views,
        question=question,
        may_save=people.key_of(request) is not None,
        home_url="" if request.GET else default,
    )


def _query_of(url: str) -> str:
    # By hand, since it is a header, in which anything can stand.
    return url.partition("?")[2].partition("#")[0]


class SavedViewsView(DashboardView):
    """All saved views that a person sees; here they are saved, changed and deleted.

    Each order is a POST that ends in a redirect. Only its owner changes a view; a superuser may
    delete what others share.
    """

    http_method_names = (*DashboardView.http_method_names, "post")

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the views."""
        said = SAID.get(request.GET.get("done", ""), "")
        return self._page(said=said)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Do what one of the forms says, as a whole or not at all."""
        if people.key_of(request) is None:
            return self._page(problem=_("Only users of this site can save views."), status=403)
        try:
            with transaction.atomic(using=people.alias()):
                return self._obey(request.POST.get("do", ""))
        except Error as error:
            return self.show("trackmate/failed.html", {"state": failure(error)}, status=503)

    def _obey(self, order: str) -> HttpResponse:
        views = saved.seen_by(self.request)
        if order == "save":
            return self._save(views)
        view = next(
            (each for each in views if str(each.key) == self.request.POST.get("view")), None
        )
        if view is None:
            return self._page(problem=_("This view is gone, or no longer shared."), status=404)
        if order == "change" and view.is_own:
            return self._change(view)
        if order == "ask" and view.may_delete:
            return self._page(asked=view.key)
        if order == "delete" and view.may_delete:
            saved.delete(view)
            return _done("deleted")
        return self._page(problem=_("This view is not yours to change."), status=403)

    def _save(self, views: tuple[View, ...]) -> HttpResponse:
        form = SaveForm(self.request.POST, auto_id=IDS)
        if form.is_valid():
            own = [view.name for view in views if view.is_own]
            if len(own) < saved.LIMIT or form.settings["name"] in own:
                query = form.cleaned_data["query"]
                saved.save(self.request, query=query, **form.settings)
                return HttpResponseRedirect(f"{reverse('trackmate:activity')}?{query}")
            form.add_error("name", _("You have as many views as there can be. Delete one first."))
        return self._page(form=form, status=400)

    def _change(self, view: View) -> HttpResponse:
        form = ViewForm(self.request.POST)
        if form.is_valid():
            if saved.change(self.request, view, **form.settings):
                return _done("changed")
            form.add_error("name", _("Another view of yours has this name."))
        told = {"typed": form["name"].value(), "errors": form.errors["name"]}
        return self._page(wrong=view.key, **told, status=400)

    def _page(self, *, status: int = 200, **context: Any) -> HttpResponse:
        found = answer(lambda: saved.seen_by(self.request))
        if found.state is not None:
            return self.show("trackmate/failed.html", {"state": found.state}, status=503)
        context |= {"views": found.value}
        return self.show("trackmate/views.html", context, status=status)


def _done(order: str) -> HttpResponse:
    return HttpResponseRedirect(f"{reverse('trackmate:views')}?done={order}")
