"""GraphQL views of Strawberry and Ariadne: a row says which operation it was and how it went."""

import asyncio
import json

import pytest
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import AsyncClient

from tests.packages.graphql_schemas import schema

SYNC = ["/strawberry/", "/ariadne/"]
VIEWS = [*SYNC, "/strawberry/async/"]
SECRET = "Xk7-plum-91"
CREATE, CANCEL = "graphql.mutation.createOrder", "graphql.mutation.cancelOrder"

pytestmark = pytest.mark.django_db


def only(activities):
    (activity,) = activities
    return activity


def send(client, path, data, **options):
    """Return the response of a view to a JSON body."""
    if "async" not in path:
        return client.post(path, data, content_type="application/json", **options)

    async def ask():
        return await AsyncClient().post(path, data, content_type="application/json", **options)

    return asyncio.run(ask())


@pytest.mark.parametrize("path", VIEWS)
@pytest.mark.parametrize(
    ("query", "action", "action_type", "status"),
    [
        ("{ hello }", "graphql.query.hello", "Read", "Success"),
        ("query A { hello @include(if: true) }", "graphql.query.hello", "Read", "Success"),
        ("{ alias: hello, other: hello }", "graphql.query.hello", "Read", "Success"),
        ("{ ...F } fragment F on Query { hello }", "graphql.query.hello", "Read", "Success"),
        ("{ ... { hello } __typename }", "graphql.query.hello", "Read", "Success"),
        ("{ __typename }", "graphql.query", "Read", "Success"),
        ("{ __schema { types { name } } }", "graphql.query.__schema", "Read", "Success"),
        ("{ hello broken }", "graphql.query.hello+broken", "Read", "Failed"),
        ('mutation { createOrder(order: {number: "7"}) }', CREATE, "Action", "Success"),
        ('mutation { cancelOrder(number: "7") }', CANCEL, "Action", "Failed"),
        ("{ hello(unheard: 1) }", "graphql.query.hello", "Read", "Failed"),
        ("{ unheard }", "graphql.query", "Read", "Failed"),
        ("mutation { createOrder }", CREATE, "Action", "Failed"),
        ("{ hello ", "graphql.invalid", "Action", "Failed"),
        ("not GraphQL", "graphql.invalid", "Action", "Failed"),
    ],
)  # fmt: skip
def test_a_row_says_what_was_done(client, activities, path, query, action, action_type, status):
    send(client, path, {"query": query})
    activity = only(activities)
    assert (activity.action, activity.action_type, activity.status) == (action, action_type, status)
    assert activity.route == path[1:]


@pytest.mark.parametrize("path", VIEWS)
def test_the_same_operation_is_the_same_action_whatever_its_client_calls_it(
    client, activities, path
):
    for name in ("Hello", "Bye", "A" * 500):
        send(client, path, {"query": f"query {name} {{ hello }}", "operationName": name})
    assert {each.action for each in activities} == {"graphql.query.hello"}
    names = [each.extra["graphql"]["operation"] for each in activities]
    assert names == ["Hello", "Bye", "A" * 64]


@pytest.mark.parametrize("path", VIEWS)
def test_the_operation_that_is_named_is_the_one(client, activities, path):
    query = 'query A { hello } mutation B { createOrder(order: {number: "7"}) }'
    send(client, path, {"query": query, "operationName": "B"})
    assert only(activities).action == "graphql.mutation.createOrder"


@pytest.mark.parametrize("path", VIEWS)
def test_an_operation_that_cannot_be_told_is_failed(client, activities, path):
    send(client, path, {"query": "query A { hello }", "operationName": "C"})
    assert only(activities).status == "Failed"


@pytest.mark.parametrize("path", VIEWS)
def test_errors_are_counted_without_their_messages(client, activities, path):
    send(client, path, {"query": "{ broken a: broken }"})
    activity = only(activities)
    assert activity.status_code == 200
    assert activity.extra["graphql"] == {
        "errors": 2,
        "paths": ["broken", "a"],
        "exceptions": {"NotAllowedError": 2},
    }
    assert "swordfish" not in repr(activity)


@pytest.mark.parametrize("path", VIEWS)
@pytest.mark.parametrize(
    "data",
    [
        {"query": f'mutation {{ login(username: "bob", password: "{SECRET}") }}'},
        {"query": f'mutation {{ login(username: "bob", password: """{SECRET}""") }}'},
        {"query": f'mutation {{ login(username: "bob", password # : 1\n,: "{SECRET}") }}'},
        {
            "query": "mutation L($u: String!, $p: String!) { login(username: $u, password: $p) }",
            "variables": {"u": "bob", "p": SECRET},
        },
        {
            "query": f'mutation($p: String = "{SECRET}") {{ login(username: "", password: $p) }}',
            "variables": {},
        },
        {
            "query": "mutation O($o: OrderInput!) { createOrder(order: $o) }",
            "variables": {"o": {"number": "7", "apiKey": SECRET}},
        },
        {"query": f'mutation {{ createOrder(order: {{number: "7", apiKey: "{SECRET}"}}) }}'},
        {"query": f'mutation {{ createOrder(order: {{number: 7, apiKey: "{SECRET}"}}) }}'},
    ],
)
def test_no_secret_of_an_operation_is_in_its_row(client, activities, configure, path, data):
    configure(CAPTURE_RESPONSE=True)
    send(client, path, data)
    assert activities
    assert SECRET not in repr(activities)


