"""Views that tell what they do to objects: Django's generic ones, REST framework's and Ninja's.

A URLconf of its own, for `pytest.mark.urls`.
"""

import asyncio

from django import forms
from django.contrib.auth import get_user_model, login
from django.contrib.auth.mixins import LoginRequiredMixin, PermissionRequiredMixin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import include, path
from django.utils.decorators import method_decorator
from django.views import View, generic
from django.views.decorators.csrf import csrf_exempt
from ninja import ModelSchema, NinjaAPI, Schema
from ninja.errors import HttpError
from ninja.pagination import paginate
from rest_framework import generics, renderers, serializers, viewsets
from rest_framework.authtoken.models import Token
from rest_framework.decorators import action, api_view
from rest_framework.permissions import BasePermission
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView

from tests.shop.models import Invoice, Line, Order, RushOrder, Seat
from trackmate import tracker

# --- Django's generic views ------------------------------------------------------------------


class Plain:
    """Answers without a template."""

    success_url = "/done/"

    def render_to_response(self, context, **kwargs):
        response = HttpResponse("page")
        response.context_data = context
        return response


class OrderForm(forms.ModelForm):
    class Meta:
        model = Order
        fields = ("number",)


class ShowOrder(Plain, generic.DetailView):
    model = Order


class ShowLine(Plain, generic.DetailView):
    queryset = Line.objects.all()


class ListOrders(Plain, generic.ListView):
    paginate_by = 10

    def get_queryset(self):
        return Order.objects.order_by("pk")


class CreateOrder(Plain, generic.CreateView):
    model = Order
    fields = ("number",)


class CreateByForm(Plain, generic.CreateView):
    """Does not keep the object."""

    form_class = OrderForm

    def form_valid(self, form):
        form.save()
        return HttpResponseRedirect("/done/")


class RefuseLater(CreateOrder):
    """Finds the form wrong when it is valid, and answers with another page."""

    def form_valid(self, form):
        form.add_error("number", "sold out")
        return self.form_invalid(form)

    def form_invalid(self, form):
        return HttpResponse("sold out")


class SearchByForm(CreateOrder):
    """Makes nothing."""

    def form_valid(self, form):
        return HttpResponse("found")


class RollBack(CreateOrder):
    def form_valid(self, form):
        response = super().form_valid(form)
        transaction.set_rollback(True)
        return response

    def dispatch(self, *args, **kwargs):
        with transaction.atomic():
            return super().dispatch(*args, **kwargs)


class UpdateOrder(Plain, generic.UpdateView):
    model = Order
    fields = ("number",)


class BrokenUpdate(UpdateOrder):
    def form_valid(self, form):
        raise RuntimeError("out of paper")


class ForbiddenUpdate(UpdateOrder):
    def get_object(self, queryset=None):
        if super().get_object(queryset).number != "free":
            raise PermissionDenied
        raise AssertionError


class SaveAsNew(UpdateOrder):
    def form_valid(self, form):
        form.instance.pk = None
        form.instance._state.adding = True
        return super().form_valid(form)


class UpdateOrCreate(UpdateOrder):
    def get_object(self, queryset=None):
        return Order.objects.filter(number=self.kwargs["number"]).first()


class PostByHand(UpdateOrder):
    """Handles the form itself."""

    def post(self, request, *args, **kwargs):
        self.object = self.get_object()
        form = self.get_form()
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        return HttpResponse("who knows")


class PrivateUpdate(LoginRequiredMixin, UpdateOrder):
    login_url = "/login/"


class PermittedUpdate(PermissionRequiredMixin, UpdateOrder):
    login_url = "/login/"

    def has_permission(self):
        return bool(self.get_object().pk) and self.request.user.is_authenticated


class RedirectedDeletion(Plain, generic.DeleteView):
    model = Order

    def dispatch(self, request, *args, **kwargs):
        return HttpResponseRedirect("/login/")


class DeleteOrder(Plain, generic.DeleteView):
    model = Order


class ConfirmedDeletion(DeleteOrder):
    class form_class(forms.Form):  # noqa: N801 (what Django calls it)
        confirm = forms.BooleanField()


class SoftDeletion(DeleteOrder):
    def form_valid(self, form):
        Order.objects.filter(pk=self.object.pk).update(number="gone")
        return HttpResponseRedirect("/done/")


class DeleteByHand(ShowOrder):
    def post(self, request, *args, **kwargs):
        self.get_object().delete()
        return HttpResponse("gone")

    def delete(self, request, *args, **kwargs):
        self.get_object()
        return HttpResponse("no longer a favourite")


class UpdateProfile(LoginRequiredMixin, Plain, generic.UpdateView):
    model = get_user_model()
    fields = ("first_name",)

    def get_object(self, queryset=None):
        return self.request.user


