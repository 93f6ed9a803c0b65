"""The request of an activity as a command, or as lines of a test, that ask the same again.

Whatever a row holds is data in them: it neither ends a quotation nor reaches a shell, and nothing
but ASCII without control characters is pasted into a terminal.
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

from trackmate.dashboard.documents import holds
from trackmate.enums import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trackmate.models import ActivityLog

LONGEST = 20_000
"""Characters of data that are taken along."""

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

_METHOD = re.compile(r"[A-Za-z][A-Za-z-]{0,15}")
_BODYLESS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_NAMED = frozenset({*_BODYLESS, "POST", "PUT", "PATCH", "DELETE"})
"""Methods that the test client has a method for."""

# What may stand in a path and in a query (RFC 3986) as it is; "%" is the sign of what is encoded
# already.
_IN_PATH = "/:@!$&'()*+,;=~"
_IN_QUERY = f"{_IN_PATH}?%"

_CLIENT = "from django.test import Client\n\nclient = Client()\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A request that can be made again, as far as the log knows it and the reader may."""

    method: str
    path: str
    """Encoded, with its query."""
    data: Any = None
    """What it sends, if anything."""
    content_type: str = ""
    """What kind of data that is."""
    lacks_data: bool = False
    """Whether it sent something that is not here."""

    @property
    def body(self) -> str:
        """The data as they are sent."""
        if self.content_type == FORM:
            return urlencode(self.data, doseq=True, errors="replace")
        return json.dumps(self.data, cls=DjangoJSONEncoder)


def replay_of(row: ActivityLog, *, with_payload: bool) -> Replay | None:
    """Return the request of a row, if it was made by one of a usual form."""
    if not _METHOD.fullmatch(row.method) or not row.path.startswith("/"):
        return None
    sent = row.source == Source.REQUEST and row.method.upper() not in _BODYLESS
    data = _data_of(row) if sent and with_payload else None
    return Replay(
        method=row.method.upper(),
        path=_path_of(row),
        data=data,
        content_type="" if data is None else _content_type_of(row, data),
        lacks_data=sent and data is None and holds(row, "data"),
    )


def as_curl(replay: Replay, origin: str) -> str:
    """Return the command line that asks this of `origin`."""
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
        # Raw: what begins with an "@" names no file to send.
        lines.append(shlex.join(["--data-raw", replay.body]))
    return " \\\n  ".join(lines)


def as_lines_of_a_test(replay: Replay) -> str:
    """Return what asks this of the project with Django's test client."""
    is_named = replay.method in _NAMED
    arguments = [] if is_named else [repr(replay.method)]
    arguments.append(repr(replay.path))
    if replay.data is not None:
        arguments += _data_arguments(replay)
    inner = "".join(f"{indent(each, '    ')},\n" for each in arguments)
    name = replay.method.lower() if is_named else "generic"
    return f"{_CLIENT}response = client.{name}(\n{inner})"


def _data_arguments(replay: Replay) -> Iterator[str]:
    is_plain_form = replay.content_type == FORM and replay.method == "POST"
    takes_objects = replay.content_type == JSON and replay.method in _NAMED
    if is_plain_form or (takes_objects and isinstance(replay.data, dict | list)):
        yield f"data={_literal(replay)}"
    else:
        yield f"data={replay.body!r}"
    if not is_plain_form:
        yield f"content_type={replay.content_type!r}"


def _literal(replay: Replay) -> str:
    try:
        text = pformat(replay.data, width=88, sort_dicts=False)
    except RecursionError:
        return repr(replay.body)
    return text.replace("\n", "\n     ")  # below "data="


def _data_of(row: ActivityLog) -> Any:
    data = row.data
    if isinstance(data, str):
        # It says why there are none: "not captured: 3145728 bytes".
        return None
    return data if len(json.dumps(data, cls=DjangoJSONEncoder)) <= LONGEST else None


def _content_type_of(row: ActivityLog, data: Any) -> str:
    """Return the kind of data: as its header says, or else as it looks."""
    said = _of_extra(row, "headers", dict).get("Content-Type", "")
    return JSON if "json" in str(said) or not _is_form(data) else FORM


def _is_form(data: Any) -> bool:
    """Say whether these are fields of a form, whose values are texts."""
    return (
        isinstance(data, dict)
        and bool(data)
        and all(
            isinstance(each, str)
            for value in data.values()
            for each in (value if isinstance(value, list) else (value,))
        )
    )


def _path_of(row: ActivityLog) -> str:
    path = quote(row.path, safe=_IN_PATH, errors="replace")
    if path.startswith("//"):
        # What follows would be taken for a host.
        path = f"/%2F{path[2:]}"
    query = quote(_of_extra(row, "query", str), safe=_IN_QUERY, errors="replace")
    return f"{path}?{query}" if query else path


def _of_extra(row: ActivityLog, name: str, kind: type[Any]) -> Any:
    """Return a part of `extra` that is of a kind, or nothing of that kind."""
    found = row.extra.get(name) if isinstance(row.extra, dict) else None
    return found if isinstance(found, kind) else kind()
