"""Texts that quote what was sent: masked where it is known what that was, else withheld."""

import json
from base64 import b64decode, b64encode
from urllib.parse import urlencode

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection
from django.http import HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from rest_framework.response import Response
from rest_framework.views import APIView

from tests.shop.models import Country
from trackmate import bind, track, tracker, tracking
from trackmate.db.errors import primary_message
from trackmate.models import ActivityLog
from trackmate.processors import WITHHELD
from trackmate.redaction.known_secrets import MASK
from trackmate.redaction.redactor import get_redactor

pytestmark = [pytest.mark.urls(__name__), pytest.mark.database]

SECRET = "hunter2"
JSON, FORM = "application/json", "application/x-www-form-urlencoded"


def quoting(text):
    """Put a text wherever a project can."""
    track("quoted", remarks=f"said {text}", extra={"note": [f"said {text}"]})
    return JsonResponse({"echo": f"said {text}"})


def text_of(request):
    return (request.body or b"").decode()


def echo(request):
    return quoting(text_of(request))


def fail(request):
    raise ValueError(f"bad: {text_of(request)}")


def fail_after_streaming(request):
    raise ValueError(f"bad: {request.read().decode()}")


def ignore(request):
    raise ValueError("unrelated")


def fail_with_file(request):
    raise ValueError(f"bad: {request.FILES['file'].read().decode()}")


def fail_with_cookie(request):
    raise ValueError(f"bad: {request.COOKIES['sessionid']}")


def fail_after_looking(request):
    assert not request.POST
    fail_after_streaming(request)


class Api(APIView):
    def post(self, request):
        return Response(json.loads(quoting(json.dumps(request.data)).content))


def remark(request, response):
    return f"got {text_of(request)}"


def quote_query(request):
    quoting(request.GET["token"])
    raise ValueError(f"bad: {request.GET['token']}")


def quote_headers(request):
    quoting(" ".join((request.headers["X-Thing-Key"], request.COOKIES["remember"])))
    raise ValueError(f"bad: {b64decode(request.headers['Authorization'].split()[1])}")


def name_everything(request):
    token = json.loads(request.body)["token"]
    extra = {token: 1, "n": [47114711]}
    with bind(actor=f"key {token}", request_id=f"r-{token}"):
        track(f"used {token}", action_type=f"T {token}", remarks=token, extra=extra)
    return JsonResponse({"n": 47114711, token: 1})


def approve(request):
    with bind(actor="superuser"):
        track("invoice.approved", action_type="Approved")
    return HttpResponse("ok")


views = {
    "headers": quote_headers,
    "approve": approve,
    "names": name_everything,
    "quote-query": quote_query,
    "echo": echo,
    "fail": fail,
    "stream": fail_after_streaming,
    "look": fail_after_looking,
    "ignore": ignore,
    "file": fail_with_file,
    "cookie": fail_with_cookie,
    "private": tracker(capture_data=False)(echo),
    "fail-private": tracker(capture_data=False)(fail),
    "remark": tracker(remarks=remark)(lambda request: HttpResponse(text_of(request))),
    "fixed-remark": tracker(remarks="approved")(lambda request: HttpResponse(text_of(request))),
    "own-data": tracker(data={"rows": 3}, remarks=remark)(fail),
    "api": Api.as_view(),
}
urlpatterns = [path(f"{name}/", csrf_exempt(view)) for name, view in views.items()]

NESTED = {"password": {"a": [SECRET], "n": 47114711}}
MANY = {f"token{number}": f"secret-{number:03}" for number in range(30)} | {"password": SECRET}
LARGE = {"filler": "x" * 70_000, "password": SECRET}
LONG = {"rows": [{"n": number} for number in range(2_000)], "password": SECRET}


@pytest.fixture(autouse=True)
def everything(db, configure, client):
    configure(CAPTURE_RESPONSE=True)
    client.raise_request_exception = False


def rows():
    return json.dumps(list(ActivityLog.objects.values()), default=str)


