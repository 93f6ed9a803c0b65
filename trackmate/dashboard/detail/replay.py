"""The request of an activity as a curl command and as code for Django's test client.

Values of the row are quoted in both: none ends a quotation or reaches a shell, and the command
contains only printable ASCII.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pprint import pformat
from textwrap import indent
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from django.core.serializers.json import DjangoJSONEncoder

from trackmate.dashboard.detail.documents import has_document
from trackmate.enums import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trackmate.models import ActivityLog

MAX_DATA = 20_000
"""Characters of data; longer data are left out."""

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

_METHOD = re.compile(r"[A-Za-z][A-Za-z-]{0,15}")
_BODYLESS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_NAMED = frozenset({*_BODYLESS, "POST", "PUT", "PATCH", "DELETE"})
"""Methods for which the test client has a function."""

# Characters that a path and a query may contain (RFC 3986); a query is stored percent-encoded.
_IN_PATH = "/:@!$&'()*+,;=~"
_IN_QUERY = f"{_IN_PATH}?%"

_CLIENT = "from django.test import Client\n\nclient = Client()\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A request that can be sent again, as far as it was recorded and this person may see it."""

    method: str
    path: str
    """Encoded, with its query."""
    data: Any = None
    """The data that it sends, if any."""
    content_type: str = ""
    lacks_data: bool = False
    """Whether it sent data that are missing here."""

    @property
    def body(self) -> str:
        """The encoded data."""
        if self.content_type == FORM:
            return urlencode(self.data, doseq=True, errors="replace")
        return json.dumps(self.data, cls=DjangoJSONEncoder)


def build_replay(row: ActivityLog, *, with_payload: bool) -> Replay | None:
    """Return the request of a row; None if its method or path is not valid."""
    if not _METHOD.fullmatch(row.method) or not row.path.startswith("/"):
        return None
    sent = row.source == Source.REQUEST and row.method.upper() not in _BODYLESS
    data = _read_data(row) if sent and with_payload else None
    return Replay(
        method=row.method.upper(),
        path=_encode_path(row),
        data=data,
        content_type="" if data is None else _content_type(row, data),
        lacks_data=sent and data is None and has_document(row, "data"),
    )


def as_curl(replay: Replay, origin: str) -> str:
    """Return the command that sends this to `origin`."""
    words = ["curl"]
    if replay.method == "HEAD":
        words.append("--head")
    elif replay.method != "GET":
        words += ["--request", replay.method]
    if "/." in replay.path:
        words.append("--path-as-is")
    lines = [shlex.join([*words, f"{origin}{replay.path}"])]
    if replay.data is not None:
        lines.append(shlex.join(["--header", f"Content-Type: {replay.content_type}"]))
        # --data would take a text that starts with "@" for a file name.
        lines.append(shlex.join(["--data-raw", replay.body]))
    return " \\\n  ".join(lines)


def as_test_code(replay: Replay) -> str:
    """Return the code that sends this with Django's test client."""
    is_named = replay.method in _NAMED
    arguments = [] if is_named else [repr(replay.method)]
    arguments.append(repr(replay.path))
    if replay.data is not None:
        arguments += _data_arguments(replay)
    lines = "".join(f"{indent(each, '    ')},\n" for each in arguments)
    name = replay.method.lower() if is_named else "generic"
    return f"{_CLIENT}response = client.{name}(\n{lines})"


def _data_arguments(replay: Replay) -> Iterator[str]:
    is_plain_form = replay.content_type == FORM and replay.method == "POST"
    takes_objects = replay.content_type == JSON and replay.method in _NAMED
    if is_plain_form or (takes_objects and isinstance(replay.data, dict | list)):
        yield f"data={_format_data(replay)}"
    else:
        yield f"data={replay.body!r}"
    if not is_plain_form:
        yield f"content_type={replay.content_type!r}"


def _format_data(replay: Replay) -> str:
    try:
        text = pformat(replay.data, width=88, sort_dicts=False)
    except RecursionError:
        return repr(replay.body)
    return text.replace("\n", "\n     ")  # below "data="


def _read_data(row: ActivityLog) -> Any:
    data = row.data
    if isinstance(data, str):
        # The reason why they are missing: "not captured: 3145728 bytes".
        return None
    return data if len(json.dumps(data, cls=DjangoJSONEncoder)) <= MAX_DATA else None


def _content_type(row: ActivityLog, data: Any) -> str:
    """Return JSON or FORM, by the recorded header or else by the form of the data."""
    header = _from_extra(row, "headers", dict).get("Content-Type", "")
    return JSON if "json" in str(header) or not _is_form(data) else FORM


def _is_form(data: Any) -> bool:
    """Return True for the fields of a form: a dict of texts or lists of texts."""
    return (
        isinstance(data, dict)
        and bool(data)
        and all(
            isinstance(each, str)
            for value in data.values()
            for each in (value if isinstance(value, list) else (value,))
        )
    )


def _encode_path(row: ActivityLog) -> str:
    path = quote(row.path, safe=_IN_PATH, errors="replace")
    if path.startswith("//"):
        # The second part would be taken for a host.
        path = f"/%2F{path[2:]}"
    query = quote(_from_extra(row, "query", str), safe=_IN_QUERY, errors="replace")
    return f"{path}?{query}" if query else path


def _from_extra(row: ActivityLog, name: str, expected: type[Any]) -> Any:
    """Return a value in `extra`; an empty one if it is missing or of another type."""
    value = row.extra.get(name) if isinstance(row.extra, dict) else None
    return value if isinstance(value, expected) else expected()
