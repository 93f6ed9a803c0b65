"""Who takes part: each set-up that is measured, and the one that it is compared with."""

from dataclasses import dataclass, field

NOTHING = "no middleware"
PASS_THROUGH = "a middleware that passes through"
NOTHING_REST = "no mixin (DRF view)"
CREATE = "one bare `create()`"
CREATE_ON_CLOSE = "one bare `create()` on close"
TRACKMATE = "trackmate"

SESSION_AND_USER = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
)


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A Django project of its own, equal to the others but for what is measured."""

    name: str
    apps: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    """Middleware that stands before sessions and users."""
    last: tuple[str, ...] = ()
    """Middleware that stands behind them."""
    urls: str = "benchmarks.plain"
    settings: dict = field(default_factory=dict)
    rows: str = ""
    """The model that has one row for each request afterwards."""
    baseline: str = NOTHING
    copies: bool = False
    """Whether it creates the rows that trackmate made of the same requests."""
    keeps_bodies: bool = True
    """Whether it stores what a request sent, as trackmate does."""
    requirement: str = ""
    """What is installed for it, apart from everybody else."""

    @property
    def is_baseline(self) -> bool:
        return self.name in {NOTHING, NOTHING_REST}

    @property
    def is_peer(self) -> bool:
        return bool(self.requirement)

    @property
    def middleware(self) -> list[str]:
        return [*self.first, *SESSION_AND_USER, *self.last]


CONTESTANTS = {
    contestant.name: contestant
    for contestant in (
        Contestant(name=NOTHING),
        Contestant(name=PASS_THROUGH, first=("benchmarks.rivals.PassThrough",)),
        Contestant(
            name=CREATE,
            apps=("trackmate",),
            first=("benchmarks.rivals.CreateAtOnce",),
            rows="trackmate.ActivityLog",
            copies=True,
        ),
        Contestant(
            name=CREATE_ON_CLOSE,
            apps=("trackmate",),
            first=("benchmarks.rivals.CreateOnClose",),
            rows="trackmate.ActivityLog",
            copies=True,
        ),
        Contestant(
            name=TRACKMATE,
            apps=("trackmate",),
            first=("trackmate.middleware.TrackmateMiddleware",),
            rows="trackmate.ActivityLog",
        ),
        Contestant(
            name="django-trackmate 0.3.0",
            requirement="django-trackmate==0.3.0",
            apps=("django_trackmate",),
            last=("django_trackmate.middleware.RequestTrackerMiddleware",),
            # It ships no migrations.
            settings={"MIGRATION_MODULES": {"django_trackmate": None}},
            rows="django_trackmate.ActivityLog",
        ),
        Contestant(
            name="django-easy-audit 1.3.9",
            requirement="django-easy-audit==1.3.9",
            apps=("easyaudit",),
            last=("easyaudit.middleware.easyaudit.EasyAuditMiddleware",),
            rows="easyaudit.RequestEvent",
            keeps_bodies=False,
        ),
        Contestant(
            name="django-request 1.7.1",
            requirement="django-request==1.7.1",
            apps=("request",),
            last=("request.middleware.RequestMiddleware",),
            rows="request.Request",
            keeps_bodies=False,
        ),
        Contestant(name=NOTHING_REST, apps=("rest_framework",), urls="benchmarks.rest"),
        Contestant(
            name="drf-api-tracking 1.8.4",
            requirement="drf-api-tracking==1.8.4",
            apps=("rest_framework", "rest_framework_tracking"),
            urls="benchmarks.rest_tracked",
            rows="rest_framework_tracking.APIRequestLog",
            baseline=NOTHING_REST,
        ),
    )
}
