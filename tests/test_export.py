"""Exports: exactly what a list asks for, row by row, harmless, and on the record."""

import asyncio
import csv
import io
import json
import re
import zipfile
from contextlib import nullcontext
from datetime import datetime, timedelta
from html import unescape
from xml.etree import ElementTree as ET

import pytest
from asgiref.sync import sync_to_async
from django.contrib.contenttypes.models import ContentType
from django.db import OperationalError, connection, connections
from django.test import AsyncClient
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override

from tests.factories import activities, activity, at, person
from tests.shop.models import Order
from tests.urls_under_test import FRAGMENT, log_queries
from trackmate import selectors
from trackmate.dashboard.db.statement_timeout import StatementTimeoutError
from trackmate.dashboard.exports.formats import formats
from trackmate.dashboard.exports.writers import escape_formula, export_columns
from trackmate.dashboard.views import exports as exports_view
from trackmate.models import ActivityLog

pytestmark = [pytest.mark.database, pytest.mark.users, pytest.mark.django_db]

FORMATS = ("csv", "csv-bom", "ndjson", "xlsx")
OFFER = "/trackmate/activity/export/"


@pytest.fixture(autouse=True)
def unrecorded(configure):
    configure(TRACK_REQUESTS=False, TRACK_AUTH=False)


@pytest.fixture
def exporter(client):
    client.force_login(person("exporter", "export_activitylog", is_staff=True))
    return client


@pytest.fixture
def reader(client):
    client.force_login(person("reader", "export_activitylog", "view_payload", is_staff=True))
    return client


def url_of(kind):
    return reverse("trackmate:export", args=[kind])


def body_of(response):
    assert response.status_code == 200
    return b"".join(response.streaming_content)


def table_of(response):
    return list(csv.DictReader(io.StringIO(body_of(response).decode(), newline="")))


def marked_table_of(response):
    """Return the rows of a table for Excel, which begins with a byte order mark."""
    text = body_of(response).decode()
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:], newline="")))


def objects_of(response):
    return [json.loads(line) for line in body_of(response).decode().splitlines()]


def sheet_of(response):
    """Return the cells of a workbook's only sheet, row by row."""
    book = zipfile.ZipFile(io.BytesIO(body_of(response)))
    sheet = ET.fromstring(book.read("xl/worksheets/sheet1.xml"))
    name = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    assert not list(sheet.iter(f"{name}f")), "a formula"
    return [["".join(cell.itertext()) for cell in row] for row in sheet.iter(f"{name}row")]


def linked(response, part):
    """Return the address that a page's link to some part of the dashboard has."""
    [url] = re.findall(rf'href="(/trackmate/activity/{part}\?[^"]*)"', response.content.decode())
    return unescape(url)


def hang_up(response):
    """Close a response as the test client does, which leaves the test's connection open."""
    response._iterator.close()


def exports():
    return ActivityLog.objects.filter(action="trackmate.export")


# What is in it


def test_a_table_holds_everything_but_the_payload(exporter):
    kind = ContentType.objects.get_for_model(Order)
    row = activity(
        action="order.update",
        content_type_id=kind.pk,
        object_id="42",
        extra={"query": "a=1"},
        data={"secret": "of the payload"},
        execution_time=0.25,
    )
    response = exporter.get(url_of("csv"))
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(
        r'attachment; filename="activities-\d{8}-\d{6}\.csv"', response["Content-Disposition"]
    )
    [found] = table_of(response)
    assert list(found) == [*export_columns(lambda _dimension: True, with_payload=False)]
    assert found["id"] == str(row.pk)
    assert found["action_time"] == row.action_time.isoformat()
    assert (found["object_type"], found["object_id"]) == ("shop.order", "42")
    assert json.loads(found["extra"]) == {"query": "a=1"}
    assert (found["execution_time"], found["status_code"]) == ("0.25", "")
    assert "of the payload" not in repr(found)


def test_the_payload_needs_its_own_permission(reader):
    activity(data={"a": [1]}, changes={"b": [1, 2]})
    [found] = objects_of(reader.get(url_of("ndjson")))
    assert list(found) == [*export_columns(lambda _dimension: True, with_payload=True)]
    assert (found["data"], found["response"], found["changes"]) == ({"a": [1]}, None, {"b": [1, 2]})


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_contains_exactly_the_rows_of_the_list(exporter, kind):
    rows = activities(3, actor_label="ann", ip_address="10.2.3.4")
    activities(2, actor_label="bob")
    activity(actor_label="ann", ago=90_000)
    response = exporter.get(url_of(kind), {"actor": "ann", "range": "1h"})
    read = {"csv": table_of, "csv-bom": marked_table_of, "ndjson": objects_of, "xlsx": sheet_of}
    found = [row[0] if kind == "xlsx" else row["id"] for row in read[kind](response)]
    assert found[kind == "xlsx" :] == [str(row.pk) for row in rows]