@pytest.mark.parametrize("view", ["echo", "fail", "private", "fail-private", "remark", "own-data"])
@pytest.mark.parametrize("content_type", [JSON, FORM])
@pytest.mark.parametrize("is_kept", [True, False])
def test_a_secret_that_was_sent_is_in_no_text(client, configure, view, content_type, is_kept):
    configure(CAPTURE_DATA=is_kept)
    body = {JSON: json.dumps({"password": SECRET, "a": "rest"}), FORM: f"password={SECRET}&a=rest"}
    client.generic("POST", f"/{view}/", body[content_type], content_type=content_type)
    assert SECRET not in rows()
    assert WITHHELD not in rows()
    assert "rest" in rows()


@pytest.mark.parametrize(
    "data", [NESTED, MANY, LARGE, LONG], ids=["nested", "many", "large", "long"]
)
@pytest.mark.parametrize("view", ["echo", "fail", "api", "private"])
def test_a_secret_beyond_what_is_kept_is_in_no_text(client, data, view):
    client.post(f"/{view}/", data, content_type=JSON)
    assert SECRET not in rows()
    assert "47114711" not in rows()


@pytest.mark.parametrize(
    ("view", "body", "content_type"),
    [
        ("echo", SECRET, "text/plain"),
        ("fail", f"<password>{SECRET}</password>", "application/xml"),
        ("stream", SECRET, "application/octet-stream"),
        ("echo", json.dumps({"filler": "x" * 1_100_000, "password": SECRET}), JSON),
        ("fail", f"{{{SECRET}", JSON),
        ("remark", SECRET, "text/csv"),
    ],
    ids=["text", "XML", "stream", "too large", "no JSON", "remark"],
)
def test_what_may_quote_unknown_data_is_withheld(client, view, body, content_type):
    client.generic("POST", f"/{view}/", body, content_type=content_type)
    assert SECRET not in rows()
    assert WITHHELD in rows()


MULTIPART = "multipart/form-data; boundary=B"
BODIES = {
    FORM: f"password={SECRET}",
    JSON: json.dumps({"password": SECRET}),
    MULTIPART: f'--B\r\nContent-Disposition: form-data; name="p"\r\n\r\n{SECRET}\r\n--B--\r\n',
    "text/plain": SECRET,
    "": SECRET,
}


@pytest.mark.parametrize("content_type", BODIES)
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("view", ["echo", "fail", "look"])
@pytest.mark.parametrize("is_kept", [True, False])
def test_what_django_parses_for_no_such_method_is_not_quoted(
    client, configure, view, method, content_type, is_kept
):
    configure(CAPTURE_DATA=is_kept)
    client.generic(method, f"/{view}/", BODIES[content_type], content_type=content_type)
    assert SECRET not in rows()
    assert WITHHELD in rows() or MASK in rows()


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", ""])
def test_what_was_streamed_is_not_quoted_after_a_look_for_a_form(client, content_type):
    client.generic("POST", "/look/", SECRET, content_type=content_type)
    assert SECRET not in rows()
    assert WITHHELD in rows()


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_form_is_kept_whatever_the_method(client, method):
    client.generic(method, "/ignore/", f"a=1&a=2&password={SECRET}", content_type=FORM)
    assert ActivityLog.objects.get().data == {"a": ["1", "2"], "password": MASK}


def test_of_an_exception_type_and_place_stay(client):
    client.generic("POST", "/fail/", SECRET, content_type="text/plain")
    exception = ActivityLog.objects.get(source="request").extra["exception"]
    assert exception["type"] == "ValueError"
    assert exception["message"] == WITHHELD
    assert "test_withheld.py:" in exception["place"]


def test_the_content_of_a_file_is_not_quoted(client):
    client.post("/file/", {"file": SimpleUploadedFile("a.csv", SECRET.encode())})
    assert SECRET not in rows()


def test_a_cookie_is_not_quoted(client):
    client.cookies["sessionid"] = SECRET
    client.get("/cookie/")
    assert SECRET not in rows()


def test_a_remark_that_the_project_wrote_beforehand_stays(client):
    client.generic("POST", "/fixed-remark/", SECRET, content_type="text/plain")
    assert ActivityLog.objects.get().remarks == "approved"


@pytest.mark.parametrize("body", ["", "hello"])
def test_an_exception_is_kept_whole_where_nothing_can_be_quoted(client, body):
    client.generic("GET", "/ignore/" if body else "/fail/", "")
    exception = ActivityLog.objects.get().extra["exception"]
    assert exception["message"] == ("unrelated" if body else "bad: ")


