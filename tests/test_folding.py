"""What the row of a request says: the events that fold into it, and those that stay apart."""

import pytest
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import RequestFactory

from tests.shop.models import Order, RushOrder
from trackmate import tracker
from trackmate.activity import Activity, Target
from trackmate.capture.outcomes import action_name
from trackmate.context.scope import current_scope
from trackmate.enums import ActionType, Source, Status
from trackmate.middleware import TrackmateMiddleware
from trackmate.pipeline import record, record_if_kept

pytestmark = pytest.mark.django_db

ALICE = {"actor_id": 7, "actor_label": "alice"}
ORDER = Target(model="shop.order", object_id="7", object_repr="Order 7")
OTHER = Target(model="shop.order", object_id="8", object_repr="Order 8")


def auth(action_type=ActionType.ACTION, action="auth.password.change", **values):
    return Activity.now(source=Source.AUTH, action_type=action_type, action=action, **values)


def login(**values):
    return auth(ActionType.LOGIN, "auth.login", **{**ALICE, **values})


def failed_login(**values):
    return auth(ActionType.LOGIN_FAILED, "auth.login", status=Status.FAILED, **values)


def logout():
    return auth(ActionType.LOGOUT, "auth.logout", **ALICE)


def entry(target=ORDER, action_type=ActionType.DELETE, **values):
    action = f"shop.order.{action_type.lower()}"
    return Activity.now(
        source=Source.ADMIN, action_type=action_type, action=action, target=target, **values
    )


@pytest.fixture
def respond(activities):
    """Return the activities of a request during which events happen."""

    def send(*events, status=200, view=None, path="/there/"):
        def answer(request):
            for event in events:
                record(event)
            return view(request) if view else HttpResponse(status=status)

        request = RequestFactory().post(path, {}, content_type="application/json")
        response = TrackmateMiddleware(answer)(request)
        request.close()
        assert response is not None
        return activities

    return send


def summary(activities):
    return [(each.source, each.action_type, each.action) for each in activities]


LOGIN = ("auth", "Login", "auth.login")
PASSWORD = ("auth", "Action", "auth.password.change")
PLAIN = ("request", "Action", "")


@pytest.mark.parametrize(
    ("events", "rows"),
    [
        ([], [PLAIN]),
        ([login()], [LOGIN]),
        ([logout()], [("auth", "Logout", "auth.logout")]),
        ([login(), login()], [LOGIN]),
        ([failed_login()], [("auth", "Login Failed", "auth.login")]),
        ([failed_login(), failed_login()], [("auth", "Login Failed", "auth.login")] * 2),
        ([failed_login(), login()], [LOGIN, ("auth", "Login Failed", "auth.login")]),
        ([login(), auth(action="auth.mfa.use")], [LOGIN, ("auth", "Action", "auth.mfa.use")]),
        ([auth()], [PASSWORD]),
        ([auth(target=ORDER), entry()], [PASSWORD]),
        ([auth(target=OTHER), entry()], [PASSWORD, ("admin", "Delete", "shop.order.delete")]),
        ([entry()], [("admin", "Delete", "shop.order.delete")]),
        ([entry(), entry()], [("admin", "Delete", "shop.order.delete")]),
    ],
)
def test_a_request_and_its_event_are_one_row(respond, events, rows):
    assert summary(respond(*events)) == rows


def test_a_row_has_the_facts_of_the_request_and_of_the_event(respond):
    (row,) = respond(entry(changes={"number": ["7", None]}, remarks="Deleted.", extra={"a": 1}))
    assert (row.method, row.path, row.status_code) == ("POST", "/there/", 200)
    assert (row.target, row.changes, row.remarks) == (ORDER, {"number": ["7", None]}, "Deleted.")
    assert row.extra == {"a": 1}


def test_a_login_names_who_has_logged_in(respond):
    (row,) = respond(login())
    assert (row.actor_id, row.actor_label) == (7, "alice")


def test_a_failed_login_is_a_failure_whatever_the_answer(respond):
    (row,) = respond(failed_login(target=ORDER))
    assert (row.status, row.status_code) == ("Failed", 200)
    assert (row.actor_id, row.actor_label, row.target) == (None, "", ORDER)


def test_an_event_stays_apart_from_a_request_that_failed_after_it(respond):
    rows = respond(login(), status=500)
    assert summary(rows) == [("request", "Action", ""), LOGIN]
    assert [row.status for row in rows] == ["Failed", "Success"]


def test_one_thing_done_to_several_objects_has_a_row_for_each(respond):
    rows = respond(entry(ORDER), entry(OTHER))
    assert [row.target for row in rows] == [None, ORDER, OTHER]
    assert {row.action for row in rows} == {"shop.order.delete"}
    assert rows[0].extra == {"objects": 2}
    assert {row.path for row in rows} == {"/there/"}


