"""Operations of Django Ninja; its annotations are texts, as in a module that postpones them."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from ninja import NinjaAPI, Schema
from ninja.security import HttpBearer
from rest_framework.authtoken.models import Token

from tests.shop.models import Order
from trackmate import tracker


class OrderIn(Schema):
    number: str


class OrderOut(Schema):
    id: int
    number: str


class UserBearer(HttpBearer):
    """The token is a name; what it stands for is the user, as a project would do it."""

    def authenticate(self, request, token):
        return get_user_model().objects.filter(username=token).first()


class AsyncUserBearer(HttpBearer):
    async def authenticate(self, request, token):
        return await get_user_model().objects.filter(username=token).afirst()


class BareBearer(HttpBearer):
    """What it returns is the token itself."""

    def authenticate(self, request, token):
        return token


class TicketBearer(HttpBearer):
    """What it returns is neither a user nor a text, but belongs to a user."""

    def authenticate(self, request, token):
        return Token.objects.filter(key=token).select_related("user").first()


api = NinjaAPI(urls_namespace="ninja", docs_url=None)


@api.get("/plain")
def plain(request):
    return {"answer": 42}


@api.get("/me", auth=UserBearer())
def me(request):
    return {"name": request.auth.get_username()}


@api.get("/async-me", auth=AsyncUserBearer())
async def async_me(request):
    return {"name": request.auth.get_username()}


@api.get("/bare", auth=BareBearer())
def bare(request):
    return {"token": len(request.auth)}


@api.get("/ticket", auth=TicketBearer())
def ticket(request):
    return {"name": request.auth.user.get_username()}


@api.post("/orders", response={201: OrderOut})
@tracker(
    action="ninja.order.made",
    content_object=lambda request, result, payload: result,
)
def make(request, payload: OrderIn):
    return Order.objects.create(number=payload.number)


@api.post("/async-orders", response={201: OrderOut})
@tracker(
    action="ninja.order.async_made",
    remarks=lambda request, result, payload, note: f"{payload.number} {note}",
)
async def async_make(request, payload: OrderIn, note: str = "none"):
    return await Order.objects.acreate(number=payload.number)


@api.get("/orders/{pk}")
@tracker(action="ninja.order.read")
def read(request, pk: int, long: bool = False):
    return {"pk": pk, "long": long}
