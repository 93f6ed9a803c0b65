"""The fields of the dashboard's forms: rendered by its own templates, with everything escaped."""

import re

import pytest
from django.forms.renderers import TemplatesSetting
from django.http import QueryDict
from django.utils.html import escape

from tests.factories import SCRIPT
from tests.urls_under_test import text_of
from trackmate.dashboard.search.filters import ActivityFilters
from trackmate.dashboard.user_data.forms import DisplayForm, NewViewForm
from trackmate.models import ActivityLog

pytestmark = pytest.mark.django_db


def filter_form(**params):
    query = QueryDict(mutable=True)
    query.update(params)
    return ActivityFilters(query, ActivityLog.objects.none(), has_all_fields=True).form


FORMS = {
    "empty": filter_form,
    "filled": lambda: filter_form(actor="ann", status="Failed", range="custom", start="2026-11-01"),
    "hostile": lambda: filter_form(
        q=SCRIPT, action_type=SCRIPT, range=SCRIPT, path="'\"&<>", start=SCRIPT
    ),
    "hostile dates": lambda: filter_form(start=SCRIPT, end=SCRIPT),
    "display": lambda: DisplayForm(initial={"columns": [SCRIPT], "zone": SCRIPT}),
    "view": lambda: NewViewForm(initial={"query": SCRIPT, "name": SCRIPT, "shared": True}),
    "invalid view": lambda: NewViewForm({"name": f"\x00{SCRIPT}", "default": "on"}),
}


@pytest.mark.parametrize("make", FORMS.values(), ids=FORMS)
def test_a_field_has_a_label_and_its_errors(make):
    form = make()
    for field in form:
        html = field.as_field_group()
        assert field.is_hidden or re.search(r"<(label|legend)", html)
        assert SCRIPT not in html
        described = re.search(r'aria-describedby="([^ "]+)', str(field))
        assert described is None or f'id="{described[1]}"' in html
        if f"tm-error-{field.name}" in html:
            assert all(escape(error) in html for error in field.errors)


class ProjectRenderer(TemplatesSetting):
    form_template_name = field_template_name = "a/template/of/the/project.html"


def test_the_renderer_of_a_project_is_not_used(staff, settings):
    settings.FORM_RENDERER = "tests.test_form_fields.ProjectRenderer"
    for path in ("", "activity/", "activity/?filters=all", "activity/display/"):
        assert "<label" in text_of(staff.get(f"/trackmate/{path}"))
