"""The page of an object: its changes as a timeline, and its state at any of them."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import SCRIPT, person
from tests.library.models import Audiobook, Author, Book
from tests.recorded import change, hour
from tests.urls_under_test import FRAGMENT, log_queries, text_of
from trackmate.models import ActivityLog

pytestmark = [pytest.mark.database, pytest.mark.django_db, pytest.mark.usefixtures("unrecorded")]

PAGE = "/trackmate/object/library.book/7/"
PART = "/trackmate/activity/timeline/?page=object&object=library.book/7"
BOOK = (Book, 7)


@pytest.fixture
def reader(client):
    """A client of somebody who may see the payload."""
    client.force_login(person("reader", "view_payload", is_staff=True))
    return client


def timeline_of(client, url=PAGE):
    """Return the timeline on a page, as text without tags."""
    found = re.search(
        r'<section [^>]*id="tm-timeline".*?</section>', text_of(client.get(url)), re.DOTALL
    )
    return "" if found is None else " ".join(re.sub(r"<[^>]*>", " ", found[0]).split())


def entries(client, url=PAGE):
    return re.findall(r'<li id="tm-change-([\da-f-]{36})"', text_of(client.get(url)))


def test_the_changes_of_an_object_newest_first(reader):
    change(BOOK, "create", {"title": [None, "a red house"]}, actor_label="ann")
    change(BOOK, "update", {"title": ["a red house", "a blue house"]}, at=1, reason="Repainted")
    shown = timeline_of(reader)
    assert shown.index("library.book.update") < shown.index("library.book.create")
    assert "ann" in shown
    assert "Reason: Repainted" in shown
    page = text_of(reader.get(PAGE))
    assert '<del><span class="tm-unseen">removed: </span>red</del>' in page
    assert '<ins><span class="tm-unseen">added: </span>blue</ins>' in page
    # The list with its filters is below.
    assert page.index('id="tm-timeline"') < page.index('id="tm-filters"') < page.index("tm-rows")


@pytest.mark.parametrize("object_page", ["library.book/8/", "library.book/", "no.model/7/"])
def test_without_recorded_changes_there_is_no_timeline(reader, object_page):
    change(BOOK, "create", {"title": [None, "a"]})
    change((Book, 8), "read", None, source="request")
    assert "tm-timeline" not in text_of(reader.get(f"/trackmate/object/{object_page}"))


def test_without_the_permission_only_the_names_of_fields(staff):
    row = change(BOOK, "create", {"title": [None, "the value"], "copies": [None, 3]})
    for url in (PAGE, f"{PAGE}?at={row.pk}"):
        shown = timeline_of(staff, url)
        assert "title, copies" in shown
        assert "Values are hidden. You need the permission trackmate.view_payload" in shown
        assert "the value" not in text_of(staff.get(url))


# --- one entry for each request


def test_a_request_and_its_changes_are_one_entry(reader):
    request = {"request_id": "r1"}
    asked = change(
        *(BOOK, "edit", {"title": ["a", "b (from the form)"]}),
        **request,
        source="admin",
        method="POST",
        path="/admin/7/",
    )
    change(BOOK, "update", {"title": ["a", "b"]}, at=0.1, **request)
    change(
        BOOK, "update", {"genres": {"added": [{"value": 1, "label": "Crime"}]}}, at=0.2, **request
    )
    other = change(BOOK, "update", {"title": ["b", "c"]}, at=1)
    assert entries(reader) == [str(other.pk), str(asked.pk)]
    shown = timeline_of(reader)
    assert "POST /admin/7/" in shown
    assert "Crime (1)" in shown
    assert "from the form" not in shown
    assert shown.index("title") < shown.index("genres")


def test_what_only_a_form_says_is_shown(reader):
    row = change(BOOK, "edit", {"title": ["a", "b"]}, source="admin", request_id="r1")
    assert entries(reader) == [str(row.pk)]
    # It says nothing about the state of the object.
    assert "State at this time" not in timeline_of(reader)


def test_a_request_about_another_object_is_not_shown(reader):
    row = change(BOOK, "update", {"title": ["a", "b"]}, request_id="r1")
    change((Author, 7), "edit", None, source="admin", request_id="r1", path="/elsewhere/")
    assert entries(reader) == [str(row.pk)]
    assert "/elsewhere/" not in timeline_of(reader)


def test_a_request_that_reaches_over_two_pages_is_shown_once(reader):
    whole = [
        change(BOOK, "update", {"copies": [number, number + 1]}, at=number, request_id="big")
        for number in range(12)
    ]
    rest = [change(BOOK, "update", {"title": ["a", "b"]}, at=-1 - number) for number in range(3)]
    assert entries(reader) == [str(whole[-1].pk)]
    assert timeline_of(reader).count("copies") == 12
    older = next_page(reader, PAGE)
    assert entries(reader, older) == [str(row.pk) for row in rest]


def next_page(client, url):
    return re.search(r'id="tm-changes-older" href="([^"]+)"', text_of(client.get(url)))[1].replace(
        "&amp;", "&"
    )


def test_pages_of_changes(reader):
    rows = [change(BOOK, "update", {"copies": [0, at]}, at=at) for at in range(25)][::-1]
    seen, url = [], PAGE
    for _page in range(2):
        seen += entries(reader, url)
        url = next_page(reader, url)
    seen += entries(reader, url)
    assert seen == [str(row.pk) for row in rows]
    assert 'id="tm-changes-older"' not in text_of(reader.get(url))
    assert 'id="tm-changes-newest"' in text_of(reader.get(url))


# --- the state


def test_the_state_at_a_change_beside_what_changed_since(reader, registered):
    registered(Book)
    Book.objects.create(pk=7, title="c", subtitle="as ever", door_pin="kv9tWx2u")
    row = change(BOOK, "update", {"title": ["a", "b"]})
    change(BOOK, "update", {"title": ["b", "c"]}, at=1)
    shown = timeline_of(reader, f"{PAGE}?at={row.pk}")
    state = shown.partition("Hide the state")[2]
    assert "title changed since removed: b added: c" in state
    assert "subtitle as ever" in state
    assert "door_pin [redacted]" in state
    assert "kv9tWx2u" not in text_of(reader.get(f"{PAGE}?at={row.pk}"))


def test_the_state_of_a_deleted_object(reader):
    create = change(BOOK, "create", {"title": [None, "a"]})
    delete = change(BOOK, "delete", {"title": ["a", None]}, at=1)
    assert "deleted since" in timeline_of(reader, f"{PAGE}?at={create.pk}")
    assert "did not exist after this" in timeline_of(reader, f"{PAGE}?at={delete.pk}")


def test_the_state_at_a_change_on_another_page(reader):
    rows = [change(BOOK, "update", {"copies": [at, at + 1]}, at=at) for at in range(15)]
    url = f"{PAGE}?at={rows[2].pk}"
    assert entries(reader, url) == [str(row.pk) for row in rows[2::-1]]
    assert "copies changed since removed: 3 added: 15" in timeline_of(reader, url)


def test_a_field_that_is_gone_is_marked(reader):
    row = change(BOOK, "create", {"isbn": [None, "1-2"]})
    assert "isbn no longer a field 1-2" in timeline_of(reader, f"{PAGE}?at={row.pk}")


@pytest.mark.parametrize("name", ["at", "changes_before"])
def test_an_address_that_is_wrong_says_so(reader, name):
    change(BOOK, "create", {"title": [None, "a"]})
    assert "not the ID of an activity" in timeline_of(reader, f"{PAGE}?{name}=garbage")


def test_the_page_of_a_change_links_to_the_state(reader):
    row = change(BOOK, "create", {"title": [None, "a"]})
    page = text_of(reader.get(f"/trackmate/activity/{row.pk}/"))
    assert f'href="{PAGE}?at={row.pk}"' in page
    asked = change(BOOK, "read", None, source="request")
    assert "State at this time" not in text_of(reader.get(f"/trackmate/activity/{asked.pk}/"))


def test_filters_stay_in_the_links(reader):
    row = change(BOOK, "create", {"title": [None, "a"]})
    page = text_of(reader.get(f"{PAGE}?action_type=Create&zone=utc"))
    assert f'href="{PAGE}?action_type=Create&amp;zone=utc&amp;at={row.pk}"' in page


def test_a_child_of_multi_table_inheritance_has_the_changes_of_its_parent(reader):
    rows = [change(BOOK, "update", {"title": ["a", "b"]})]
    rows += [change((Audiobook, 7), "update", {"speaker": ["a", "b"]}, at=1)]
    assert entries(reader, "/trackmate/object/library.audiobook/7/") == [
        str(row.pk) for row in reversed(rows)
    ]


# --- the fragment


def test_the_fragment_is_the_timeline_alone(reader):
    row = change(BOOK, "create", {"title": [None, "a"]})
    part = text_of(reader.get(f"{PART}&at={row.pk}", headers=FRAGMENT))
    assert part.lstrip().startswith("<section")
    assert "Hide the state" in part
    assert "<html" not in part


def test_as_a_page_it_is_the_page_of_the_object(reader):
    response = reader.get(f"{PART}&at=x&q=ann")
    assert response["Location"] == f"{PAGE}?at=x&q=ann"
    assert reader.get("/trackmate/activity/timeline/", headers=FRAGMENT).status_code == 404
    other = "/trackmate/activity/timeline/?page=actor&actor=ann"
    assert reader.get(other, headers=FRAGMENT).status_code == 404


# --- limits


def mine_alone(_request, rows):
    return rows.filter(tenant=None)


def test_what_a_project_limits_is_neither_shown_nor_betrayed(reader, registered, settings):
    settings.TRACKMATE = {
        "ENABLED": False,
        "DASHBOARD_QUERYSET": "tests.test_timeline.mine_alone",
    }
    registered(Book)
    Book.objects.create(pk=7, title="secret title", subtitle="secret subtitle")
    mine = change(BOOK, "update", {"title": ["a", "b"]}, request_id="r1")
    change(BOOK, "edit", None, source="admin", request_id="r1", tenant="x", path="/secret/")
    theirs = change(BOOK, "update", {"title": ["b", "secret title"]}, at=1, tenant="x")
    assert entries(reader) == [str(mine.pk)]
    for row in (mine, theirs):
        assert "secret" not in text_of(reader.get(f"{PAGE}?at={row.pk}"))
    ActivityLog.objects.filter(tenant=None).delete()
    assert "tm-timeline" not in text_of(reader.get(f"{PAGE}?at={theirs.pk}"))


def test_a_timeline_that_cannot_be_read_leaves_the_rest(reader, monkeypatch):
    change(BOOK, "create", {"title": [None, "a"]})
    monkeypatch.setattr("trackmate.dashboard.detail.timeline.group_by_request", None)
    response = reader.get(PAGE)
    assert response.status_code == 200
    assert "could not be read" in timeline_of(reader)
    assert 'id="tm-filters"' in text_of(response)


@pytest.mark.parametrize(
    "changes",
    [
        {SCRIPT: [SCRIPT, SCRIPT * 2]},
        {"title": ["a\u202eb", "\0"[:0]]},
        {"title": {"added": [{"value": SCRIPT, "label": SCRIPT}]}},
        {"title": [[[[]]], {"…": "[3 more]"}]},
        {"title": "x"},
        ["no", "mapping"],
        "text",
        {"": ["", None]},
        {"text": ["word " * 2_000, "wort " * 2_000]},
    ],
)
def test_hostile_changes_are_shown_as_text(reader, changes):
    row = change(BOOK, "update", changes, actor_label=SCRIPT, reason=SCRIPT, path=SCRIPT)
    page = text_of(reader.get(f"{PAGE}?at={row.pk}"))
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "\u202e" not in page
    assert f"tm-change-{row.pk}" in page


def test_long_texts_are_shortened_to_what_differs(reader):
    text = "lorem ipsum " * 500
    change(BOOK, "update", {"text": [f"{text}red {text}", f"{text}blue {text}"]})
    page = text_of(reader.get(PAGE))
    assert "red</del>" in page
    assert page.count("lorem") < 40


def test_the_number_of_queries_does_not_depend_on_the_number_of_changes(reader):
    counts = []
    for number in (1, 30):
        for at in range(number):
            change(BOOK, "update", {"copies": [at, at + 1]}, at=at, request_id=f"r{at}")
        with CaptureQueriesContext(connection) as queries:
            reader.get(PART, headers=FRAGMENT)
        counts.append(len(log_queries(queries)))
    assert counts == [2, 2]


def test_times_are_those_of_the_change(reader):
    change(BOOK, "update", {"copies": [0, 1]}, action_time=hour(2))
    assert "14:00:00.000 UTC" in timeline_of(reader, f"{PAGE}?zone=utc")
