"""Saved views: who sees and changes them, what is kept of a query, how the list opens."""

import re
from urllib.parse import parse_qsl, urlencode

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from tests.factories import SCRIPT, activity, person
from tests.urls_under_test import FRAGMENT, text_of
from trackmate.dashboard.user_data import saved_views
from trackmate.models import ActivityLog, SavedView

pytestmark = [
    pytest.mark.users,
    pytest.mark.django_db,
    pytest.mark.usefixtures("unrecorded"),
]

LIST = "/trackmate/activity/"
VIEWS = "/trackmate/views/"
KEY = "0192c0de-0000-7000-8000-000000000000"


@pytest.fixture
def ann(client):
    client.force_login(person("ann", is_staff=True))
    return client


def made(owner, name="Errors", query="status=Failed", **fields):
    """Store a view as the dashboard does."""
    return SavedView.objects.create(
        owner=owner, owner_label=owner.username, name=name, query=query, **fields
    )


def of_ann(name="Errors", query="status=Failed", **fields):
    return made(get_user_model().objects.get(username="ann"), name, query, **fields)


def order(client, do, view=None, **values):
    """Send one of the forms."""
    key = {} if view is None else {"view": getattr(view, "pk", view)}
    return client.post(VIEWS, {"do": do, **key, **values})


def save(client, name="Errors", query="status=Failed", **values):
    return order(client, "save", name=name, query=query, **values)


def links_in(response):
    """Return the views beside the list: name, address, whether it is the present one."""
    found = re.findall(
        r'<a class="tm-button" href="([^"]*)"([^>]*)><bdi class="tm-cut">(.*?)</bdi>',
        text_of(response),
    )
    return [(name, url.replace("&amp;", "&"), "aria-current" in more) for url, more, name in found]


def kept_in(response):
    """Return what the form would save."""
    found = re.search(r'id="tm-view-query" name="query" value="([^"]*)"', text_of(response))
    return found and found[1].replace("&amp;", "&")


def queries_of(captured):
    return [each["sql"] for each in captured if "trackmate_savedview" in each["sql"]]


# Saving


def test_a_saved_view_is_a_link_above_the_list(ann):
    response = save(ann, query="status=Failed&range=7d")
    url = f"{LIST}?status=Failed&range=7d"
    assert response.url == url
    assert links_in(ann.get(url)) == [("Errors", url, True)]


@pytest.mark.parametrize(
    ("query", "saved"),
    [
        ("status=Failed", "status=Failed"),
        (f"q=x&before={KEY}&after={KEY}&since={KEY}&loaded_at={KEY}&open={KEY}", "q=x"),
        ("sort=-duration&columns=time%2Cactor&unheard=of", None),
        ("q=x&filters=all&extended=1", "q=x"),
        ("a=1&a=2", "a=1&a=2"),
        ("actor=&path=&q=x", "q=x"),
        ("q=%C3%BC+%26+%00", None),
        ("", "range=24h"),
        (f"before={KEY}", "range=24h"),
        ("https://evil.example/?q=x", "https%3A%2F%2Fevil.example%2F%3Fq=x"),
        ("//evil.example", "range=24h"),
        ("q=x#fragment\r\nLocation: /", "q=x%23fragment%0D%0ALocation%3A+%2F"),
        ("%ED%A0%80=1", "%EF%BF%BD%EF%BF%BD%EF%BF%BD=1"),
    ],
)
def test_the_part_of_a_query_that_is_saved(ann, query, saved):
    response = save(ann, query=query)
    assert SavedView.objects.get().query == (query if saved is None else saved)
    assert response.url.startswith(f"{LIST}?")
    assert ann.get(response.url).status_code == 200


def test_the_form_has_the_query_of_the_list(ann):
    assert kept_in(ann.get(LIST)) == "range=24h"
    query = f"columns=time&range=7d&actor=&before={KEY}"
    assert kept_in(ann.get(f"{LIST}?{query}")) == "range=7d&columns=time"


