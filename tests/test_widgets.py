"""The fields of the dashboard's forms: written as Django's own templates write them."""

import pytest
from django.forms.renderers import DjangoTemplates
from django.http import QueryDict
from django.template import engines
from django.template.loader import get_template
from django.utils.translation import override
from pytest_django.asserts import assertHTMLEqual

from tests.rows import SCRIPT
from trackmate.dashboard.filters import ActivityFilters
from trackmate.dashboard.look_form import LookForm
from trackmate.dashboard.shelf import SaveForm
from trackmate.dashboard.widgets import WRITERS, Renderer
from trackmate.models import ActivityLog
from trackmate.templatetags import trackmate_keep

pytestmark = pytest.mark.django_db


def filter_form(**asked):
    query = QueryDict(mutable=True)
    query.update(asked)
    return ActivityFilters(query, ActivityLog.objects.none()).form


FORMS = {
    "nothing asked": filter_form,
    "answers": lambda: filter_form(
        actor="ann", action_type="Login", status="Failed", range="custom", start="2026-11-01"
    ),
    "attacks": lambda: filter_form(
        q=SCRIPT, action_type=SCRIPT, range=f"{SCRIPT}..", path="'\"&<>", start=SCRIPT
    ),
    "a look": lambda: LookForm(initial={"columns": ["time", "actor"], "zone": "utc"}),
    "a view": lambda: SaveForm(initial={"query": "a=1&b=<2>", "shared": True}),
    "a refused view": lambda: SaveForm({"name": "\x00", "default": "on"}),
}


def parts(form):
    """Every widget of a form as HTML, and the parts of those that have some."""
    for field in form:
        yield str(field)
        yield from (widget.tag() for widget in field.subwidgets if hasattr(widget, "tag"))


@pytest.mark.parametrize("make", FORMS.values(), ids=FORMS)
def test_widgets_are_those_of_django(make):
    form, plain = make(), make()
    assert isinstance(form.renderer, Renderer)
    plain.renderer = DjangoTemplates()
    ours, djangos = list(parts(form)), list(parts(plain))
    assert len(ours) == len(djangos) >= len(form.fields)
    for our, django in zip(ours, djangos, strict=True):
        assertHTMLEqual(our, django)


def test_every_writer_is_needed(monkeypatch):
    used = set()
    for name, write in list(WRITERS.items()):
        monkeypatch.setitem(
            WRITERS, name, lambda widget, name=name, write=write: used.add(name) or write(widget)
        )
    for make in FORMS.values():
        list(parts(make()))
    assert used == WRITERS.keys()


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_field_that_was_drawn_before_is_drawn_the_same(language):
    with override(language):
        for make in (*FORMS.values(), *reversed(FORMS.values())):
            for field in make():
                source = get_template(field.template_name).template.source
                anew = engines["django"].from_string(source).render({"field": field})
                assert field.as_field_group() == anew


def test_no_more_fields_are_kept_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(trackmate_keep, "MOST_KEPT", 2)
    for place in range(5):
        filter_form(method=f"M{place}")["method"].as_field_group()
    nodes = get_template("trackmate/field.html").template.nodelist
    (keep,) = nodes.get_nodes_by_type(trackmate_keep.KeepNode)
    assert "M4" in str(keep.kept)
    assert len(keep.kept) <= 2
