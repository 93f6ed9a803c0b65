"""Views that say what they do: `tracker`, `track()`, `bind()` and `suppress()` at work."""

from django.contrib.auth import get_user_model, login
from django.http import Http404, HttpResponse, JsonResponse
from django.utils.decorators import method_decorator
from django.views import View

from tests.shop.models import Invoice, Order
from trackmate import bind, suppress, track, tracker, tracking


@tracker
def bare(request):
    return HttpResponse("bare")


@tracker()
def called(request):
    return HttpResponse("called")


@tracker(
    action="invoice.approved",
    action_type="Approve",
    content_object=lambda request, response, pk: Invoice.objects.get(pk=pk),
    remarks=lambda request, response, pk: f"answered {response.status_code}",
    data=lambda request, response, pk: {"by": request.GET.get("by")},
)
def approve(request, pk):
    return HttpResponse("approved")


@tracker(action="order.checked", status=lambda request, response: "Failed")
def checked(request):
    return HttpResponse("checked, and it is wrong")


@tracker(capture_data=False, capture_response=True)
def answered(request):
    return JsonResponse({"answer": 42})


@tracker(action="order.missing")
def missing(request):
    raise Http404("no such order")


@tracker(action="shop.printed")
def broken(request):
    raise RuntimeError("out of paper")


@tracker(action="shop.async")
async def async_view(request):
    return HttpResponse("async")


@tracker(action="shop.async_broken")
async def async_broken(request):
    raise RuntimeError("out of paper")


@tracker(
    action="invoice.async_approved",
    content_object=lambda request, response, pk: Invoice.objects.get(pk=pk),
)
async def async_approve(request, pk):
    return HttpResponse("approved")


@tracker(action="orders.class")
class TrackedClass(View):
    def get(self, request):
        return HttpResponse("class")


class TrackedDispatch(View):
    @tracker(action="orders.dispatch")
    def dispatch(self, request, *args, **kwargs):
        return super().dispatch(request, *args, **kwargs)

    def get(self, request):
        return HttpResponse("dispatch")


class TrackedMethod(View):
    @tracker(
        action="orders.method", remarks=lambda request, response, code: f"{request.method} {code}"
    )
    def get(self, request, code):
        return HttpResponse("method", status=code)

    def post(self, request, code):
        return HttpResponse("untracked", status=code)


@method_decorator(tracker(action="orders.decorated"), name="dispatch")
class TrackedByMethodDecorator(View):
    def get(self, request):
        return HttpResponse("decorated")


@tracker(action="orders.async_class")
class TrackedAsyncClass(View):
    async def get(self, request):
        return HttpResponse("async class")


class TrackedAsyncMethod(View):
    @tracker(action="orders.async_method")
    async def get(self, request):
        return HttpResponse("async method")


class TrackedInside(View):
    def get(self, request):
        return HttpResponse(self.answer())

    @tracker(action="orders.inside")
    def answer(self):
        return "inside"


@tracker(action="price.computed", remarks=lambda request, result, amount: f"{amount} is {result}")
def price(amount):
    return amount * 2


@tracker(action="outer", action_type="Outer", remarks="outer")
def nested(request):
    return _inner(request)


@tracker(action="inner", action_type="Inner")
def _inner(request):
    return HttpResponse("nested")


def everything(request):
    """Do all there is to record within one request."""
    with tracking("order.export", action_type="Export") as activity:
        activity.data = {"price": price(21)}
    track("order.exported", content_object=Order(pk=7, number="7"), data={"rows": 1200})
    return HttpResponse("everything")


def sign_in_and_export(request):
    """Log in whoever the query names, and do something at once."""
    user = get_user_model().objects.get_by_natural_key(request.GET["name"])
    login(request, user, "django.contrib.auth.backends.ModelBackend")
    track("order.exported")
    return HttpResponse(str(price(21)))


def bound(request):
    with bind(actor="kiosk:3", shop="Lodz"):
        track("till.opened")
    return HttpResponse("bound")


def suppressed(request):
    with suppress():
        track("nobody.knows")
    return HttpResponse("suppressed")


@tracker(action="price.awaited")
async def awaited_price(amount):
    return amount * 2


@tracker(action="price.asked", content_object=lambda request, result, number: by_number(number))
async def asked_price(number):
    return len(number)


def by_number(number):
    return Order.objects.get(number=number)


async def async_everything(request):
    async with tracking("order.export"):
        track("order.exported")
        await awaited_price(21)
        await asked_price("A-7")
    return HttpResponse("everything")
