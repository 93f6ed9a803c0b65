"""A JSON API of plain Django views, open to everybody."""

import json

from django.http import JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe
from trackmate import tracker

from desk.models import Product


@require_safe
def products(_request):
    """List what is for sale."""
    rows = Product.objects.values("sku", "name", "price", "stock")
    return JsonResponse({"products": list(rows)})


@csrf_exempt
@require_POST
@tracker(action="quote.requested")
def quote(request):
    """Price a list of lines: `{"lines": [{"sku": "PEN-01", "quantity": 3}]}`."""
    try:
        lines = [(line["sku"], line["quantity"]) for line in json.loads(request.body)["lines"]]
        priced = [_priced(sku, quantity) for sku, quantity in lines]
    except (ValueError, KeyError, TypeError, Product.DoesNotExist) as error:
        return JsonResponse({"error": f"{type(error).__name__}: {error}"}, status=400)
    return JsonResponse({"lines": priced, "total": sum(line["amount"] for line in priced)})


def _priced(sku, quantity):
    if type(quantity) is not int or not 1 <= quantity <= 10_000:
        raise ValueError(f"quantity {quantity!r} of {sku!r} is no number from 1 to 10000")
    product = Product.objects.get(pk=sku)
    return {"sku": sku, "quantity": quantity, "amount": product.price * quantity}