def test_a_view_is_private_unless_it_is_shared(ann):
    save(ann)
    save(ann, "Mine", shared="on", default="on")
    found = SavedView.objects.order_by("pk").values_list("name", "is_shared", "is_default")
    assert list(found) == [("Errors", False, False), ("Mine", True, True)]
    assert set(SavedView.objects.values_list("owner_label", flat=True)) == {"ann"}


@pytest.mark.database
def test_saving_under_the_same_name_replaces(ann):
    of_ann(is_shared=True, is_default=True)
    save(ann, query="q=x")
    view = SavedView.objects.get()
    assert (view.query, view.is_shared, view.is_default) == ("q=x", False, False)


def test_names_are_of_each_owner(ann):
    made(person("bob"), is_shared=True)
    save(ann)
    assert SavedView.objects.filter(name="Errors").count() == 2


@pytest.mark.parametrize("do", ["save", "change"])
@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "a\nb", "a\0b", "a\u202eb", "\u200b"])
def test_the_message_about_a_name_is_beside_its_field(ann, do, name):
    view = of_ann("Old")
    response = order(ann, do, view, name=name, query="q=x")
    assert response.status_code == 400
    assert re.search(r'<p class="tm-error" id="tm-error-\w+">\s*\w', text_of(response))
    assert list(SavedView.objects.values_list("name", flat=True)) == ["Old"]


def test_a_form_with_a_message_keeps_its_values(ann):
    page = text_of(save(ann, "x" * 81, "actor=bob", shared="on"))
    assert f'value="{"x" * 81}"' in page
    assert 'value="actor=bob"' in page
    assert re.search(r'name="shared"[^>]* checked', page)
    page = text_of(order(ann, "change", of_ann(), name="y" * 81))
    assert f'value="{"y" * 81}"' in page


@pytest.mark.database
@pytest.mark.parametrize("name", ["x", "x" * 80, "Ошибки 🔥", "= < > & \" '"])
def test_other_names_are_kept_as_they_are(ann, name):
    save(ann, f" {name} ")
    assert SavedView.objects.get().name == name


@pytest.mark.database
def test_a_query_has_a_maximum_length(ann):
    assert save(ann, query=f"q={'x' * 3998}").status_code == 302
    for query in (f"q={'x' * 3999}", f"q={'ü' * 1000}"):
        response = save(ann, "Long", query)
        assert response.status_code == 400
        assert "too long to be saved" in text_of(response)


def test_nobody_has_more_views_than_there_can_be(ann):
    made(person("bob"), is_shared=True)
    for place in range(saved_views.MAX_VIEWS):
        of_ann(f"view {place}")
    response = save(ann, "another")
    assert response.status_code == 400
    assert "Delete one first" in text_of(response)
    assert save(ann, "view 1", "q=x").status_code == 302
    assert len(re.findall("<article", text_of(ann.get(VIEWS)))) == saved_views.MAX_VIEWS


# Changing


def test_a_view_is_renamed_shared_and_made_the_default(ann):
    view = of_ann()
    response = order(ann, "change", view, name="Failures", shared="on", default="on")
    assert response.url == f"{VIEWS}?done=changed"
    assert "The view was changed." in text_of(ann.get(response.url))
    changed = SavedView.objects.get(pk=view.pk)
    assert (changed.name, changed.is_shared, changed.is_default) == ("Failures", True, True)
    assert changed.query == "status=Failed"
    assert changed.updated_at > view.updated_at
    order(ann, "change", view, name="Failures")
    changed.refresh_from_db()
    assert (changed.is_shared, changed.is_default) == (False, False)


@pytest.mark.database
@pytest.mark.parametrize("how", ["save", "change"])
def test_there_is_one_default_for_each_owner(ann, how):
    first, second = of_ann("a", is_default=True), of_ann("b")
    others = made(person("bob"), is_default=True)
    order(ann, how, second, name="b", query="q=x", default="on")
    found = SavedView.objects.filter(is_default=True)
    assert {each.pk for each in found} == {second.pk, others.pk}
    assert first.pk not in found.values_list("pk", flat=True)


