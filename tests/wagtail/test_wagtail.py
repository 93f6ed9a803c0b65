"""What the log says about work in Wagtail: one row per request, as Wagtail's own log has it."""

from io import BytesIO

import pytest
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override
from PIL import Image as Picture
from wagtail import hooks
from wagtail.documents import get_document_model
from wagtail.images import get_image_model
from wagtail.log_actions import log
from wagtail.models import Page, PageLogEntry

from tests.urls_under_test import text_of
from tests.wagtail.models import Advert, HomePage
from trackmate import suppress
from trackmate.diagnostics import counts
from trackmate.integrations import wagtail as integration

pytestmark = pytest.mark.django_db


@pytest.fixture
def root():
    return Page.get_first_root_node()


@pytest.fixture
def home(root):
    with suppress():
        return root.add_child(instance=HomePage(title="Home", slug="start"))


@pytest.fixture
def below(home):
    with suppress():
        return home.add_child(instance=HomePage(title="News", slug="news"))


@pytest.fixture
def editor(admin_client, home, activities):
    """A client of somebody who may do everything; the login is not recorded."""
    activities.clear()
    return admin_client


def form_of(page, **values):
    """Return what the form of a page sends."""
    form = {"title": page.title, "slug": page.slug, "intro": ""}
    for name in ("TOTAL", "INITIAL"):
        form[f"comments-{name}_FORMS"] = "0"
    return form | values


def edit(editor, page, **values):
    answer = editor.post(f"/cms/pages/{page.pk}/edit/", form_of(page, **values))
    assert answer.status_code == 302
    return answer


def only(activities):
    (activity,) = activities
    assert counts == {}
    assert activity.method in ("POST", "")
    return activity


def said(activity):
    target = activity.target
    assert activity.source == "admin"
    return activity.action, activity.action_type, target.object_id, target.object_repr


def test_a_page_is_created(editor, activities, home):
    new = HomePage(title="News", slug="news")
    answer = editor.post(f"/cms/pages/add/home/homepage/{home.pk}/", form_of(new))
    assert answer.status_code == 302
    page = HomePage.objects.get(slug="news")
    activity = only(activities)
    assert said(activity) == ("home.homepage.create", "Create", str(page.pk), "News")
    assert (activity.actor_label, activity.status_code) == ("admin", 302)
    assert activity.data["title"] == "News"


def test_a_page_is_created_and_published_in_one_row(editor, activities, home):
    form = form_of(HomePage(title="News", slug="news")) | {"action-publish": "1"}
    editor.post(f"/cms/pages/add/home/homepage/{home.pk}/", form)
    activity = only(activities)
    assert said(activity)[:2] == ("home.homepage.create", "Create")
    entries = activity.extra["entries"]
    assert entries[0] == "home.homepage.create"
    assert entries[-1] == "home.homepage.publish"
    assert "Published" in activity.remarks


def test_a_draft_of_a_page_is_saved(editor, activities, home):
    edit(editor, home, intro="Hello")
    activity = only(activities)
    assert said(activity) == ("home.homepage.update", "Update", str(home.pk), "Home")
    home.refresh_from_db()
    assert activity.extra == {"revision": home.latest_revision_id}


def test_a_page_is_edited_renamed_and_published_in_one_row(editor, activities, home):
    with suppress():
        home.save_revision().publish()
    edit(editor, home, title="Start", **{"action-publish": "1"})
    activity = only(activities)
    assert said(activity)[:3] == ("home.homepage.publish", "Update", str(home.pk))
    assert activity.changes == {"title": ["Home", "Start"]}
    assert activity.extra["entries"] == [
        f"home.homepage.{verb}" for verb in ("update", "rename", "publish")
    ]
    assert "Renamed from 'Home' to 'Start'" in activity.remarks


@pytest.mark.parametrize(
    ("url", "form", "action", "action_type"),
    [
        ("unpublish/", {}, "home.homepage.unpublish", "Update"),
        ("delete/", {}, "home.homepage.delete", "Delete"),
        ("lock/", {}, "home.homepage.lock", "Update"),
        ("privacy/", {"restriction_type": "login"}, "home.homepage.view_restriction.create", None),
    ],
)
def test_what_is_done_to_a_page(editor, activities, home, url, form, action, action_type):
    assert editor.post(f"/cms/pages/{home.pk}/{url}", form).status_code in (200, 302)
    activity = only(activities)
    assert said(activity) == (action, action_type or "Update", str(home.pk), "Home")


def test_a_page_is_moved(editor, activities, root, below):
    editor.post(f"/cms/pages/{below.pk}/move/{root.pk}/confirm/")
    activity = only(activities)
    assert said(activity) == ("home.homepage.move", "Update", str(below.pk), "News")


def test_a_message_is_in_english(activities, root, below):
    with override("de"):
        below.move(root, pos="last-child")
    assert only(activities).remarks == "Moved from 'Home' to 'Root'"


def test_a_page_is_copied_with_those_below(editor, activities, home, below):
    form = {"new_title": "Home 2", "new_slug": "start-2", "new_parent_page": "1"}
    form |= {"copy_subpages": "on", "publish_copies": "on"}
    assert editor.post(f"/cms/pages/{home.pk}/copy/", form).status_code == 302
    request, *rows = activities
    copies = Page.objects.filter(slug="start-2").get().get_descendants(inclusive=True)
    assert {each.target.object_id for each in rows} == {str(each.pk) for each in copies}
    assert {(each.action, each.action_type) for each in rows} == {("home.homepage.copy", "Create")}
    assert (request.action, request.target) == ("home.homepage.copy", None)
    assert request.extra["objects"] == 2