def test_several_things_are_not_one(respond):
    rows = respond(entry(ORDER), entry(OTHER, ActionType.UPDATE))
    assert [row.action for row in rows] == ["", "shop.order.delete", "shop.order.update"]


def test_a_request_that_is_not_recorded_keeps_its_events_without_its_data(respond, configure):
    configure(EXCLUDE_PATHS=["/there/"])
    (row,) = respond(login())
    assert (row.action, row.path) == ("auth.login", "/there/")
    assert row.status_code is None


def test_a_login_is_recorded_however_few_requests_are(respond, configure):
    configure(SAMPLE_RATE=0.0)
    assert summary(respond(login())) == [LOGIN]


def test_what_a_decorator_says_comes_before_all_else(respond):
    @tracker(action="portal.entered", action_type="Enter")
    def view(request):
        record(login())
        return HttpResponse()

    (row,) = respond(view=view)
    assert (row.source, row.action, row.action_type) == ("auth", "portal.entered", "Enter")
    assert row.actor_label == "alice"


def test_an_event_comes_before_what_the_framework_says(respond):
    def view(request):
        current_scope().describe_outcome = lambda activity, response: activity.replace(
            action="shop.order.create", action_type="Create"
        )
        record(login())
        return HttpResponse()

    assert summary(respond(view=view)) == [LOGIN]


def test_a_framework_that_fails_costs_no_row(respond):
    def view(request):
        current_scope().describe_outcome = lambda activity, response: 1 / 0
        return HttpResponse()

    assert summary(respond(view=view)) == [PLAIN]


# --- what was rolled back --------------------------------------------------------------------


def roll_back(request):
    with transaction.atomic():
        record_if_kept(entry(), "default")
        transaction.set_rollback(True)
    return HttpResponse()


def roll_back_an_inner_block(request):
    with transaction.atomic():
        roll_back(request)
        record_if_kept(entry(OTHER, ActionType.UPDATE), "default")
    return HttpResponse()


def roll_back_a_savepoint_by_name(request):
    with transaction.atomic():
        sid = connection.savepoint()
        record_if_kept(entry(), "default")
        connection.savepoint_rollback(sid=sid)
    return HttpResponse()


def commit(request):
    with transaction.atomic():
        record_if_kept(entry(), "default")
    return HttpResponse()


def autocommit(request):
    record_if_kept(entry(), "default")
    return HttpResponse()


OF_TRANSACTIONS = [
    (roll_back, [""]),
    (roll_back_an_inner_block, ["shop.order.update"]),
    (roll_back_a_savepoint_by_name, [""]),
    (commit, ["shop.order.delete"]),
    (autocommit, ["shop.order.delete"]),
]


@pytest.mark.parametrize(("view", "actions"), OF_TRANSACTIONS)
def test_nothing_is_claimed_that_was_rolled_back(respond, view, actions):
    assert [row.action for row in respond(view=view)] == actions


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("view", "actions"), OF_TRANSACTIONS)
def test_the_same_where_transactions_are_committed(respond, view, actions):
    assert [row.action for row in respond(view=view)] == actions


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("end", "actions"), [(transaction.rollback, [""]), (transaction.commit, ["shop.order.delete"])]
)
def test_a_transaction_without_a_block_counts_as_well(respond, end, actions):
    def view(request):
        transaction.set_autocommit(False)
        try:
            connection.ensure_connection()
            record_if_kept(entry(), "default")
            end()
        finally:
            transaction.set_autocommit(True)
        return HttpResponse()

    assert [row.action for row in respond(view=view)] == actions


def test_a_committed_transaction_stays_when_the_next_is_rolled_back(respond):
    def view(request):
        record_if_kept(entry(), "default")
        return roll_back_an_inner_block(request)

    assert [row.target for row in respond(view=view)] == [None, ORDER, OTHER]


def test_callbacks_of_the_project_can_be_counted(respond, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as callbacks:
        respond(view=commit)
    assert callbacks == []


def test_outside_a_request_a_row_is_a_part_of_the_transaction(activities):
    record_if_kept(entry(), "default")
    assert [row.action for row in activities] == ["shop.order.delete"]


@pytest.mark.django_db(transaction=True, databases=["default", "apart"])
def test_with_a_log_apart_a_row_waits_for_the_commit(activities, configure):
    configure(DATABASE="apart")
    roll_back(None)
    assert activities == []
    with transaction.atomic():
        record_if_kept(entry(), "default")
        assert activities == []
    assert [row.action for row in activities] == ["shop.order.delete"]


# --- names and labels ------------------------------------------------------------------------


def test_an_action_is_named_by_the_model_that_has_the_table():
    assert action_name(Order, "update") == action_name(RushOrder, "update") == "shop.order.update"


def test_a_text_that_needs_a_query_is_replaced(monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(Order, "__str__", lambda order: f"One of {Order.objects.count()}")
    with django_assert_num_queries(0):
        target = Target.without_query(Order(pk=7))
    assert target == Target(model="shop.order", object_id="7", object_repr="Order (7)")
