"""The views of `benchmarks.outage_site`."""

from django.contrib.auth.models import Group
from django.db import connection
from django.http import HttpResponse
from django.urls import path


def plain(request):
    """Answer without a database, after as much work as a small page is."""
    return HttpResponse("plain " + "x" * 2_000)


def writes(request):
    """Write to the database of the project, on the server that the log is on too."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE auth_group SET name = name WHERE name = 'counter'")
    Group.objects.filter(name="counter").exists()
    return HttpResponse("written")


urlpatterns = [path("plain/", plain), path("writes/", writes)]