class Contact(Plain, generic.FormView):
    class form_class(forms.Form):  # noqa: N801 (what Django calls it)
        text = forms.CharField()


class Comment(generic.detail.SingleObjectMixin, Contact):
    model = Order

    def post(self, request, *args, **kwargs):
        self.object = self.get_object()
        return super().post(request, *args, **kwargs)


class PassOn(View):
    """Leaves a request to a view of another class."""

    def post(self, request, pk):
        return UpdateOrder.as_view()(request, pk=pk)


class Batch(View):
    """Calls a view with a request that it makes itself."""

    def post(self, request):
        part = type(request)(request.environ)
        UpdateOrder.as_view()(part, pk=Order.objects.first().pk)
        return HttpResponse("done")


class AsyncOrder(generic.detail.SingleObjectMixin, View):
    model = Order

    async def get_object(self, queryset=None):
        await asyncio.sleep(0)
        return await Order.objects.aget(pk=self.kwargs["pk"])

    async def get(self, request, pk):
        found = await self.get_object()
        return HttpResponse(found.number)


@method_decorator(tracker(action="order.renamed"), name="dispatch")
class TrackedUpdate(UpdateOrder):
    pass


class SignUp(Plain, generic.CreateView):
    model = get_user_model()
    fields = (model.USERNAME_FIELD,)

    def form_valid(self, form):
        response = super().form_valid(form)
        login(self.request, self.object, "django.contrib.auth.backends.ModelBackend")
        return response


class ShowDict(ShowOrder):
    model = None

    def get_object(self, queryset=None):
        return {"number": "A"}


class ShowUnsaved(ShowDict):
    """Looks up what is not stored, though it has a key."""

    def get_object(self, queryset=None):
        return Invoice()


class ShowSeat(ShowDict):
    def get_object(self, queryset=None):
        return Seat.objects.get()


class ShowRushOrder(ShowOrder):
    model = RushOrder


class ShowToken(ShowOrder):
    model = Token


def create_report(request):
    return HttpResponse("report")


django_urls = [
    path("show/<int:pk>/", ShowOrder.as_view()),
    path("show-line/<int:pk>/", ShowLine.as_view()),
    path("list/", ListOrders.as_view()),
    path("create/", CreateOrder.as_view()),
    path("create-by-form/", CreateByForm.as_view()),
    path("refuse-later/", RefuseLater.as_view()),
    path("search-by-form/", SearchByForm.as_view()),
    path("roll-back/", RollBack.as_view()),
    path("update/<int:pk>/", UpdateOrder.as_view()),
    path("broken/<int:pk>/", BrokenUpdate.as_view()),
    path("forbidden/<int:pk>/", ForbiddenUpdate.as_view()),
    path("save-as-new/<int:pk>/", SaveAsNew.as_view()),
    path("update-or-create/<str:number>/", UpdateOrCreate.as_view()),
    path("by-hand/<int:pk>/", PostByHand.as_view()),
    path("private/<int:pk>/", PrivateUpdate.as_view()),
    path("permitted/<int:pk>/", PermittedUpdate.as_view()),
    path("redirected/<int:pk>/", RedirectedDeletion.as_view()),
    path("delete/<int:pk>/", DeleteOrder.as_view()),
    path("confirm/<int:pk>/", ConfirmedDeletion.as_view()),
    path("soft/<int:pk>/", SoftDeletion.as_view()),
    path("delete-by-hand/<int:pk>/", DeleteByHand.as_view()),
    path("profile/", UpdateProfile.as_view()),
    path("contact/", Contact.as_view()),
    path("comment/<int:pk>/", Comment.as_view()),
    path("pass-on/<int:pk>/", PassOn.as_view()),
    path("batch/", Batch.as_view()),
    path("async/<int:pk>/", AsyncOrder.as_view()),
    path("tracked/<int:pk>/", TrackedUpdate.as_view()),
    path("sign-up/", SignUp.as_view()),
    path("dict/", ShowDict.as_view()),
    path("unsaved/", ShowUnsaved.as_view()),
    path("seat/", ShowSeat.as_view()),
    path("rush/<int:pk>/", ShowRushOrder.as_view()),
    path("token/<str:pk>/", ShowToken.as_view()),
    path("delete-everything/create/", create_report),
]


# --- Django REST framework -------------------------------------------------------------------


class OrderSerializer(serializers.ModelSerializer):
    class Meta:
        model = Order
        fields = ("id", "number")


class LineSerializer(serializers.ModelSerializer):
    class Meta:
        model = Line
        fields = ("id", "text")


class NoSecretOrders(BasePermission):
    def has_object_permission(self, request, view, obj):
        return getattr(obj, "number", "") != "secret"