@pytest.mark.database
def test_a_view_cannot_take_the_name_of_another(ann):
    of_ann("a")
    view = of_ann("b")
    response = order(ann, "change", view, name="a")
    assert response.status_code == 400
    assert "Another view of yours has this name." in text_of(response)
    view.refresh_from_db()
    assert view.name == "b"
    assert order(ann, "change", view, name="b").status_code == 302


def test_deleting_a_view_is_confirmed_first(ann):
    kept, view = of_ann("a"), of_ann("b")
    page = text_of(order(ann, "ask", view))
    assert re.findall(r'name="do" value="(ask|delete)"', page) == ["ask", "delete"]
    assert SavedView.objects.count() == 2
    assert order(ann, "delete", kept).status_code == 302


def test_a_view_is_deleted(ann):
    kept, view = of_ann("a"), of_ann("b")
    response = order(ann, "delete", view)
    assert response.url == f"{VIEWS}?done=deleted"
    assert SavedView.objects.get() == kept


@pytest.mark.parametrize("view", [None, "", "x", "0", "9" * 40, "\0", KEY])
@pytest.mark.parametrize("do", ["", "change", "delete", "drop", "__class__"])
def test_an_unknown_action_or_view_changes_nothing(ann, do, view):
    of_ann()
    response = order(ann, do, view, name="x")
    assert response.status_code == 404
    assert SavedView.objects.get().name == "Errors"


def test_a_message_is_never_the_text_of_a_parameter(ann):
    assert 'role="status">' not in text_of(ann.get(VIEWS, {"done": "<script>"})).split("</main>")[0]


# Permissions


def everyone():
    """Return people by what they are to a view."""
    return {
        "anonymous": None,
        "user": person("user"),
        "inactive": person("inactive", is_staff=True, is_active=False),
        "other": person("other", is_staff=True),
        "owner": person("owner", is_staff=True),
        "superuser": get_user_model().objects.create_superuser("superuser", password="x"),
    }


REFUSED = {"anonymous": 302, "inactive": 302, "user": 403}
MATRIX = {
    ("save", True): {**REFUSED, "other": 302, "owner": 302, "superuser": 302},
    ("change", True): {**REFUSED, "other": 403, "owner": 302, "superuser": 403},
    ("ask", True): {**REFUSED, "other": 403, "owner": 200, "superuser": 200},
    ("delete", True): {**REFUSED, "other": 403, "owner": 302, "superuser": 302},
    ("change", False): {**REFUSED, "other": 404, "owner": 302, "superuser": 404},
    ("delete", False): {**REFUSED, "other": 404, "owner": 302, "superuser": 404},
}


@pytest.mark.parametrize("who", ["anonymous", "user", "inactive", "other", "owner", "superuser"])
@pytest.mark.parametrize(("do", "is_shared"), MATRIX)
def test_who_may_do_what(client, do, is_shared, who):
    people = everyone()
    view = made(people["owner"], is_shared=is_shared)
    if people[who] is not None:
        client.force_login(people[who])
    response = order(client, do, view, name="New", query="q=x")
    status = MATRIX[do, is_shared][who]
    assert response.status_code == status
    if who in REFUSED or status != 302:
        assert list(SavedView.objects.values_list("name", flat=True)) == ["Errors"]
        assert status != 302 or response.url == f"/admin/login/?next={VIEWS}"


def test_a_view_without_sharing_is_seen_by_its_owner_alone(ann):
    bob = person("bob", is_staff=True)
    made(bob, "Private", "q=private")
    made(bob, "Shared", "q=shared", is_shared=True, is_default=True)
    of_ann("Zebra")
    assert [name for name, *_ in links_in(ann.get(f"{LIST}?q=1"))] == ["Zebra", "Shared"]
    page = text_of(ann.get(VIEWS))
    assert ("Private" in page, "q=private" in page) == (False, False)
    assert "shared by <bdi>bob</bdi>" in page
    assert "The list opens with it" not in page
    assert len(re.findall("<article", page)) == 2
    assert len(re.findall('value="change"', page)) == 1


