"""All triggers of a registered model, and the one of the log."""

from __future__ import annotations

from collections.abc import Iterator

from trackmate.models import ActivityLog, Invalidation
from trackmate.models.rollups import LATE as LATE_SECONDS
from trackmate.registry import Registration
from trackmate.triggers.conversions import Place
from trackmate.triggers.functions import Trigger
from trackmate.triggers.names import LATE, MARK, VERBS
from trackmate.triggers.relations import sides_of
from trackmate.triggers.tables import ModelTable


def triggers_of(registration: Registration, place: Place) -> Iterator[Trigger]:
    """Yield the triggers of a registered model, those of its many-to-many tables included."""
    wanted, table = registration.options.on, ModelTable(registration, place)
    for statement, verb in VERBS.items():
        if verb in wanted:
            yield table.trigger(statement)
    if "delete" in wanted:
        yield table.truncate_trigger()
    for side in sides_of(registration):
        for statement in VERBS:
            yield side.trigger(statement, place)


def late_trigger() -> Trigger:
    """Return the trigger of the log that invalidates the rollups of a late transaction.

    It runs once for each transaction and hour, when the transaction is committed: that may be long
    after its rows were written, and after those of their hour were counted.
    """
    is_marked, unmark = f"current_setting('{MARK}', true) = 'on'", f"set_config('{MARK}', '', true)"
    body = f"""
DECLARE
    _tm_hour bigint := floor(extract(epoch FROM NEW.action_time) / 3600);
BEGIN
    IF _tm_hour < floor((extract(epoch FROM clock_timestamp()) - {LATE_SECONDS}) / 3600) THEN
        EXECUTE format('INSERT INTO %I.%I (first, last) VALUES ($1, $1)', TG_TABLE_SCHEMA,
            '{Invalidation._meta.db_table}') USING _tm_hour;
    END IF;
    RETURN NULL;
END
"""
    return Trigger(
        table=ActivityLog._meta.db_table,
        name=LATE,
        event="AFTER INSERT",
        function=LATE,
        body=body,
        kind="CONSTRAINT TRIGGER",
        options=(
            "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
            f" WHEN (CASE WHEN {is_marked} THEN {unmark} = '' ELSE false END)"
        ),
    )