def test_data_of_the_request_are_not_withheld(client):
    client.post("/echo/", {"a": "rest", "password": SECRET}, content_type=JSON)
    row = ActivityLog.objects.get(source="request")
    assert row.data == {"a": "rest", "password": MASK}
    assert row.response == {"echo": f'said {{"a": "rest", "password": "{MASK}"}}'}


@pytest.mark.parametrize("view", ["echo", "fail", "private", "fail-private", "remark"])
@pytest.mark.parametrize("is_kept", [True, False])
def test_a_name_beside_a_password_is_in_no_text(client, configure, view, is_kept):
    configure(CAPTURE_DATA=is_kept)
    client.post(f"/{view}/", {"username": "MyS3cretTyped", "password": "x"}, content_type=JSON)
    assert "MyS3cretTyped" not in rows()


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_name_in_a_query_of_graphql_is_in_no_text(client, method):
    query = '{login(username:"MyS3cretTyped",password:"x"){token}}'
    getattr(client, method)(f"/ignore/?{urlencode({'query': query})}")
    assert "MyS3cretTyped" not in rows()
    assert "login" in rows()


def test_no_header_is_quoted(client):
    client.cookies["remember"] = "k3Jx9QpL2mVt7RwZ8aBc"
    basic = b64encode(f"bob:{SECRET}".encode()).decode()
    client.get("/headers/", headers={"X-Thing-Key": "abcdefgh", "Authorization": f"Basic {basic}"})
    assert ActivityLog.objects.count() == 2
    for secret in (SECRET, "abcdefgh", "k3Jx9QpL2mVt7RwZ8aBc", basic):
        assert secret not in rows()


def test_a_secret_in_a_query_beyond_what_is_kept_is_in_no_text(client):
    client.get(f"/quote-query/?pad={'x' * 3_000}&token={SECRET}")
    assert SECRET not in rows()


def test_a_secret_is_in_no_name_key_or_number(client):
    client.post("/names/", {"token": "Zebra77Tulip", "otp": "47114711"}, content_type=JSON)
    assert "Zebra77Tulip" not in rows()
    assert "47114711" not in rows()
    assert ActivityLog.objects.get(source="custom").action == f"used {MASK}"


def test_nobody_hides_an_action_by_sending_its_name_as_a_secret(client):
    data = {"token": "invoice.approved", "password": "superuser", "pin": "Approved"}
    client.post("/approve/", data, content_type=JSON)
    row = ActivityLog.objects.get(source="custom")
    assert (row.action, row.action_type, row.actor_label) == (
        "invoice.approved",
        "Approved",
        "superuser",
    )


# --- the texts of databases ----------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_database_is_not_quoted():
    Country.objects.create(code=SECRET[:2])
    with pytest.raises(Exception, match=r"."), tracking("copied"):
        Country.objects.create(code=SECRET[:2])
    message = ActivityLog.objects.get().extra["exception"]["message"]
    assert f"({SECRET[:2]})" not in message
    assert f"'{SECRET[:2]}'" not in message
    assert "code" in message or "PRIMARY" in message or "pkey" in message


@pytest.mark.django_db(transaction=True)
@pytest.mark.only_on("postgresql", "mysql")
def test_a_value_that_a_database_refuses_is_not_quoted():
    casts = {"postgresql": "SELECT CAST(%s AS integer)", "mysql": "SELECT JSON_EXTRACT(%s"}
    with pytest.raises(Exception, match=r"."), tracking("cast"), connection.cursor() as cursor:
        cursor.execute(casts[connection.vendor], [SECRET])
    assert SECRET not in rows()
    assert "[value]" in rows()