def test_a_superuser_deletes_views_of_a_deleted_user(client):
    gone = person("gone", is_staff=True)
    view = made(gone, is_shared=True)
    private = made(gone, "Private")
    gone.delete()
    client.force_login(person("ann", is_staff=True))
    assert "shared by <bdi>gone</bdi>" in text_of(client.get(VIEWS))
    client.force_login(get_user_model().objects.create_superuser("superuser", password="x"))
    assert order(client, "delete", view).status_code == 302
    assert SavedView.objects.get() == private


def test_a_post_without_a_token_is_refused(ann):
    ann.handler.enforce_csrf_checks = True
    assert save(ann).status_code == 403
    assert not SavedView.objects.exists()


@pytest.mark.parametrize("has_middleware", [True, False])
def test_the_page_has_the_token_of_its_form(settings, has_middleware):
    if not has_middleware:
        settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if "Csrf" not in each]
    client = Client(enforce_csrf_checks=True)
    client.force_login(person("ann", is_staff=True))
    assert save(client).status_code == 403
    page = text_of(client.get(LIST))
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[1]
    assert save(client, csrfmiddlewaretoken=token).status_code == 302


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_are_refused(ann, method):
    assert getattr(ann, method)(VIEWS).status_code == 405


def test_a_session_that_has_ended_comes_back_to_the_views(client):
    assert save(client).url == f"/admin/login/?next={VIEWS}"
    fragment = client.post(VIEWS, {"do": "save"}, headers=FRAGMENT)
    assert (fragment.status_code, "HX-Redirect" in fragment) == (401, True)


def only_own(request, rows):
    return rows.filter(actor_id=request.user.pk)


def test_a_shared_view_is_filters_and_never_rows(ann, settings):
    settings.TRACKMATE = {"ENABLED": False, "DASHBOARD_QUERYSET": only_own}
    bob = person("bob", is_staff=True)
    made(bob, query="q=secret", is_shared=True)
    activity(actor=bob, remarks="secret", action="bobs.act")
    [(_name, url, _is_current)] = links_in(ann.get(LIST))
    assert "bobs.act" not in text_of(ann.get(url))


def let_in(request):
    return True


def test_somebody_who_is_not_a_user_sees_shared_views_and_saves_none(client, settings):
    settings.TRACKMATE = {"ENABLED": False, "DASHBOARD_ACCESS": let_in}
    made(person("bob"), is_shared=True, is_default=True)
    page = client.get(LIST)
    assert [name for name, *_ in links_in(page)] == ["Errors"]
    assert kept_in(page) is None
    assert "<form" not in text_of(client.get(VIEWS)).split("<main")[1]
    assert save(client).status_code == 403
    assert not SavedView.objects.exclude(owner_label="bob").exists()


@pytest.mark.database
def test_names_and_queries_are_text(client):
    bob = person(SCRIPT[:80], is_staff=True)
    made(bob, SCRIPT[:80], urlencode({SCRIPT: SCRIPT}), is_shared=True)
    made(bob, "raw", SCRIPT, is_shared=True)
    client.force_login(bob)
    person_too = person("ann", is_staff=True)
    for user in (bob, person_too):
        client.force_login(user)
        for address in (LIST, VIEWS):
            page = text_of(client.get(address))
            assert escape(SCRIPT[:80]) in page
            assert "<script>alert" not in page
            assert not re.search(r"<[^>&]*\sonerror", page)


def test_a_query_of_any_origin_leads_to_our_list(ann):
    for number, query in enumerate(["@evil.example", "#x", "//evil.example", "", f"before={KEY}"]):
        of_ann(f"n{number}", query)
    for _name, url, _is_current in links_in(ann.get(f"{LIST}?q=x")):
        assert re.fullmatch(rf"{LIST}\?[\w=%.]+", url)


