"""The order desk's pages."""

import csv
from decimal import Decimal

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db import transaction
from django.db.models import Count, F, Sum
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse_lazy
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST, require_safe
from django.views.generic import DeleteView, DetailView, ListView, UpdateView
from trackmate import ActionType, track, tracker

from desk import orders
from desk.forms import CustomerForm, OrderForm, OrderLines
from desk.models import Customer, Invoice, Order, OrderLine, Product


@require_safe
def health(_request):
    """Answer the load balancer; the log leaves this route out by its name."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def catalogue(request):
    """Show what is for sale, to everybody."""
    return render(request, "desk/catalogue.html", {"products": Product.objects.all()})


@login_required
@require_safe
def overview(request):
    """Show what is left to do."""
    waiting = Invoice.objects.filter(approved_at=None)
    return render(
        request,
        "desk/overview.html",
        {
            "counts": dict(Order.objects.order_by().values_list("state").annotate(Count("pk"))),
            "orders": Order.objects.select_related("customer").prefetch_related("lines")[:8],
            "invoices": waiting.select_related("order__customer")[:8],
            "waiting": waiting.count(),
        },
    )


class OrderList(LoginRequiredMixin, ListView):
    """The orders, newest first."""

    paginate_by = 25

    def get_queryset(self):
        rows = Order.objects.select_related("customer", "placed_by").prefetch_related("lines")
        state = self.request.GET.get("state")
        return rows.filter(state=state) if state in Order.State.values else rows

    def get_context_data(self, **kwargs):
        state = self.request.GET.get("state", "")
        return super().get_context_data(**kwargs, states=Order.State.choices, state=state)


class OrderDetail(LoginRequiredMixin, DetailView):
    """One order with its lines."""

    queryset = Order.objects.select_related("customer", "placed_by", "invoice").prefetch_related(
        "lines__product"
    )


@login_required
def order_create(request):
    """Take an order."""
    order = Order(placed_by=request.user)
    form = OrderForm(request.POST or None, instance=order)
    lines = OrderLines(request.POST or None, instance=order)
    if request.method == "POST" and form.is_valid() and lines.is_valid():
        _save(form, lines)
        track(
            "order.placed",
            action_type=ActionType.CREATE,
            content_object=order,
            data={"customer": order.customer.name, "total": str(order.total)},
        )
        messages.success(request, f"{order} is placed.")
        return redirect(order)
    return render(request, "desk/order_form.html", {"form": form, "lines": lines})


@login_required
@tracker(
    action="order.changed",
    content_object=lambda request, response, pk: Order.objects.get(pk=pk),
)
def order_edit(request, pk):
    """Change an order that has not left the house."""
    order = get_object_or_404(Order, pk=pk, state=Order.State.OPEN)
    form = OrderForm(request.POST or None, instance=order)
    lines = OrderLines(request.POST or None, instance=order)
    if request.method == "POST" and form.is_valid() and lines.is_valid():
        _save(form, lines)
        messages.success(request, f"{order} is changed.")
        return redirect(order)
    return render(request, "desk/order_form.html", {"form": form, "lines": lines, "order": order})


@login_required
@require_POST
@tracker(
    action="order.cancelled",
    action_type=ActionType.UPDATE,
    content_object=lambda request, response, pk: Order.objects.get(pk=pk),
)
def order_cancel(request, pk):
    """Call an order off."""
    return _step(request, orders.cancel, get_object_or_404(Order, pk=pk))


@login_required
@require_POST
@tracker(
    action="order.shipped",
    action_type=ActionType.UPDATE,
    content_object=lambda request, response, pk: Order.objects.get(pk=pk),
)
def order_ship(request, pk):
    """Hand an order to the carrier."""
    return _step(request, orders.ship, get_object_or_404(Order, pk=pk))


class OrderDelete(LoginRequiredMixin, DeleteView):
    """Delete an order that was called off."""

    queryset = Order.objects.filter(state=Order.State.CANCELLED)
    success_url = reverse_lazy("desk:orders")


class CustomerList(LoginRequiredMixin, ListView):
    """The customers, by name; `?q=` looks for a part of it."""

    paginate_by = 25

    def get_queryset(self):
        rows = Customer.objects.annotate(order_count=Count("orders")).order_by("name", "pk")
        return rows.filter(name__icontains=self.request.GET.get("q", ""))


class CustomerDetail(LoginRequiredMixin, DetailView):
    """One customer with the orders."""

    queryset = Customer.objects.prefetch_related("orders__lines")


class CustomerEdit(LoginRequiredMixin, UpdateView):
    """Change what is known of a customer."""

    model = Customer
    form_class = CustomerForm
    template_name = "desk/customer_form.html"

    def form_valid(self, form):
        before, after = form.initial, form.cleaned_data
        response = super().form_valid(form)
        track(
            "customer.changed",
            action_type=ActionType.UPDATE,
            content_object=self.object,
            changes={name: [before[name], after[name]] for name in form.changed_data},
        )
        return response


class InvoiceList(LoginRequiredMixin, ListView):
    """The invoices, newest first."""

    paginate_by = 25
    queryset = Invoice.objects.select_related("order__customer", "approved_by")


@tracker(
    action="invoice.read",
    content_object=lambda request, response, pk: Invoice.objects.get(pk=pk),
)
class InvoiceDetail(LoginRequiredMixin, DetailView):
    """One invoice."""

    queryset = Invoice.objects.select_related("order__customer", "approved_by")


@login_required
@permission_required("desk.approve_invoice", raise_exception=True)
@require_POST
@tracker(
    action="invoice.approved",
    action_type=ActionType.UPDATE,
    content_object=lambda request, response, pk: Invoice.objects.get(pk=pk),
)
def invoice_approve(request, pk):
    """Approve an invoice, once."""
    invoice = get_object_or_404(Invoice, pk=pk)
    approval = {"approved_at": timezone.now(), "approved_by": request.user}
    if Invoice.objects.filter(pk=pk, approved_at=None).update(**approval):
        messages.success(request, f"{invoice} is approved.")
    else:
        messages.warning(request, f"{invoice} was approved before.")
    return redirect(invoice)


@login_required
@require_GET
def reports(request):
    """Show what has been sold of each product."""
    return render(request, "desk/reports.html", {"products": _sales()})


@login_required
@require_GET
def report_export(_request):
    """Stream the sales as CSV, and say so in the log under a name of our own."""
    rows = list(_sales())
    track("report.exported", data={"report": "sales", "rows": len(rows)})
    writer = csv.writer(_Echo())
    lines = [("SKU", "Product", "Sold", "Revenue"), *(row.values() for row in rows)]
    response = StreamingHttpResponse(map(writer.writerow, lines), content_type="text/csv")
    response.headers["Content-Disposition"] = 'attachment; filename="sales.csv"'
    return response


@login_required
@require_GET
def forecast(request, sku):
    """Say for how many orders the stock lasts.

    It fails for a product that nobody has bought yet. That mistake is left in, so that the log has
    a failure with its exception to show.
    """
    product = get_object_or_404(Product, pk=sku)
    lines = OrderLine.objects.filter(product=product)
    lasts = product.stock / (lines.aggregate(sold=Sum("quantity"))["sold"] or 0) * lines.count()
    return render(request, "desk/forecast.html", {"product": product, "lasts": round(lasts)})


async def stock(request):
    """Answer the warehouse's screens, asynchronously."""
    user = await request.auser()
    if not user.is_authenticated:
        return JsonResponse({"detail": "Log in first."}, status=401)
    products = Product.objects.filter(stock__lt=_threshold(request)).order_by("stock")
    return JsonResponse({"low": [{"sku": p.pk, "stock": p.stock} async for p in products]})


def _threshold(request):
    value = request.GET.get("below", "")
    return int(value) if value.isdecimal() and len(value) < 7 else 50


@transaction.atomic
def _save(form, lines):
    form.save()
    lines.save()


def _step(request, act, order):
    try:
        act(order)
    except orders.Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"{order} is {order.get_state_display().lower()}.")
    return redirect(order)


def _sales():
    revenue = Sum(F("quantity") * F("unit_price"), default=Decimal(0))
    lines = OrderLine.objects.exclude(order__state=Order.State.CANCELLED).order_by()
    return (
        lines.values("product_id", "product__name")
        .annotate(sold=Sum("quantity"), revenue=revenue)
        .order_by("-revenue", "product_id")
    )


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, value):
        return value
