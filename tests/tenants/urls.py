"""Views of the project with django-tenants."""

from django.db import connection
from django.http import HttpResponse
from django.urls import path


def who(_request):
    return HttpResponse(connection.schema_name)


async def who_async(_request):
    return HttpResponse("somebody")


urlpatterns = [path("who/", who), path("who-async/", who_async)]
