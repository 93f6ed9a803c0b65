"""The site that every contestant serves: a view that loads an item, changes it and saves it."""

from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.urls import path

from benchmarks.changes.stock.models import Item


def stock_up(request: HttpRequest, pk: int) -> JsonResponse:
    mine = request.user.is_authenticated  # loads the user, whoever needs it afterwards
    item = Item.objects.get(pk=pk)
    item.quantity += 1
    with request.META["benchmark.saving"]:
        item.save()
    return JsonResponse({"item": pk, "mine": mine})


urlpatterns = [
    path("items/<int:pk>", stock_up),
    path("atomic/items/<int:pk>", transaction.atomic(stock_up)),
]
