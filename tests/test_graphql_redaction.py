"""Secrets in GraphQL operations, wherever they are passed and whatever variables are called."""

import json

import pytest

from trackmate.capture.requests import MAX_QUERY
from trackmate.redaction.graphql import MAX_DOCUMENT, find_arguments
from trackmate.redaction.known_secrets import MASK
from trackmate.redaction.redactor import get_redactor

SECRET = "Xk7-plum-91"


def masked(data):
    return get_redactor().mask_data(data)


@pytest.mark.parametrize(
    "argument",
    [
        f'password: "{SECRET}"',
        f'password:"{SECRET}"',
        f'password : \n\t"{SECRET}"',
        f'password:, ,"{SECRET}"',
        f'password # a: "b"\n: # c\n "{SECRET}"',
        f'password: """{SECRET}"""',
        f'password: """a "quoted" {SECRET}"""',
        f'password: "a \\" {SECRET}"',
        f'password: ["{SECRET}", "{SECRET}"]',
        f'password: {{old: "{SECRET}", new: {{again: "{SECRET}"}}}}',
        f'password: "{SECRET}',
        f'input: {{user: "bob", newPassword: "{SECRET}"}}',
        f'input: [{{api_key: "{SECRET}"}}]',
        f'clientSecret: "{SECRET}"',
        f'text: "not, (a: 1) {{", password: "{SECRET}"',
    ],
)
def test_a_literal_of_a_secret_argument_is_masked(argument):
    data = masked({"query": f"mutation {{ a: login({argument}) {{ ok }} }}"})
    assert SECRET not in repr(data)
    assert "login(" in data["query"]


@pytest.mark.parametrize(
    "query",
    [
        "mutation L($p: String!) { login(password: $p) { ok } }",
        "mutation L($p: String!) { login(password : , $p) { ok } }",
        "mutation L($p: [String!]!) { login(password: [$p]) { ok } }",
        "mutation L($p: String!) { login(input: {name: $u, password: $p}) { ok } }",
        "mutation L($u: String, $p: P) { login(name: $u) { ok } b: login(password: $p) }",
        "fragment F on M { login(password: $p) } mutation($p: P) { ...F }",
        "mutation($p: P) { say(text: $p) login(password: $p) }",
    ],
)
@pytest.mark.parametrize("value", [SECRET, [SECRET], {"deep": [SECRET]}, SECRET * 2000])
def test_a_variable_is_as_secret_as_the_argument_it_is_passed_to(query, value):
    variables = {"u": "bob", "p": value, "other": "stays"}
    for given in (variables, json.dumps(variables)):
        data = masked({"query": query, "variables": given})
        assert SECRET not in repr(data)
        assert "stays" in repr(data)


def test_the_default_of_a_secret_variable_is_masked():
    for name, argument in (("p", "password"), ("password", "text")):
        query = f'mutation(${name}: [String!]! = ["{SECRET}"]) {{ login({argument}: ${name}) }}'
        assert SECRET not in repr(masked({"query": query}))


def test_a_batch_and_what_is_inside_a_form_are_masked_too():
    one = {"query": "mutation($p: P) { login(password: $p) }", "variables": {"p": SECRET}}
    assert SECRET not in repr(masked([one, one]))
    assert SECRET not in repr(masked({"operations": json.dumps(one), "map": "{}"}))


@pytest.mark.parametrize("length", [0, MAX_QUERY])
def test_a_query_string_is_masked_too(length):
    query = f"query($p: P) {{ hello(token: $p) }}&variables={{%22p%22:%22{SECRET}%22}}"
    if length:
        query = query.removesuffix("%22}")  # cut
    assert SECRET not in get_redactor().mask_query(f"query={query}")


@pytest.mark.parametrize(
    "data",
    [
        {"query": 'query { orders(number: "A-7", token_type: "x", after: "abc") { id } }'},
        {"query": "query($n: Int = 7) { orders(first: $n) { id } }", "variables": {"n": 7}},
        {"query": "{ token: orders { password: id } }", "variables": {"token_count": 7}},
        {"query": "mutation($p: String) { say(text: $p) }", "variables": {"p": "hello"}},
        {"query": "plain words (about: something) {", "variables": "and more"},
        {"query": 7, "variables": {"p": "hello"}},
        {"query": "mutation($p: P) { login(password: $p) }", "variables": {"p": None}},
    ],
)
def test_what_is_no_secret_stays(data):
    safe = masked(data)
    assert safe["variables" if "variables" in data else "query"] == data.get(
        "variables", data["query"]
    )


def test_the_data_of_the_view_are_not_changed():
    data = {"query": "mutation($p: P) { login(password: $p) }", "variables": {"p": SECRET}}
    assert masked(data)["variables"] == {"p": MASK}
    assert data["variables"] == {"p": SECRET}


def test_what_is_masked_is_masked_in_other_texts_too():
    redactor = get_redactor()
    redactor.mask_data({"query": f'mutation {{ login(password: "{SECRET}") }}'})
    assert redactor.known_secrets.mask(f"wrong: {SECRET}") == f"wrong: {MASK}"


@pytest.mark.parametrize(
    "text",
    [
        "{a(" + "password:{" * 10_000,
        "{a(" + "password:[" * 10_000 + "]" * 10_000,
        "{a(" + "password:$" * 10_000,
        "{a(password:" + '"' * 50_001,
        '{a(password:"""' + "\\" * 50_000,
        "{a($" + "a:[" * 20_000,
        "{a(password" + "#\n" * 30_000 + ":1",
        "(" * 100_000 + "{",
        "{" + ")" * 100_000 + "(a:1",
        "{a(password:",
        "{a(password:$",
        "{a($password:",
        "{a($password:=",
    ],
    ids=range(13),
)
def test_a_document_of_any_shape_is_searched_once(text):
    assert len(list(find_arguments(text, bool))) <= MAX_DOCUMENT
    variables = masked({"query": text, "variables": {"a": 1}})["variables"]
    assert variables == ({"a": 1} if len(text) <= MAX_DOCUMENT else MASK)


def test_of_a_query_that_is_too_long_no_variable_is_kept():
    query = "mutation($p: P) { say " + " " * MAX_DOCUMENT + "login(password: $p) }"
    for variables in ({"p": SECRET}, json.dumps({"p": SECRET}), f'{{"p": "{SECRET}'):
        assert SECRET not in repr(masked({"query": query, "variables": variables}))