class Orders(viewsets.ModelViewSet):
    queryset = Order.objects.order_by("pk")
    serializer_class = OrderSerializer
    permission_classes = (NoSecretOrders,)

    @action(detail=True, methods=["get", "post", "put", "delete"])
    def ship(self, request, pk=None):
        self.get_object()
        return Response({"shipped": True})

    @action(detail=True, methods=["post"])
    def add_line(self, request, pk=None):
        serializer = LineSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        serializer.save(order=self.get_object())
        return Response(serializer.data, status=201)

    @action(detail=True, methods=["post"])
    def clone(self, request, pk=None):
        Order.objects.create(number=self.get_object().number)
        return Response(status=201)

    @action(detail=True, methods=["delete"])
    def remove(self, request, pk=None):
        self.get_object().delete()
        return Response(status=204)

    @action(detail=False, methods=["post"])
    def search(self, request):
        return Response([])


class Searches(Orders):
    """Makes nothing, though it is called so."""

    def create(self, request, *args, **kwargs):
        return Response([])


class Upserts(Orders):
    def create(self, request, *args, **kwargs):
        serializer = self.get_serializer(Order.objects.first(), data=request.data)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(serializer.data)


class DryRuns(Orders):
    def create(self, request, *args, **kwargs):
        with transaction.atomic():
            super().create(request, *args, **kwargs)
            transaction.set_rollback(True)
        return Response({"would": "work"})


class WithCopySerializer(OrderSerializer):
    def create(self, validated_data):
        copy = OrderSerializer(data={"number": "copy"})
        copy.is_valid(raise_exception=True)
        copy.save()
        return super().create(validated_data)


class WithCopies(Orders):
    """Makes an object, and within it another one."""

    serializer_class = WithCopySerializer


class Pairs(Orders):
    """Makes two objects, which the framework knows of as two."""

    def create(self, request, *args, **kwargs):
        for _each in range(2):
            response = super().create(request, *args, **kwargs)
        return response


class FailsLater(Orders):
    def create(self, request, *args, **kwargs):
        super().create(request, *args, **kwargs)
        return Response(status=409)


class Lines(viewsets.ModelViewSet):
    """Lines of an order, which is looked up on the way to them."""

    serializer_class = LineSerializer

    def get_queryset(self):
        order = get_object_or_404(Order, pk=self.kwargs["order_pk"])
        self.check_object_permissions(self.request, order)
        return order.lines.select_related("order")

    def perform_create(self, serializer):
        serializer.save(order=Order.objects.get(pk=self.kwargs["order_pk"]))


class OrderList(generics.ListCreateAPIView):
    queryset = Order.objects.order_by("pk")
    serializer_class = OrderSerializer


class OrderDetail(generics.RetrieveUpdateDestroyAPIView):
    queryset = Order.objects.all()
    serializer_class = OrderSerializer


class OrderApi(APIView):
    """Does everything by hand."""

    def find(self, pk):
        order = get_object_or_404(Order, pk=pk)
        self.check_object_permissions(self.request, order)
        return order

    def get(self, request, pk):
        return Response({"number": self.find(pk).number})

    def put(self, request, pk):
        serializer = OrderSerializer(self.find(pk), data=request.data)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(serializer.data)

    def post(self, request, pk):
        self.find(pk)
        return Response({"counted": True})

    def delete(self, request, pk):
        order = self.find(pk)
        if "really" in request.query_params:
            order.delete()
        return Response(status=204)


class Profile(generics.RetrieveUpdateAPIView):
    class serializer_class(serializers.ModelSerializer):  # noqa: N801 (the framework's name)
        class Meta:
            model = get_user_model()
            fields = ("first_name",)

    def get_object(self):
        return self.request.user


class DictApi(generics.RetrieveAPIView):
    serializer_class = serializers.Serializer

    def get_object(self):
        return {}


class Elsewhere(DictApi):
    """Looks up an object that is not of its model."""

    queryset = Order.objects.all()

    def get_object(self):
        return Line.objects.first()

    def get_serializer(self, *args, **kwargs):
        return serializers.Serializer({})


class PropertyApi(DictApi):
    @property
    def queryset(self):
        raise AssertionError("nobody may ask for it")


class Browsable(OrderApi):
    """Renders forms, whose permissions are checked for other methods and another object."""

    renderer_classes = (renderers.BrowsableAPIRenderer,)

    def finalize_response(self, request, response, *args, **kwargs):
        response = super().finalize_response(request, response, *args, **kwargs)
        response.add_post_render_callback(
            lambda _response: self.check_object_permissions(request, Order.objects.last())
        )
        return response


class TrackedOrders(Orders):
    @tracker(action="order.looked_at")
    def retrieve(self, request, *args, **kwargs):
        return super().retrieve(request, *args, **kwargs)


