"""Plain Django views of every kind: functions and classes, sync and async, whole and streamed."""

import io
import json

from django.contrib.auth import aauthenticate, alogin, authenticate, login, logout
from django.http import FileResponse, Http404, HttpResponse, JsonResponse, StreamingHttpResponse
from django.views import View

from tests.shop.models import Order


def index(request, **captured):
    return HttpResponse("shop")


def status(request, code):
    return HttpResponse(status=code)


def order(request, pk):
    found = Order.objects.filter(pk=pk).first()
    if found is None:
        raise Http404(f"no order {pk}")
    return HttpResponse(str(found))


def echo(request):
    """Answer what was sent, as JSON."""
    if request.content_type.endswith("json"):
        return JsonResponse({"sent": json.loads(request.body)})
    return JsonResponse({"sent": dict(request.POST.lists())})


def say_json(request):
    """Answer what was sent and call it JSON."""
    return HttpResponse(request.body, content_type="application/json")


def swallow(request):
    """Stream the body, as a view that pipes it elsewhere does, and answer its length."""
    length = 0
    while part := request.read(1024):
        length += len(part)
    return HttpResponse(str(length))


def upload(request):
    return HttpResponse(" ".join(file.name for file in request.FILES.values()))


def stream(request):
    return StreamingHttpResponse(iter([b"one ", b"two"]))


def download(request):
    return FileResponse(io.BytesIO(b"a report"), filename="report.txt", as_attachment=True)


def broken(request):
    raise RuntimeError("out of paper")


def place_order(request):
    """Make an order and break afterwards, when told to."""
    made = Order.objects.create(number=request.GET["number"])
    if "broken" in request.GET:
        raise RuntimeError("after the order")
    return HttpResponse(str(made.pk), status=201)


def whoami(request):
    return HttpResponse(request.user.get_username())


def look_at_session(request):
    return HttpResponse(str(len(request.session.keys())))


def sign_in(request):
    user = authenticate(
        request, username=request.POST["username"], password=request.POST["password"]
    )
    if user is None:
        return HttpResponse("wrong", status=403)
    login(request, user)
    return HttpResponse("welcome")


def sign_in_by_card(request):
    """Log in by what only a backend of the project knows."""
    if authenticate(request, card=request.POST["card"], password=request.POST["password"]) is None:
        return HttpResponse("wrong", status=403)
    return HttpResponse("welcome")


def sign_in_twice(request):
    """Try two accounts, of which the second does not exist."""
    for name in (request.POST["username"], "mallory"):
        authenticate(request, username=name, password=request.POST["password"])
    return HttpResponse("wrong", status=403)


def sign_out(request):
    logout(request)
    return HttpResponse("bye")


class Orders(View):
    def get(self, request):
        return HttpResponse("orders")

    def post(self, request):
        return HttpResponse("made", status=201)


async def async_index(request):
    return HttpResponse("shop")


async def async_broken(request):
    raise RuntimeError("out of paper")


async def async_stream(request):
    async def parts():
        yield b"one "
        yield b"two"

    return StreamingHttpResponse(parts())


async def async_whoami(request):
    user = await request.auser()
    return HttpResponse(user.get_username())


async def async_sign_in(request):
    data = request.POST
    user = await aauthenticate(request, username=data["username"], password=data["password"])
    if user is None:
        return HttpResponse("wrong", status=403)
    await alogin(request, user)
    return HttpResponse("welcome")


class AsyncOrders(View):
    async def get(self, request):
        return HttpResponse("orders")

    async def post(self, request):
        return HttpResponse("made", status=201)
