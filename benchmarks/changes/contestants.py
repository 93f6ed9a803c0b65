"""Who takes part: each way to record changes of a model, set up as its own documentation says."""

from dataclasses import dataclass, field

PLAIN = "plain"
PLAIN_AGAIN = "plain, once more"
REQUESTS_ONLY = "trackmate, no models"
TRACKMATE = "trackmate"
CHANGES_ONLY = "trackmate, no requests"
EACH_OBJECT = "trackmate, `bulk_limit=1000`"
TRIGGERS = "trackmate, triggers"
PGHISTORY = "django-pghistory 3.9.2"

REGISTERED = ("stock.Item", "stock.Parcel")
POSTGRESQL = "postgresql"


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A Django project of its own, equal to the others but for who records its changes."""

    name: str
    apps: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    """Middleware that stands before sessions and users."""
    last: tuple[str, ...] = ()
    """Middleware that stands behind them."""
    settings: dict = field(default_factory=dict)
    track: str = "benchmarks.changes.tracking.nothing"
    """A function that is given each model that is to be recorded."""
    manager: str = "django.db.models.Manager"
    bulk_update: str = "benchmarks.changes.tracking.bulk_update"
    """A function that is given objects and the names of fields."""
    log: str = ""
    """The model that has a row for each change afterwards."""
    changes: dict = field(default_factory=dict)
    """Which of its rows are changes."""
    baseline: str = PLAIN
    prepare: tuple[tuple[str, ...], ...] = ()
    """Commands to run when there are tables."""
    only_on: str = ""
    is_peer: bool = False
    requirement: str = ""
    """What is installed for it, apart from everybody else."""


def _trackmate(name: str, **others: object) -> Contestant:
    options = others.pop("options", {})
    own = {"MODELS": dict.fromkeys(REGISTERED, options)} | others.pop("own", {})
    return Contestant(
        name=name,
        apps=("trackmate",),
        first=("trackmate.middleware.TrackmateMiddleware",),
        settings={"TRACKMATE": own},
        **{"manager": "trackmate.models.TrackedManager", "log": "trackmate.ActivityLog"} | others,
        changes={"source": "model"},
    )


CONTESTANTS = {
    contestant.name: contestant
    for contestant in (
        Contestant(name=PLAIN),
        Contestant(name=PLAIN_AGAIN),
        _trackmate(REQUESTS_ONLY, own={"MODELS": {}}, manager="django.db.models.Manager", log=""),
        _trackmate(TRACKMATE, baseline=REQUESTS_ONLY),
        _trackmate(CHANGES_ONLY, own={"TRACK_REQUESTS": False}),
        _trackmate(EACH_OBJECT, baseline=REQUESTS_ONLY, options={"bulk_limit": 1000}),
        _trackmate(
            TRIGGERS,
            baseline=REQUESTS_ONLY,
            options={"triggers": True},
            prepare=(("trackmate_triggers", "install"),),
            only_on=POSTGRESQL,
        ),
        Contestant(
            name="django-auditlog 3.4.1",
            requirement="django-auditlog==3.4.1",
            apps=("auditlog",),
            last=("auditlog.middleware.AuditlogMiddleware",),
            track="benchmarks.changes.tracking.auditlog",
            log="auditlog.LogEntry",
            is_peer=True,
        ),
        Contestant(
            name="django-simple-history 3.13.0",
            requirement="django-simple-history==3.13.0",
            apps=("simple_history",),
            last=("simple_history.middleware.HistoryRequestMiddleware",),
            track="benchmarks.changes.tracking.simple_history",
            bulk_update="benchmarks.changes.tracking.bulk_update_with_history",
            log="stock.HistoricalItem",
            is_peer=True,
        ),
        Contestant(
            name="django-easy-audit 1.3.9",
            requirement="django-easy-audit==1.3.9",
            apps=("easyaudit",),
            last=("easyaudit.middleware.easyaudit.EasyAuditMiddleware",),
            settings={
                "DJANGO_EASY_AUDIT_WATCH_REQUEST_EVENTS": False,
                "DJANGO_EASY_AUDIT_WATCH_AUTH_EVENTS": False,
                "DJANGO_EASY_AUDIT_REGISTERED_CLASSES": list(REGISTERED),
            },
            log="easyaudit.CRUDEvent",
            is_peer=True,
        ),
        Contestant(
            name=PGHISTORY,
            requirement="django-pghistory==3.9.2 django-pgtrigger==4.17.0",
            apps=("pgtrigger", "pghistory"),
            last=("pghistory.middleware.HistoryMiddleware",),
            track="benchmarks.changes.tracking.pghistory",
            log="stock.ItemEvent",
            prepare=(("pgtrigger", "install"),),
            only_on=POSTGRESQL,
            is_peer=True,
        ),
    )
}