@pytest.mark.parametrize("path", SYNC)
def test_a_login_is_a_login(client, activities, path):
    get_user_model().objects.create_user("alice", password=SECRET)
    query = f'mutation {{ login(username: "alice", password: "{SECRET}") }}'
    send(client, path, {"query": query})
    activity = only(activities)
    assert (activity.action, activity.action_type) == ("auth.login", "Login")
    assert (activity.actor_label, activity.status) == ("alice", "Success")


@pytest.mark.parametrize("path", VIEWS)
def test_persisted_queries_are_as_they_are_told(client, activities, path):
    """Neither knows one by its hash: the request has no query."""
    send(client, path, {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "ab" * 32}}})
    assert only(activities).status == "Failed"


@pytest.mark.parametrize("path", VIEWS)
@pytest.mark.parametrize(
    "body",
    [
        *("", "null", "[]", "7", "[7]", "\x00"),
        *('{"query": 7}', '{"query": null}', '{"query": {"a": "("}}'),
        '{"query": "{ hello }", "variables": "("}',
        '{"query": "' + "{" * 5000 + '"}',
    ],
)
def test_a_body_of_any_shape_is_recorded_and_answered_as_without_us(
    client, activities, configure, path, body
):
    def answer():
        client.raise_request_exception = False
        try:
            response = send(client, path, body)
        except Exception as error:  # noqa: BLE001
            return type(error)
        return response.status_code, response.content

    recorded = answer()
    assert len(activities) == 1
    configure(ENABLED=False)
    assert answer() == recorded


def test_a_batch_counts_its_operations(client, activities):
    order = 'mutation { createOrder(order: {number: "7"}) }'
    queries = ["{ hello }", "query { hello }", order, "{ broken }"]
    send(client, "/strawberry/", json.dumps([{"query": query} for query in queries]))
    activity = only(activities)
    assert (activity.action, activity.action_type) == ("graphql.batch", "Action")
    assert activity.status == "Failed"
    assert activity.extra["graphql"]["operations"] == {
        "graphql.query.hello": 2,
        "graphql.mutation.createOrder": 1,
        "graphql.query.broken": 1,
    }


def test_a_batch_of_one_kind_is_that_kind(client, activities):
    send(client, "/strawberry/", json.dumps([{"query": "{ hello }"}] * 3))
    assert only(activities).action == "graphql.query.hello"
    assert only(activities).extra["graphql"]["operations"] == {"graphql.query.hello": 3}


def test_no_secret_of_a_batch_is_in_its_row(client, activities):
    one = {"query": "mutation($p: String!) { login(username: $p, password: $p) }"}
    send(client, "/strawberry/", json.dumps([one | {"variables": {"p": SECRET}}] * 2))
    assert SECRET not in repr(activities)


def test_a_query_by_get_is_a_read(client, activities):
    parameters = {"query": "query($p: String) { hello(name: $p) }", "variables": '{"p": "Ann"}'}
    assert client.get("/strawberry/", parameters).json() == {"data": {"hello": "hello Ann"}}
    assert (only(activities).action, only(activities).action_type) == (
        "graphql.query.hello",
        "Read",
    )
    assert "Ann" in only(activities).extra["query"]


def test_a_mutation_by_get_is_refused_and_leaves_no_secret(client, activities):
    query = "mutation($p: String!) { login(username: $p, password: $p) }"
    client.get("/strawberry/", {"query": query, "variables": json.dumps({"p": SECRET})})
    assert only(activities).status == "Failed"
    assert SECRET not in repr(activities)


def test_an_upload_is_a_mutation(client, activities):
    operations = {"query": "mutation($f: Upload!) { upload(file: $f) }", "variables": {"f": None}}
    data = {"operations": json.dumps(operations), "map": '{"0": ["variables.f"]}'}
    file = SimpleUploadedFile("a.txt", b"four")
    response = client.post("/strawberry/", {**data, "0": file})
    assert response.json() == {"data": {"upload": 4}}
    activity = only(activities)
    assert (activity.action, activity.status) == ("graphql.mutation.upload", "Success")
    assert "upload(file" in activity.data["operations"]


def test_the_page_to_try_queries_is_a_page(client, activities):
    client.get("/strawberry/", headers={"accept": "text/html"})
    assert (only(activities).action, only(activities).action_type) == ("strawberry/", "Read")


def test_another_view_that_uses_a_schema_stays_what_it_is(client, activities):
    assert client.post("/page-with-query/").content == b"hello "
    assert (only(activities).action, only(activities).action_type) == (
        "page-with-query/",
        "Action",
    )


@pytest.mark.parametrize("path", SYNC)
def test_a_row_costs_no_query(client, activities, django_assert_num_queries, path):
    send(client, path, {"query": "{ hello }"})
    with django_assert_num_queries(1):
        send(client, path, {"query": "{ people }"})


def test_outside_of_a_request_nothing_is_recorded(activities):
    assert schema.execute_sync("{ hello }").data == {"hello": "hello "}
    assert activities == []