class Reports(viewsets.ViewSet):
    """Has no model."""

    def list(self, request):
        return Response([])

    def create(self, request):
        return Response({}, status=201)


@api_view(["POST"])
def place(request):
    serializer = OrderSerializer(data=request.data)
    serializer.is_valid(raise_exception=True)
    serializer.save()
    return Response(serializer.data, status=201)


router = SimpleRouter()
for name, viewset in {
    "orders": Orders,
    "searches": Searches,
    "upserts": Upserts,
    "dry-runs": DryRuns,
    "fails-later": FailsLater,
    "pairs": Pairs,
    "with-copies": WithCopies,
    "tracked": TrackedOrders,
    "reports": Reports,
    r"nested/(?P<order_pk>\d+)/lines": Lines,
}.items():
    router.register(name, viewset, basename=name.partition("/")[0])

drf_urls = [
    path("list/", OrderList.as_view()),
    path("detail/<int:pk>/", OrderDetail.as_view()),
    path("by-hand/<int:pk>/", OrderApi.as_view()),
    path("profile/", Profile.as_view()),
    path("dict/", DictApi.as_view()),
    path("property/", PropertyApi.as_view()),
    path("browsable/<int:pk>/", Browsable.as_view()),
    path("elsewhere/", Elsewhere.as_view()),
    path("place/", place),
    path("", include(router.urls)),
]


# --- Django Ninja ----------------------------------------------------------------------------


class OrderIn(Schema):
    number: str


class OrderOut(Schema):
    id: int
    number: str


class OrderModelOut(ModelSchema):
    class Meta:
        model = Order
        fields = ("id", "number")


api = NinjaAPI(urls_namespace="outcomes", docs_url=None)


@api.get("/orders", response=list[OrderOut])
def list_orders(request):
    return Order.objects.order_by("pk")


@api.get("/pages", response=list[OrderOut])
@paginate
def page_of_orders(request):
    return Order.objects.order_by("pk")


@api.get("/async-pages", response=list[OrderOut])
@paginate
async def async_page_of_orders(request):
    return Order.objects.order_by("pk")


@api.post("/orders", response={201: OrderOut})
def make_order(request, payload: OrderIn):
    return Order.objects.create(number=payload.number)


@api.post("/tuples", response={201: OrderOut, 409: OrderOut})
def make_by_tuple(request, payload: OrderIn):
    made = Order.objects.create(number=payload.number)
    return _with_status(409 if payload.number == "conflict" else 201, made)


def _with_status(code, value):
    try:
        from ninja import Status  # noqa: PLC0415 (not in the oldest versions)
    except ImportError:
        return code, value
    return Status(code, value)


@api.post("/async-orders", response={201: OrderOut})
async def make_async(request, payload: OrderIn):
    return await Order.objects.acreate(number=payload.number)


@api.get("/orders/{pk}", response=OrderOut)
def show_order(request, pk: int):
    return get_object_or_404(Order, pk=pk)


@api.get("/async-orders/{pk}", response=OrderOut)
async def show_async(request, pk: int):
    return await Order.objects.aget(pk=pk)


@api.put("/orders/{pk}", response=OrderOut)
def rename_order(request, pk: int, payload: OrderIn):
    order = get_object_or_404(Order, pk=pk)
    order.number = payload.number
    order.save()
    return order


@api.post("/orders/{pk}/ship", response=OrderOut)
def delete_nothing(request, pk: int):
    return get_object_or_404(Order, pk=pk)


@api.delete("/orders/{pk}", response={204: None})
def remove_order(request, pk: int):
    order = get_object_or_404(Order, pk=pk)
    order.delete()
    return order


@api.delete("/orders/{pk}/favourite", response=OrderOut)
def unmark_order(request, pk: int):
    return get_object_or_404(Order, pk=pk)


@api.post("/search", response=list[OrderOut])
def search_orders(request, payload: OrderIn):
    return Order.objects.filter(number=payload.number)


@api.get("/declared/{pk}", response=OrderModelOut)
def show_declared(request, pk: int):
    if pk == 0:
        raise HttpError(403, "no")
    return get_object_or_404(Order, pk=pk)


@api.get("/declared", response=list[OrderModelOut])
def list_declared(request):
    return []


@api.post("/declared", response={201: OrderModelOut})
def make_declared(request, payload: OrderIn):
    return Order.objects.create(number=payload.number)


@api.get("/count")
def count_orders(request):
    return {"count": Order.objects.count()}


@api.get("/lines/{pk}", response=dict)
def show_line(request, pk: int):
    return JsonResponse({"pk": pk})


urlpatterns = [
    path("", include([path("g/", include(django_urls)), path("drf/", include(drf_urls))])),
    path("ninja/", api.urls),
]
for pattern in django_urls:
    pattern.callback = csrf_exempt(pattern.callback)