SAID = {
    'duplicate key value violates unique constraint "a_key"\nDETAIL:  Key (a)=(SECRET) exists.': (
        'duplicate key value violates unique constraint "a_key"'
    ),
    'null value in column "a" of relation "b" violates not-null constraint\nDETAIL:  SECRET': (
        'null value in column "a" of relation "b" violates not-null constraint'
    ),
    'invalid input syntax for type uuid: "SECRET"': "invalid input syntax for type uuid: [value]",
    'invalid input value for enum mood: "SE"CRET"': "invalid input value for enum mood: [value]",
    'value "SECRET" is out of range for type integer': (
        "value [value] is out of range for type integer"
    ),
    'syntax error at or near "SECRET"\nLINE 1: SELECT SECRET': "syntax error at or near [value]",
    'column "a" does not exist': 'column "a" does not exist',
    "ungültige Eingabesyntax für Typ uuid: »SECRET«": (
        "ungültige Eingabesyntax für Typ uuid: [value]"
    ),
    "syntaxe en entrée invalide pour le type integer : « SECRET »": (
        "syntaxe en entrée invalide pour le type integer : [value]"
    ),
    "UNIQUE constraint failed: a.b": "UNIQUE constraint failed: a.b",
    'near "SECRET": syntax error': "near [value]: syntax error",
    'unrecognized token: "SECRET': "unrecognized token: [value]",
    "Duplicate entry 'SE'CRET' for key 'a.b'": "Duplicate entry [value] for key 'a.b' (1062)",
    "Duplicate entry 'S' for key 'SECRET' for key 'a'": (
        "Duplicate entry [value] for key 'a' (1062)"
    ),
    "Incorrect integer value: 'SECRET' for column `a`.`b` at row 1": (
        "Incorrect integer value: [value] for column `a`.`b` at row 1 (1062)"
    ),
    "Data too long for column 'a' at row 1": "Data too long for column 'a' at row 1 (1062)",
    "Table 'a.b' doesn't exist": "Table 'a.b' doesn't exist (1062)",
    "Truncated incorrect DOUBLE value: 'SECRET'": (
        "Truncated incorrect DOUBLE value: [value] (1062)"
    ),
}


@pytest.mark.parametrize(("said", "kept"), SAID.items())
def test_of_what_a_database_says_the_values_are_left_out(said, kept):
    is_numbered = kept.endswith(" (1062)")
    error = IntegrityError(1062, said) if is_numbered else IntegrityError(said)
    assert primary_message(error) == kept


QUOTED = [
    "DETAIL:  Failing row contains (1, a\nb hunter2).",
    'invalid input syntax for type uuid: "hunter2"',
    "ungültige Eingabesyntax für Typ uuid: »hunter2«",
    "Schlüssel »(token)=(hunter2)« existiert bereits.",
    "DETAIL:  Fehlgeschlagene Zeile enthält (1, hunter2).",
    "La llave (lower(token::text))=(hunter2) ya existe.",
    "(1366, \"Incorrect integer value: 'hunter2' for column `a`.`b` at row 1\")",
    'value "hunter2" is out of range for type integer',
    'COPY t, line 1, column token: "hunter2"',
    "STATEMENT:  INSERT INTO t VALUES ('hunter2')",
    "[SQL: INSERT INTO t VALUES ('hunter2')]",
    "[parameters: ('hunter2',)]",
    "The duplicate key value is (hunter2).",
    "Conversion failed when converting the varchar value 'hunter2' to data type int.",
    "syntax error\nLINE 1: SELECT 'hunter2'",
    "unnamed portal parameter $1 = 'hunter2'",
]


@pytest.mark.parametrize("text", QUOTED)
def test_a_database_is_quoted_in_no_text_and_in_no_language(text):
    assert SECRET not in get_redactor().mask_text(text)
    assert SECRET not in get_redactor().mask_text(
        f"it said: {text}" if "LINE" not in text else text
    )


def test_a_message_with_many_names_takes_no_time():
    message = 'on "a" ' * 20_000
    assert primary_message(IntegrityError(message)) == message.strip()


def test_a_text_of_a_database_within_another_text_is_masked():
    text = "it said: Key (token)=(hunter2) exists.\nDETAIL:  Failing row contains (7, hunter2)."
    assert SECRET not in get_redactor().mask_text(text)
    assert get_redactor().mask_text("Duplicate entry 'hunter2' for key 'a'") == (
        f"Duplicate entry '{MASK}' for key 'a'"
    )


def test_a_secret_that_nothing_encodes_costs_no_row(client):
    client.post("/echo/", '{"password": "\\ud800", "a": "rest"}', content_type=JSON)
    assert ActivityLog.objects.count() == 2
