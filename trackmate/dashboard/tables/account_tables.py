"""What the page of a user has beside the user's own activities."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from trackmate import selectors
from trackmate.dashboard import formatting, lookups, time_ranges
from trackmate.dashboard.db.results import QueryResult, run_query
from trackmate.dashboard.entities import account_token, entity_url, list_url
from trackmate.dashboard.tables.activity_table import ActivityTable
from trackmate.enums import ActionType

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from typing import Any

    from trackmate.dashboard.entities import EntityPage
    from trackmate.dashboard.tables.display_options import DisplayOptions
    from trackmate.selectors import Rows

LATEST = 10
"""Rows that each table has."""
MAX_COUNT = 1_000
"""Rows are counted up to here: "1,000+"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTable:
    """The newest of some activities that concern a user."""

    id: str
    title: str
    """Also the caption of the table."""
    count: str
    """How many there are: "12", "1,000+"."""
    table: ActivityTable
    url: str
    """All of them."""


def account_tables(
    rows: Rows, page: EntityPage, display: DisplayOptions
) -> tuple[QueryResult, ...]:
    """Return the failed logins to the account of a user, and what the user did as somebody else.

    The values of the results are None for a page that is not about exactly one user, and where
    there are no such activities.
    """
    key = _user_key(page)
    if key is None:
        return ()
    return (
        run_query(partial(_attempts, rows, key, display)),
        run_query(partial(_as_others, rows, key, display)),
    )


def _user_key(page: EntityPage) -> Any:
    if page.type != "actor":
        return None
    try:
        keys = lookups.user_keys(page.value)
    except ValidationError:
        return None
    return keys[0] if len(keys) == 1 else None


def _attempts(rows: Rows, key: Any, display: DisplayOptions) -> AccountTable | None:
    account = ContentType.objects.get_for_model(get_user_model())
    refused = ActionType.LOGIN_FAILED.value
    return _build(
        rows.filter(content_type_id=account.pk, object_id=str(key), action_type=refused),
        display,
        id="tm-attempts",
        title=_("Attempts on this account"),
        find_url=lambda _rows: entity_url("object", account_token(key), {"action_type": refused}),
    )


def _as_others(rows: Rows, key: Any, display: DisplayOptions) -> AccountTable | None:
    return _build(
        rows.filter(impersonator_id=key),
        display,
        id="tm-as-others",
        title=_("As somebody else"),
        find_url=lambda rows: list_url(
            {**_since(selectors.oldest(rows)), "impersonator": f"#{key}"}
        ),
    )


def _since(time: datetime | None) -> dict[str, str]:
    return {} if time is None else time_ranges.params_since(time)


def _build(
    rows: Rows,
    display: DisplayOptions,
    *,
    id: str,  # noqa: A002 (of the element)
    title: str,
    find_url: Callable[[Rows], str],
) -> AccountTable | None:
    found = selectors.newest(rows, LATEST)
    if not found:
        return None
    number = len(found) if len(found) < LATEST else selectors.count_up_to(rows, MAX_COUNT + 1)
    count = formatting.format_number(min(number, MAX_COUNT))
    return AccountTable(
        id=id,
        title=title,
        count=f"{count}+" if number > MAX_COUNT else count,
        table=ActivityTable(
            found,
            caption=title,
            object_types=selectors.object_types(found),
            display=display.with_built_in_columns,
            row_prefix=id,
        ),
        url=find_url(rows),
    )
