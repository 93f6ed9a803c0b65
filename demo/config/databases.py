"""DATABASES entries from URLs, such as `sqlite:///demo.sqlite3` or `postgresql://me@127.0.0.1/shop`."""

from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

ENGINES = {
    "postgres": "django.db.backends.postgresql",
    "postgresql": "django.db.backends.postgresql",
    "mysql": "django.db.backends.mysql",
    "mariadb": "django.db.backends.mysql",
}


def database(url: str) -> dict:
    """Return the entry of a URL; an absolute SQLite path makes it four slashes."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return sqlite(unquote(parts.path.removeprefix("/")))
    if parts.scheme not in ENGINES:
        raise ImproperlyConfigured(
            f"{url!r} is no database URL: expected sqlite, postgresql or mysql."
        )
    return {
        "ENGINE": ENGINES[parts.scheme],
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
    }


def sqlite(name: str) -> dict:
    """Return the entry of a SQLite file that several worker processes write to."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": name,
        "OPTIONS": {
            # Writers queue for the lock instead of failing when they turn from reading to writing.
            "transaction_mode": "IMMEDIATE",
            # Readers and the writer do not wait for each other.
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }
