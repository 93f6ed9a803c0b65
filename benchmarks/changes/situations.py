"""What each contestant has to do, round after round, in sections that are watched."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any, Protocol

from django.db.models import Model

from benchmarks.changes.sections import CHILDREN, ROWS
from benchmarks.changes.stock.models import Item, Parcel, Supplier, Unrecorded
from benchmarks.changes.watches import Watch


class Site(Protocol):
    """What the situations ask of a contestant's process."""

    def request(self, path: str, watch: Watch, section: str, inner: str) -> None: ...

    def bulk_update(self, objects: list[Model], fields: list[str]) -> None: ...

    def next_key(self) -> int: ...


def fill() -> None:
    """Store the rows of each model."""
    supplier = Supplier.objects.create(name="Quay & Sons")
    for model in (Item, Parcel, Unrecorded):
        made = [new(model, number, supplier) for number in range(1, ROWS + 1)]
        model.objects.bulk_create(made)


def new(model: type[Model], number: int, supplier: Supplier) -> Any:
    """Return an unsaved row."""
    made = model(
        name=f"Storm lamp {number}",
        sku=f"SKU-{number:06}",
        barcode=f"400638133{number:04}",
        color="green",
        brand="Quay",
        country="PL",
        description="A lamp that burns in any weather, with a handle and a spare wick. " * 3,
        supplier=supplier,
        quantity=number,
        weight=1_250,
        rating=4.5,
        price=Decimal("39.90"),
        cost=Decimal("21.15"),
        arrived_on=date(2026, 3, 14),
        created_at=datetime(2026, 3, 14, 9, 26, 53, 589793, tzinfo=UTC),
    )
    if model is Parcel:
        made.contents = {"lines": [{"sku": f"SKU-{n}", "count": n} for n in range(3)], "gift": True}
    return made


def save_in_request(site: Site, watch: Watch) -> None:
    site.request(f"/items/{site.next_key()}", watch, "request", "save in a request")


def save_in_atomic_request(site: Site, watch: Watch) -> None:
    path = f"/atomic/items/{site.next_key()}"
    site.request(path, watch, "atomic request", "save in an atomic request")


def save(site: Site, watch: Watch) -> None:
    _save(Item, site, watch, "save")


def save_parcel(site: Site, watch: Watch) -> None:
    _save(Parcel, site, watch, "save with JSON")


def save_unrecorded(site: Site, watch: Watch) -> None:
    _save(Unrecorded, site, watch, "save, unrecorded")


def _save(model: type[Model], site: Site, watch: Watch, section: str) -> None:
    row = model.objects.get(pk=site.next_key())
    row.quantity += 1
    with watch(section):
        row.save()


def create_and_delete(site: Site, watch: Watch) -> None:
    item = new(Item, site.next_key(), Supplier.objects.get())
    with watch("create"):
        item.save()
    item = Item.objects.get(pk=item.pk)
    with watch("delete"):
        item.delete()


def update_many(site: Site, watch: Watch) -> None:
    items = list(_rows(Item))
    for item in items:
        item.quantity += 1
    with watch("bulk_update()"):
        site.bulk_update(items, ["quantity"])
    with watch("update()"):
        _rows(Item).update(reserved=site.next_key())


def load(site: Site, watch: Watch) -> None:
    _load(Item, watch, "load")


def load_parcels(site: Site, watch: Watch) -> None:
    _load(Parcel, watch, "load with JSON")


def load_unrecorded(site: Site, watch: Watch) -> None:
    _load(Unrecorded, watch, "load, unrecorded")


def _load(model: type[Model], watch: Watch, section: str) -> None:
    rows = _rows(model)
    with watch(section):
        for _row in rows:
            pass


def delete_unrecorded(site: Site, watch: Watch) -> None:
    supplier = Supplier.objects.get()
    Unrecorded.objects.bulk_create([new(Unrecorded, n, supplier) for n in range(CHILDREN)])
    with watch("delete(), unrecorded"):
        Unrecorded.objects.filter(pk__gt=ROWS).delete()


def _rows(model: type[Model]) -> Any:
    return model.objects.filter(pk__lte=ROWS)


SITUATIONS: dict[Callable[[Site, Watch], None], int] = {
    save_in_request: 20,
    save_in_atomic_request: 20,
    save: 20,
    save_parcel: 10,
    save_unrecorded: 20,
    create_and_delete: 10,
    update_many: 1,
    load: 3,
    load_parcels: 1,
    load_unrecorded: 3,
    delete_unrecorded: 2,
}
"""Each with the number of times that it is measured in a row."""


def environ(path: str, cookie: str) -> dict[str, Any]:
    """Return the WSGI environment of a POST without a body."""
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "shop.example",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.17",
        "CONTENT_LENGTH": "0",
        "HTTP_HOST": "shop.example",
        "HTTP_COOKIE": cookie,
        "HTTP_USER_AGENT": "benchmark",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
        "wsgi.errors": BytesIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
