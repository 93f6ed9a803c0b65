"""The static files behind the storages that projects use, and what a first visit transfers."""

import re

import pytest
from django.core.management import call_command

from tests.factories import activities, activity
from tests.urls_under_test import FRAGMENT, text_of

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("unrecorded"),
]

PLAIN = "django.contrib.staticfiles.storage.StaticFilesStorage"
MANIFEST = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
COMPRESSED = "whitenoise.storage.CompressedManifestStaticFilesStorage"
FIRST_VISIT = 60 * 1024  # bytes
SERVING = ("django.middleware.gzip.GZipMiddleware", "whitenoise.middleware.WhiteNoiseMiddleware")


@pytest.fixture
def collect(settings, tmp_path):
    """Collect the static files into a storage, and let whitenoise serve them."""

    def run(storage):
        settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "django.contrib.staticfiles"]
        settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": storage}}
        settings.STATIC_ROOT = tmp_path
        settings.MIDDLEWARE = [*SERVING, *settings.MIDDLEWARE]
        call_command("collectstatic", interactive=False, verbosity=0)

    return run


def files_of(page):
    """Return the addresses of the static files that a page loads."""
    return set(re.findall(r'(?:src|href)="(/static/[^"]+)"', text_of(page)))


@pytest.mark.parametrize("storage", [PLAIN, MANIFEST, COMPRESSED])
def test_a_page_finds_its_files(staff, collect, storage):
    collect(storage)
    files = files_of(staff.get("/trackmate/"))
    assert len(files) == 4
    for file in files:
        response = staff.get(file)
        assert response.status_code == 200
        assert response["Cache-Control"].endswith("immutable") == (storage != PLAIN)
        response.close()


def test_a_first_visit_is_small(staff, collect):
    collect(COMPRESSED)
    path = "/orders/4711/lines/"
    activities(50, actor_label="ann", source="request", method="GET", path=path, status="Success")
    activity(status="Failed", status_code=500, source="request", route="orders/<int:pk>/")
    overview, explorer = "/trackmate/", "/trackmate/activity/"
    facets = "/trackmate/activity/facets/"
    sizes = {file: transferred(staff, file) for file in files_of(staff.get(overview))}
    sizes |= {page: transferred(staff, page) for page in (overview, explorer)}
    sizes[facets] = transferred(staff, facets, **FRAGMENT)
    assert sum(sizes.values()) <= FIRST_VISIT, sizes


def transferred(client, address, **headers):
    response = client.get(address, headers={"Accept-Encoding": "gzip", **headers})
    assert response.status_code == 200
    if not address.endswith(".svg"):  # too small to gain anything
        assert response["Content-Encoding"] == "gzip"
    return len(response.getvalue())