# Beside the list


@pytest.mark.parametrize(
    ("query", "is_current"),
    [
        ("status=Failed&q=x", True),
        ("q=x&status=Failed", True),
        ("q=x&status=Failed&range=24h", True),
        (f"q=x&actor=&status=Failed&before={KEY}", True),
        ("status=Failed", False),
        ("q=x&status=Failed&range=7d", False),
        ("q=x&status=Failed&unheard=of", True),
    ],
)
def test_the_current_view_is_marked_in_any_order_of_parameters(ann, query, is_current):
    of_ann(query="status=Failed&q=x")
    [(_name, _url, marked)] = links_in(ann.get(f"{LIST}?{query}"))
    assert marked is is_current


def test_some_views_are_above_the_list_and_the_current_one_is(ann):
    for number in range(20):
        of_ann(f"n{number:02}", f"q={number}")
    assert len(links_in(ann.get(f"{LIST}?q=none"))) == 12
    shown = links_in(ann.get(f"{LIST}?q=15"))
    assert shown[-1] == ("n15", f"{LIST}?q=15", True)
    assert len(shown) == 13


@pytest.mark.parametrize("path", ["actor/ann/", "request/r/"])
def test_entity_pages_have_no_saved_views(ann, path):
    of_ann()
    with CaptureQueriesContext(connection) as captured:
        page = text_of(ann.get(f"/trackmate/{path}"))
    assert "tm-views" not in page
    assert queries_of(captured) == []


@pytest.mark.database
@pytest.mark.parametrize("number", [0, 1, 60])
def test_the_views_are_one_query_however_many_they_are(ann, number):
    for each in range(number):
        of_ann(f"n{each}")
    for address in (LIST, VIEWS):
        with CaptureQueriesContext(connection) as captured:
            ann.get(address)
        assert len(queries_of(captured)) == 1


@pytest.mark.parametrize(
    ("current", "query", "queries"),
    [
        ("range=24h&q=x", "range=24h&q=x", 0),
        ("q=x", f"q=x&before={KEY}", 0),
        ("", "range=24h", 0),
        ("q=x", "q=y", 1),
        ("q=x", "", 1),
        (None, "q=x", 1),
    ],
)
def test_a_fragment_reads_the_views_only_for_other_filters(ann, current, query, queries):
    of_ann()
    headers = {**FRAGMENT}
    if current is not None:
        headers["HX-Current-URL"] = f"http://testserver{LIST}?{current}#x"
    with CaptureQueriesContext(connection) as captured:
        response = ann.get(f"{LIST}?{query}", headers=headers)
    assert len(queries_of(captured)) == queries
    assert (kept_in(response) is not None) == bool(queries)


def test_a_fragment_updates_the_mark_and_the_query(ann):
    of_ann(query="q=x")
    headers = {**FRAGMENT, "HX-Current-URL": f"http://testserver{LIST}?q=x"}
    response = ann.get(f"{LIST}?q=y&range=7d", headers=headers)
    assert links_in(response) == [("Errors", f"{LIST}?q=x", False)]
    assert kept_in(response) == "range=7d&q=y"
    assert text_of(response).count('hx-swap-oob="true"') >= 4
    assert "Save this view" not in text_of(response)


@pytest.mark.parametrize("current", ["http://[", "\0", "?", "x" * 10_000, "?" + "a&" * 5000])
def test_any_current_address_is_accepted(ann, current):
    headers = {**FRAGMENT, "HX-Current-URL": current}
    assert ann.get(f"{LIST}?q=x", headers=headers).status_code == 200


def test_the_poll_and_the_facets_read_no_views(ann):
    of_ann(is_default=True)
    with CaptureQueriesContext(connection) as captured:
        ann.get(reverse("trackmate:tick"), {"since": KEY}, headers=FRAGMENT)
        ann.get(reverse("trackmate:facets"), headers=FRAGMENT)
    assert queries_of(captured) == []


