"""A user model that knows neither staff nor permissions."""

import pytest

from tests.projects import Project

PLAIN = "AUTH_USER_MODEL = 'shop.PlainUser'"
OPEN = f"{PLAIN}\nTRACKMATE['DASHBOARD_ACCESS'] = 'host_settings.may_open'\n" + (
    "def may_open(request): return request.user.is_authenticated"
)
LOG_IN = """
from django.contrib.auth import get_user_model
from django.test import Client
from tests.shop.models import Order
from trackmate.models import ActivityLog

client = Client(SERVER_NAME="localhost")
ann = get_user_model().objects.create(email="ann")
client.force_login(ann)
order = Order.objects.create(number="1")
row = ActivityLog.objects.create(actor=ann, content_object=order, data={"word": "sesame"})
"""
PAGES = [
    "",
    "activity/",
    "activity/facets/?actor=%231",
    "activity/facets/?page=actor&actor=%231",
    "activity/facets/?page=object&object=shop.order/1",
    "actor/%231/",
    "object/shop.order/1/",
    "views/",
]
ASK = (
    LOG_IN
    + f"""
for path in {PAGES!r} + [f"activity/{{row.pk}}/", "activity/export/", "activity/export/csv/"]:
    answer = client.get(f"/trackmate/{{path}}")
    text = answer.content.decode()
    print(answer.status_code, "sesame" in text, "/admin/" in text)
"""
)
CHECK = """
from trackmate.checks import check_trackmate
print(*[each.id for each in check_trackmate()])
"""
SEEN, REFUSED = "200 False False", "403 False False"


@pytest.mark.parametrize(
    ("lines", "answers"),
    [
        (PLAIN, [REFUSED] * (len(PAGES) + 3)),
        (OPEN, [SEEN] * (len(PAGES) + 1) + [REFUSED] * 2),
    ],
    ids=["by default", "with a rule of its own"],
)
def test_the_dashboard_is_closed_until_the_project_says_for_whom_it_is_open(
    tmp_path, lines, answers
):
    assert Project(tmp_path, lines).say(ASK) == answers


GRANT = """
GRANTED = {"trackmate.view_payload", "trackmate.export_activitylog"}
get_user_model().has_perm = lambda user, name: name in GRANTED
print("sesame" in client.get(f"/trackmate/activity/{row.pk}/").content.decode())
print(client.get("/trackmate/activity/export/").status_code)
"""


def test_a_method_of_the_user_model_opens_data_and_exports(tmp_path):
    assert Project(tmp_path, OPEN).say(LOG_IN + GRANT) == ["True", "200"]


@pytest.mark.parametrize(
    ("lines", "reported"),
    [
        (PLAIN, ["trackmate.W009 trackmate.W010"]),
        (OPEN, ["trackmate.W010"]),
        ("AUTH_USER_MODEL = 'shop.UUIDUser'", [""]),
    ],
)
def test_a_check_says_what_the_user_model_lacks(tmp_path, lines, reported):
    assert Project(tmp_path, lines).say(CHECK) == reported