def test_the_export_of_an_entity_page_has_its_filter(exporter):
    row = activity(ip_address="10.2.3.4")
    activity(ip_address="10.9.9.9")
    offer = linked(exporter.get("/trackmate/address/10.2.3.4/"), "export/")
    file = linked(exporter.get(offer), "export/ndjson/")
    assert [each["id"] for each in objects_of(exporter.get(file))] == [str(row.pk)]


def test_a_table_for_excel_keeps_its_letters(exporter):
    activity(actor_label="Zoë Šimůnková")
    response = exporter.get(linked(exporter.get(OFFER), "export/csv-bom/"))
    assert response["Content-Disposition"].endswith('.csv"')
    assert [row["actor_label"] for row in marked_table_of(response)] == ["Zoë Šimůnková"]


@pytest.mark.parametrize("kind", FORMATS)
def test_a_project_without_time_zones_exports_too(exporter, settings, kind):
    settings.USE_TZ = False
    activities(3)
    name = re.search(r'"activities-(.*)\.', exporter.head(url_of(kind))["Content-Disposition"])[1]
    named = at(*map(int, re.findall(r"(?:^\d{4}|\d\d)", name.replace("-", ""))[:5]))
    assert abs(timezone.make_aware(timezone.now()) - named) < timedelta(minutes=5)
    response = exporter.get(url_of(kind), {"range": "1h"})
    assert body_of(response)
    [told] = exports().values_list("data", flat=True)
    assert (told["rows"], told["since"][-6:], told["until"][-6:]) == (3, "+00:00", "+00:00")


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1+1", "\n=1", '=HYPERLINK("http://x")'],
)
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_no_cell_is_a_formula(exporter, kind, text):
    activity(remarks=text, path=text)
    if kind == "xlsx":
        cells = sheet_of(exporter.get(url_of(kind)))[1]
        assert any(cell.startswith("'") for cell in cells)
        return
    [found] = table_of(exporter.get(url_of(kind)))
    assert (found["remarks"], found["path"]) == (f"'{text}", f"'{text}")


@pytest.mark.parametrize("value", ["a=1", "", "1 - 2", None, -1, 0.5, "a@b.example"])
def test_what_is_no_formula_stays_as_it_is(value):
    assert escape_formula(value) == value


def test_quotes_commas_and_line_feeds_survive(exporter):
    activity(remarks='a "b",\r\nc', action="x,y")
    [found] = table_of(exporter.get(url_of("csv")))
    assert (found["remarks"], found["action"]) == ('a "b",\r\nc', "x,y")


# How it is read


@pytest.mark.parametrize("kind", FORMATS)
def test_rows_are_read_in_slices(exporter, monkeypatch, kind):
    monkeypatch.setattr("trackmate.selectors.rows.STREAM_SLICE", 10)
    activities(25)
    with CaptureQueriesContext(connection) as found:
        body_of(exporter.get(url_of(kind)))
    slices = [each["sql"] for each in found if 'FROM "trackmate_' in each["sql"].replace("`", '"')]
    assert len(slices) == 3
    assert not [sql for sql in slices if "OFFSET" in sql or "COUNT(" in sql]


def test_rows_are_read_when_they_are_sent(exporter, django_assert_num_queries, monkeypatch):
    monkeypatch.setattr("trackmate.dashboard.exports.streaming.BLOCK", 1)
    monkeypatch.setattr("trackmate.selectors.rows.STREAM_SLICE", 2)
    activities(5)
    response = exporter.get(url_of("csv"))
    blocks = iter(response.streaming_content)
    with django_assert_num_queries(0):
        heading, _first, _second = next(blocks), next(blocks), next(blocks)
    assert heading.startswith(b"id,")
    with CaptureQueriesContext(connection) as found:
        next(blocks)
    assert len(log_queries(found)) == 1
    hang_up(response)


@pytest.mark.parametrize("kind", FORMATS)
def test_an_export_ends_at_its_limit(exporter, configure, kind):
    configure(EXPORT_MAX_ROWS=2, TRACK_REQUESTS=False, TRACK_AUTH=False)
    activities(3)
    body_of(exporter.get(url_of(kind)))
    assert exports().get().data["rows"] == 2
    assert exports().get().data["is_complete"] is False


