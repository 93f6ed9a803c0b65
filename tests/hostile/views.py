"""Views that do what views do, so that it can be seen that we do not change it."""

import asyncio
import io
import json

from django.contrib.auth import authenticate, login
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse
from rest_framework.decorators import api_view, renderer_classes
from rest_framework.renderers import BaseRenderer
from rest_framework.response import Response

from tests.shop.models import Order
from trackmate import track

streamed = []
"""What the streaming views have produced so far."""


def echo(request, **_kwargs):
    """Answer with what arrived."""
    return HttpResponse(f"{request.method} {len(request.body)}")


def ignore(_request, **_kwargs):
    """Look at nothing."""
    return HttpResponse("ignored")


def count(request):
    """Stream the body by and by, as an upload does."""
    size = sum(len(chunk) for chunk in iter(lambda: request.read(65_536), b""))
    return HttpResponse(str(size))


def fields(request):
    """Read the form as Django parsed it."""
    return JsonResponse({"fields": sorted(request.POST), "files": sorted(request.FILES)})


def files(request):
    """Say how large each uploaded file is."""
    return JsonResponse({name: file.size for name, file in request.FILES.items()})


def stream(_request):
    """Answer in pieces."""
    return StreamingHttpResponse(_pieces())


async def stream_async(_request):
    """Answer in pieces, asynchronously."""
    return StreamingHttpResponse(_pieces_async())


def stream_and_fail(_request):
    """Answer in pieces, and fail before the last."""
    return StreamingHttpResponse(_pieces_until("it fails"))


async def stream_and_fail_async(_request):
    """Answer in pieces, asynchronously, and fail before the last."""

    async def pieces():
        for piece in _pieces_until("it fails"):
            yield piece

    return StreamingHttpResponse(pieces())


def read_input(request):
    """Answer with what the server handed over, as views of SOAP and WebDAV packages read it."""
    length = int(request.META["CONTENT_LENGTH"])
    return HttpResponse(request.META["wsgi.input"].read(length))


def report(_request):
    """Answer with what a cache may keep."""
    return JsonResponse({"rows": 3})


def download(_request):
    """Answer with a file."""
    return FileResponse(io.BytesIO(b"x" * 100_000), filename="x.bin")


async def wait(_request):
    """Wait for what never comes, until the client goes away."""
    streamed.append("waiting")
    await asyncio.sleep(60)


def order(request):
    """Store an order and answer 201."""
    row = Order.objects.create(number="42")
    return JsonResponse({"order": row.number}, status=201)


def order_then_fail(request):
    """Store an order and fail before it is complete."""
    Order.objects.create(number="half")
    raise RuntimeError("the second half failed")


def order_and_track(request):
    """Store an order and say so, within the view's transaction."""
    row = Order.objects.create(number="42")
    track("order.placed", content_object=row)
    return JsonResponse({"order": row.number}, status=201)


def read_only(_request):
    """Look at nothing of the session."""
    return HttpResponse("read")


def log_in(request):
    """Log in with JSON or a form."""
    given = json.loads(request.body) if request.content_type == "application/json" else request.POST
    user = authenticate(request, username=given["username"], password=given["password"])
    if user is None:
        return JsonResponse({"detail": "no"}, status=400)
    login(request, user)
    return JsonResponse({"detail": "yes"})


async def who_async(request):
    """Say who asks, after others had their turn."""
    user = await request.auser()
    await asyncio.sleep(0.001)
    track("who.asked", actor=None)
    return HttpResponse(user.get_username())


def who(request):
    """Say who asks."""
    track("who.asked")
    return HttpResponse(request.user.get_username())


class Unrendered(BaseRenderer):
    """A renderer that takes any data at all."""

    media_type = "text/plain"
    format = "txt"

    def render(self, data, accepted_media_type=None, renderer_context=None):
        return b"rendered"


odd_data = {}
"""What `odd` puts in `response.data`."""


@api_view(["GET"])
@renderer_classes([Unrendered])
def odd(_request):
    """Answer with data that are no JSON."""
    return Response(odd_data)


# --- where the canary sits -------------------------------------------------------------------


def reset(_request, token):
    """Take a secret as an argument of the route."""
    return HttpResponse("reset")


def reset_and_fail(_request, token):
    """Quote an argument of the route in an error."""
    raise ValueError(f"no account for {token}")


def fail_with(request):
    """Quote in an error what was posted."""
    raise ValueError(f"cannot use {request.POST.get('password') or request.GET.get('password')}")


def fail_with_credentials(request):
    """Quote in an error what came in the headers."""
    _scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    raise ValueError(f"cannot use {credentials or request.COOKIES.get('sessionid')}")


def answer(request):
    """Answer with what was posted, once by its name and once without."""
    password = request.POST["password"]
    return JsonResponse({"access_token": password, "echo": [f"you said {password}"]})


def remark(request):
    """Say in a remark what was posted."""
    track("canary.sung", remarks=f"used {request.POST['password']} today")
    return HttpResponse("noted")


def _pieces_until(failure):
    yield "0\n"
    raise RuntimeError(failure)


def _pieces():
    try:
        for number in range(3):
            streamed.append(number)
            yield f"{number}\n"
    finally:
        streamed.append("closed")


async def _pieces_async():
    for number in range(3):
        streamed.append(number)
        yield f"{number}\n"