# How the list opens


def test_the_list_opens_with_the_default_view(ann):
    of_ann(query="status=Failed&range=7d", is_default=True)
    with CaptureQueriesContext(connection) as captured:
        response = ann.get(LIST)
    assert (response.status_code, response.url) == (302, f"{LIST}?status=Failed&range=7d")
    assert len(queries_of(captured)) == 1
    assert not [each for each in captured if "trackmate_activitylog" in each["sql"]]


@pytest.mark.parametrize("address", [f"{LIST}?range=24h", f"{LIST}?q=x", "/trackmate/actor/ann/"])
def test_parameters_have_precedence_over_the_default_view(ann, address):
    of_ann(is_default=True)
    assert ann.get(address).status_code == 200


def test_a_fragment_is_never_the_default_view(ann):
    of_ann(is_default=True)
    assert ann.get(LIST, headers=FRAGMENT).status_code == 200


def test_the_default_of_somebody_else_has_no_effect(ann):
    made(person("bob"), is_shared=True, is_default=True)
    assert ann.get(LIST).status_code == 200


@pytest.mark.parametrize("query", ["", f"before={KEY}", "&&", "="])
def test_a_default_view_without_filters_redirects_once(ann, query):
    of_ann(query=query, is_default=True)
    response = ann.get(LIST, follow=True)
    assert (response.status_code, len(response.redirect_chain)) == (200, 1)


def test_the_whole_list_can_be_reached(ann):
    of_ann(query="q=zzz", is_default=True)
    activity(action="some.act")
    page = ann.get(LIST, follow=True)
    clear = re.search(r'href="([^"]*)">Clear all<', text_of(page))[1]
    assert "some.act" in text_of(ann.get(clear))
    assert dict(parse_qsl(clear.partition("?")[2])) == {"range": "24h"}
    assert f'href="{clear}">Clear the filters<' in text_of(page)
    assert f'href="{clear}"' in text_of(ann.get("/trackmate/"))


# What can go wrong


@pytest.mark.database
@pytest.mark.django_db(transaction=True)
def test_without_the_table_the_list_is_shown(ann, broken_table, caplog):
    broken_table("trackmate_savedview")
    page = ann.get(LIST)
    assert page.status_code == 200
    assert "tm-views" not in text_of(page)
    assert "could not read" in caplog.text
    assert ann.get(VIEWS).status_code == 503
    assert save(ann).status_code == 503


@pytest.mark.database
def test_a_failure_leaves_the_projects_transaction_intact(ann, failing_query):
    with failing_query("trackmate_savedview"):
        assert ann.get(LIST).status_code == 200
        assert save(ann).status_code == 503
    assert save(ann).status_code == 302


@pytest.mark.database
def test_a_user_with_views_can_be_deleted():
    user = person("ann")
    view = made(user, is_shared=True)
    user.delete()
    assert str(SavedView.objects.get(pk=view.pk)) == "Errors"


def test_saving_is_not_recorded(ann, settings):
    settings.TRACKMATE = {}
    save(ann)
    order(ann, "delete", SavedView.objects.get())
    assert not ActivityLog.objects.exists()


@pytest.mark.database
@pytest.mark.django_db(databases=["default", "apart"])
def test_views_are_stored_in_the_database_of_the_log(ann, settings, configure):
    configure(DATABASE="apart")
    settings.DATABASE_ROUTERS = ["trackmate.routers.TrackmateRouter"]
    save(ann)
    view = SavedView.objects.using("apart").get()
    assert view.owner.username == "ann"
    assert order(ann, "change", view, name="New", default="on").status_code == 302
    assert ann.get(LIST).url == f"{LIST}?status=Failed"
    assert order(ann, "delete", view).status_code == 302
    assert not SavedView.objects.using("default").exists()