def test_an_export_of_exactly_the_limit_is_complete(exporter, configure):
    configure(EXPORT_MAX_ROWS=3, TRACK_REQUESTS=False, TRACK_AUTH=False)
    activities(3)
    assert len(table_of(exporter.get(url_of("csv")))) == 3
    assert exports().get().data["is_complete"] is True


# That it is on the record


def test_an_export_is_an_activity_of_its_own(exporter):
    activities(3, actor_label="ann")
    body_of(exporter.get(url_of("csv"), {"actor": "ann"}, headers={"user-agent": "tester"}))
    row = exports().get()
    assert (row.actor_label, row.action_type, row.status) == ("exporter", "Export", "Success")
    assert (row.ip_address, row.user_agent, row.method) == ("127.0.0.1", "tester", "GET")
    since, until = (datetime.fromisoformat(row.data.pop(name)) for name in ("since", "until"))
    assert timedelta(0) <= until - since - timedelta(hours=24) < timedelta(minutes=1)
    assert timedelta(0) <= row.action_time - until < timedelta(minutes=1)
    assert row.data == {
        "filters": {"actor": "ann"},
        "format": "csv",
        "rows": 3,
        "is_complete": True,
    }


def test_the_activity_of_an_export_contains_the_time_range(exporter):
    body_of(exporter.get(url_of("csv"), {"range": "custom", "start": "2026-11-01T10:00"}))
    object_page = {"page": "object", "object": "shop.order/7"}
    ContentType.objects.get_for_model(Order)
    body_of(exporter.get(url_of("csv"), object_page))
    ever, custom = exports().order_by("-pk")
    assert ever.data["since"] is None
    assert datetime.fromisoformat(custom.data["since"]) == at(2026, 11, 1, 10)


def test_an_export_that_the_client_aborts_is_recorded(exporter, monkeypatch):
    monkeypatch.setattr("trackmate.dashboard.exports.streaming.BLOCK", 1)
    activities(5)
    response = exporter.get(url_of("ndjson"))
    next(iter(response.streaming_content))
    hang_up(response)
    data = exports().get().data
    assert (data["format"], data["rows"], data["is_complete"]) == ("ndjson", 1, False)


@pytest.mark.django_db(transaction=True)
def test_an_asgi_server_gets_it_block_by_block(monkeypatch):
    monkeypatch.setattr("trackmate.dashboard.exports.streaming.BLOCK", 1)
    activities(3)
    who = person("exporter", "export_activitylog", is_staff=True)

    async def fetch():
        client = AsyncClient()
        await client.aforce_login(who)
        response = await client.get(url_of("ndjson"))
        blocks = [block async for block in response.streaming_content]
        await sync_to_async(connections.close_all)()
        return blocks

    blocks = asyncio.run(fetch())
    assert len([json.loads(block) for block in blocks if block]) == 3
    assert exports().get().data["rows"] == 3


# What is refused


def test_the_page_of_an_export_shows_the_filters(exporter, configure):
    configure(EXPORT_MAX_ROWS=1_234, TRACK_REQUESTS=False, TRACK_AUTH=False)
    params = {"page": "actor", "actor": "ann", "range": "7d", "q": 'method:POST "two words"'}
    page = exporter.get(OFFER, params).content.decode()
    facts, *_help = re.findall(r'<dl class="tm-facts">.*?</dl>', page, re.DOTALL)
    assert dict(re.findall(r"<dt>(.*?)</dt><dd>(?:<bdi>)?(.*?)(?:</bdi>)?</dd>", facts)) == {
        "Actor": "ann",
        "Time": "the last 7 days",
        "Search": "method:POST &quot;two words&quot;",
        "Rows": "0",
        "Payload": "Not included: you need the permission <code>trackmate.view_payload</code>",
    }
    assert re.findall(r'export/([\w-]+)/\?[^"]*" download', page) == list(FORMATS)
    assert 'href="/trackmate/actor/ann/?range=7d&amp;' in page


def test_the_page_of_an_export_is_translated(exporter):
    params = {"status": "Failed", "action_type": "Login", "source": "auth", "method": "GET"}
    with override("de"):
        page = exporter.get(OFFER, params, headers={"accept-language": "de"}).content.decode()
    said = dict(re.findall(r"<dt>(.*?)</dt><dd><bdi>(.*?)</bdi></dd>", page))
    assert said == {
        "Status": "Fehlgeschlagen",
        "Aktionsart": "Anmeldung",
        "Quelle": "Authentifizierung",
        "Methode": "GET",
    }


@pytest.mark.parametrize(
    ("number", "said"), [(2, "2"), (3, "3"), (4, "the newest 3; there are more")]
)
def test_the_page_of_an_export_shows_the_number_of_rows(exporter, configure, number, said):
    configure(EXPORT_MAX_ROWS=3, TRACK_REQUESTS=False, TRACK_AUTH=False)
    activities(number)
    assert f"<dt>Rows</dt><dd>{said}</dd>" in exporter.get(OFFER).content.decode()


