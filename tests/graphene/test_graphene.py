"""The views of graphene-django: a row says which operation it was and how it went."""

import json

import pytest
from django.contrib.auth import get_user_model

SECRET = "Xk7-plum-91"
CREATE = "graphql.mutation.createOrder"

pytestmark = pytest.mark.django_db


def only(activities):
    (activity,) = activities
    return activity


def send(client, data, path="/graphene/"):
    return client.post(path, data, content_type="application/json")


@pytest.mark.parametrize(
    ("query", "action", "action_type", "status"),
    [
        ("{ hello }", "graphql.query.hello", "Read", "Success"),
        ("query Any { alias: hello }", "graphql.query.hello", "Read", "Success"),
        ("{ ...F } fragment F on Query { hello }", "graphql.query.hello", "Read", "Success"),
        ("{ hello broken }", "graphql.query.hello+broken", "Read", "Failed"),
        ('mutation { createOrder(number: "7") { number } }', CREATE, "Action", "Success"),
        ('mutation { createOrder(number: "0") { number } }', CREATE, "Action", "Failed"),
        ("mutation { createOrder { number } }", CREATE, "Action", "Failed"),
        ("{ unheard }", "graphql.query", "Read", "Failed"),
        ("{ hello ", "graphql.invalid", "Action", "Failed"),
    ],
)  # fmt: skip
def test_a_row_says_what_was_done(client, activities, query, action, action_type, status):
    send(client, {"query": query})
    activity = only(activities)
    assert (activity.action, activity.action_type, activity.status) == (action, action_type, status)


def test_errors_are_counted_without_their_messages(client, activities):
    assert send(client, {"query": "{ broken }"}).status_code == 200
    activity = only(activities)
    facts = {"errors": 1, "paths": ["broken"], "exceptions": {"NotAllowedError": 1}}
    assert activity.extra["graphql"] == facts
    assert "swordfish" not in repr(activity)


def test_a_login_is_a_login(client, activities):
    get_user_model().objects.create_user("alice", password=SECRET)
    query = 'mutation($p: String!) { login(username: "alice", password: $p) { ok } }'
    send(client, {"query": query, "variables": {"p": SECRET}})
    activity = only(activities)
    assert (activity.action, activity.actor_label) == ("auth.login", "alice")
    assert SECRET not in repr(activity)


def test_a_failed_login_is_failed(client, activities):
    query = f'mutation {{ login(username: "alice", password: "{SECRET}") {{ ok }} }}'
    send(client, {"query": query})
    activity = only(activities)
    assert (activity.action_type, activity.status) == ("Login Failed", "Failed")
    assert SECRET not in repr(activity)


def test_a_body_that_is_a_query_is_kept_with_its_variables(client, activities):
    query = "mutation($n: String!, $k: String) { createOrder(number: $n, apiKey: $k) { number } }"
    variables = json.dumps({"n": "7", "k": SECRET})
    response = client.generic(
        "POST", "/graphene/", query, "application/graphql", query_params={"variables": variables}
    )
    assert response.json() == {"data": {"createOrder": {"number": "7"}}}
    activity = only(activities)
    assert activity.action == "graphql.mutation.createOrder"
    assert "createOrder" in activity.data["query"]
    assert '"n": "7"' in activity.data["variables"]
    assert SECRET not in repr(activity)


@pytest.mark.parametrize("body", [b"\xff\xfe", b"", b"(" * 5000, b'{a(password: "' + b"x" * 100])
def test_a_body_of_any_kind_is_recorded(client, activities, body):
    client.raise_request_exception = False
    client.generic("POST", "/graphene/?variables=(", body, "application/graphql")
    assert only(activities).status == "Failed"


def test_a_batch_counts_its_operations(client, activities):
    order = 'mutation { createOrder(number: "7") { number } }'
    send(client, json.dumps([{"query": q} for q in ("{ hello }", order)]), "/graphene/batch/")
    assert only(activities).action == "graphql.batch"
    assert only(activities).extra["graphql"]["operations"] == {
        "graphql.query.hello": 1,
        "graphql.mutation.createOrder": 1,
    }


def test_a_query_by_get_is_a_read(client, activities):
    client.get("/graphene/", {"query": "{ hello }"})
    assert (only(activities).action, only(activities).action_type) == (
        "graphql.query.hello",
        "Read",
    )


def test_the_page_to_try_queries_is_a_page(client, activities):
    client.get("/graphene/", headers={"accept": "text/html"})
    assert (only(activities).action, only(activities).status) == ("graphene/", "Success")