def test_a_page_is_deleted_with_those_below(editor, activities, home, below):
    editor.post(f"/cms/pages/{home.pk}/delete/")
    request, *rows = activities
    assert (request.action, request.action_type) == ("home.homepage.delete", "Delete")
    assert {each.target.object_repr for each in rows} == {"Home", "News"}


def test_an_invalid_form_claims_nothing(editor, activities, home):
    editor.post(f"/cms/pages/{home.pk}/edit/", form_of(home, title=""))
    (activity,) = activities
    assert (activity.source, activity.changes) == ("request", None)


def test_a_snippet(editor, activities):
    editor.post("/cms/snippets/home/advert/add/", {"text": "Tea"})
    advert = Advert.objects.get()
    key = str(advert.pk)
    editor.post(f"/cms/snippets/home/advert/edit/{key}/", {"text": "Rum"})
    editor.post(f"/cms/snippets/home/advert/delete/{key}/")
    assert [said(each) for each in activities] == [
        ("home.advert.create", "Create", key, "Tea"),
        ("home.advert.update", "Update", key, "Rum"),
        ("home.advert.delete", "Delete", key, "Rum"),
    ]


def test_an_image_and_a_document(editor, activities):
    stream = BytesIO()
    Picture.new("RGB", (2, 2)).save(stream, "PNG")
    files = {
        "images": SimpleUploadedFile("sun.png", stream.getvalue(), "image/png"),
        "documents": SimpleUploadedFile("terms.txt", b"terms", "text/plain"),
    }
    for kind, file in files.items():
        answer = editor.post(f"/cms/{kind}/add/", {"title": kind, "file": file, "collection": "1"})
        assert answer.status_code == 302
    image, document = get_image_model().objects.get(), get_document_model().objects.get()
    editor.post(f"/cms/images/{image.pk}/delete/")
    assert [said(each) for each in activities] == [
        ("wagtailimages.image.create", "Create", str(image.pk), "images"),
        ("wagtaildocs.document.create", "Create", str(document.pk), "documents"),
        ("wagtailimages.image.delete", "Delete", str(image.pk), "images"),
    ]


# --- outside of its pages ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "expected", "action_type"),
    [
        ("wagtail.workflow.start", "home.homepage.workflow.start", "Action"),
        ("wagtail.reorder", "home.homepage.reorder", "Update"),
        ("wagtail.create_alias", "home.homepage.create_alias", "Create"),
        ("wagtail.comments.create", "home.homepage.comments.create", "Action"),
    ],
)
def test_an_entry_of_a_command(activities, home, admin_user, action, expected, action_type):
    # As a mere page, which some of Wagtail's views have.
    log(Page.objects.get(pk=home.pk), action, user=admin_user, data={"title": "odd"})
    activity = only(activities)
    assert said(activity) == (expected, action_type, str(home.pk), "Home")
    assert (activity.actor_id, activity.actor_label) == (admin_user.pk, "admin")
    assert activity.changes is None


def test_the_system_is_nobody(activities, home):
    log(home, "wagtail.publish")
    activity = only(activities)
    assert (activity.actor_id, activity.actor_label) == (None, "")


@pytest.mark.parametrize("data", [{}, {"title": {"old": 1}}, {"comment": {}}, {"revision": None}])
def test_data_that_are_odd(activities, home, data):
    for action in ("wagtail.rename", "wagtail.comments.create", "wagtail.publish.schedule"):
        log(home, action, data=data)
    assert len(activities) == 3
    assert counts == {}


def test_what_is_rolled_back_is_not_claimed(client, activities, home):
    def log_in_vain(page, request, *args):
        with transaction.atomic():
            log(home, "wagtail.publish")
            transaction.set_rollback(True)
        return HttpResponse("seen")

    with hooks.register_temporarily("before_serve_page", log_in_vain):
        assert client.get("/").content == b"seen"
    (activity,) = activities
    assert (activity.source, activity.action_type, activity.target) == ("request", "Read", None)


def test_no_query_is_ours(editor, activities, home, monkeypatch):
    def queries_of_a_change():
        with CaptureQueriesContext(connection) as queries:
            edit(editor, home, intro="Hello", **{"action-publish": "1"})
        return len(queries)

    queries_of_a_change()
    with_it = queries_of_a_change()
    monkeypatch.setattr(integration, "record_wagtail_entry", lambda entry: None)
    assert queries_of_a_change() == with_it
    assert [each.source for each in activities] == ["admin", "admin", "request"]


def test_a_deleted_page_keeps_its_name_and_its_page(admin_client, home):
    key = home.pk
    admin_client.post(f"/cms/pages/{key}/delete/")
    assert not Page.objects.filter(pk=key).exists()
    assert PageLogEntry.objects.filter(page_id=key).exists()
    page = text_of(admin_client.get(f"/trackmate/object/home.homepage/{key}/"))
    assert "home.homepage.delete" in page
    assert "Home" in page
    assert get_user_model().objects.get().username in page