@pytest.mark.parametrize("error", [OperationalError, StatementTimeoutError])
def test_the_page_of_an_export_without_a_count(exporter, monkeypatch, error):
    def broken(*_arguments):
        raise error

    monkeypatch.setattr(selectors, "count_up_to", broken)
    assert "<dd>the newest 100,000 at most</dd>" in exporter.get(OFFER).content.decode()


def test_the_page_of_an_export_shows_that_the_payload_is_included(reader):
    assert "Includes request data, responses and changes" in reader.get(OFFER).content.decode()


@pytest.mark.parametrize(
    "url",
    [
        "/trackmate/activity/?range=24h",
        "/trackmate/activity/?actor=ann&sort=-duration",
        "/trackmate/address/10.2.3.4/",
        "/trackmate/request/r/",
    ],
)
@pytest.mark.parametrize("headers", [{}, FRAGMENT], ids=["page", "fragment"])
def test_the_link_to_the_export_needs_the_permission(client, exporter, url, headers):
    row = activity(actor_label="ann", ip_address="10.2.3.4", request_id="r")
    linked(exporter.get(url, headers=headers), "export/")
    client.force_login(person("looker", "view_payload", is_staff=True))
    page = client.get(url, headers=headers).content.decode()
    assert f"tm-row-{row.pk}" in page
    assert "export" not in page.lower()


@pytest.mark.parametrize("url", [OFFER, f"{OFFER}csv/"])
def test_an_export_needs_the_permission(staff, url):
    response = staff.get(url, {"actor": "ann"})
    assert response.status_code == 403
    page = response.content.decode()
    assert "<code>trackmate.export_activitylog</code>" in page
    assert 'href="/trackmate/activity/?actor=ann">Back to the list' in page
    assert not exports().exists()


def test_without_xlsxwriter_the_page_names_the_extra(exporter, monkeypatch):
    monkeypatch.setattr(exports_view, "formats", lambda: {"csv": formats()["csv"]})
    page = exporter.get(OFFER).content.decode()
    assert '<code>python -m pip install "django-trackmate[xlsx]"</code>' in page
    assert "export/xlsx/" not in page


def test_an_unknown_format(exporter):
    response = exporter.get(url_of("pdf"))
    assert response.status_code == 404
    text = "There is no format “pdf”, only csv, csv-bom, ndjson, xlsx."
    assert response.content.decode() == text


@pytest.mark.parametrize("url", [OFFER, f"{OFFER}csv/"])
def test_wrong_filters_are_refused(exporter, url):
    response = exporter.get(url, {"status_code": "many"})
    assert response.status_code == 400
    page = response.content.decode()
    assert "<strong>Status code</strong>: <bdi>“many” is not a status code." in page
    assert 'href="/trackmate/activity/?status_code=many">Back to the list' in page
    assert not exports().exists()


def test_a_head_request_is_not_recorded(exporter):
    response = exporter.head(url_of("csv"))
    assert (response.status_code, response["Content-Type"]) == (200, "text/csv; charset=utf-8")
    assert not exports().exists()


@pytest.mark.parametrize("error", [OperationalError, StatementTimeoutError])
def test_an_unreadable_log_is_an_error_before_anything_is_sent(exporter, monkeypatch, error):
    def broken(*_arguments, **_options):
        raise error

    monkeypatch.setattr("trackmate.dashboard.exports.streaming.statement_timeout", broken)
    assert exporter.get(url_of("csv")).status_code == 503
    assert not exports().exists()


def test_an_extended_timeout_holds_for_the_whole_file(reader, monkeypatch):
    activities(120, data={"a": 1})
    given = []

    def noted(_alias, *, milliseconds):
        given.append(milliseconds)
        return nullcontext()

    monkeypatch.setattr("trackmate.dashboard.exports.streaming.statement_timeout", noted)
    b"".join(reader.get(url_of("csv"), {"extended": "1"}).streaming_content)
    assert given == [10_000] * 3


def test_slices_with_the_payload_are_small(reader, monkeypatch):
    monkeypatch.setattr("trackmate.selectors.rows.STREAM_SLICE", 20)
    activities(5)
    with CaptureQueriesContext(connection) as found:
        assert len(objects_of(reader.get(url_of("ndjson")))) == 5
    slices = [each["sql"] for each in found if "LIMIT 2" in each["sql"]]
    assert len([sql for sql in slices if 'FROM "trackmate' in sql.replace("`", '"')]) == 3
