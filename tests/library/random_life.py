"""A random life of the library: what a project might do to it, in an order made by a seed."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from django.db import connection, models, transaction
from django.db.models import F, Value
from django.db.models.functions import Concat
from django.http import HttpResponse
from django.test import RequestFactory

from tests.library.models import (
    Audiobook,
    Author,
    Book,
    Card,
    Club,
    Edition,
    Genre,
    Membership,
    Page,
    Shelf,
    ThinBook,
)
from tests.requests import answered
from trackmate.models import TrackedQuerySet

WORDS = ("Tea", "Rum", "Gin", "Kräuter", "None", "", "O'Neill", "100 %", "\N{SNOWMAN}")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class RolledBackError(Exception):
    """Ends a block whose changes are to be undone."""


def keep(savepoint: str) -> None:
    transaction.savepoint_commit(savepoint)


def fail(_savepoint: str) -> None:
    raise RolledBackError


def roll_back(_savepoint: str) -> None:
    transaction.set_rollback(True)


def roll_back_to_savepoint(savepoint: str) -> None:
    transaction.savepoint_rollback(savepoint)


# Django 6.1 has given it another name.
create_savepoint = getattr(transaction, "savepoint_create", None) or transaction.savepoint

ENDS = (keep, keep, keep, keep, fail, roll_back, roll_back_to_savepoint)


class Life:
    """Does random things to the library, and keeps a list of them for whoever has to find a fault.

    There is one instance for each row, as long as nothing but that instance has changed it.
    """

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.done: list[str] = []
        self.loaded: dict[tuple[type[models.Model], Any], tuple[int, models.Model]] = {}
        self.in_request = False
        self.depth = 0
        self.number = 0

    def step(self) -> None:
        """Do one thing, or several in a transaction, a savepoint or a request."""
        number = self.random.random()
        if number < 0.12 and self.depth < 3:
            self._atomic_block()
        elif number < 0.2 and not self.in_request and not self.depth:
            self._request()
        else:
            self._act()

    def _steps(self, most: int = 5) -> None:
        for _ in range(self.random.randint(1, most)):
            self.step()

    def _atomic_block(self) -> None:
        end, start = self.random.choice(ENDS), len(self.done)
        self._note("begin")
        self.depth += 1
        with suppress(RolledBackError), transaction.atomic():
            savepoint = create_savepoint()
            self._steps()
            end(savepoint)
        self.depth -= 1
        self._note(end.__name__)
        if end is not keep:
            # What was loaded within the block may have values that never were.
            self.loaded = {
                key: (since, each) for key, (since, each) in self.loaded.items() if since < start
            }

    def _request(self) -> None:
        def view(_request: Any) -> HttpResponse:
            self._steps(8)
            return HttpResponse()

        self._note("request")
        self.in_request = True
        answered(view, RequestFactory().post("/books/")).close()
        self.in_request = False
        self._note("answer")

    def _act(self) -> None:
        act = self.random.choice(ACTS)
        with suppress(IndexError):  # there is nothing yet to do it to
            act(self)

    # --- what the acts are made of ---

    def _note(self, text: str) -> None:
        self.done.append("  " * self.depth + text)

    def word(self) -> str:
        self.number += 1
        return self.random.choice(WORDS) + str(self.number % 7)

    def unique(self) -> str:
        self.number += 1
        return f"n{self.number}"

    def key(self, model: type[models.Model]) -> Any:
        """Return the key of a random row. Raise IndexError if there is none."""
        return self.random.choice(self.keys(model))

    def keys(self, model: type[models.Model]) -> list[Any]:
        return list(model._base_manager.order_by("pk").values_list("pk", flat=True))

    def some(self, model: type[models.Model]) -> list[Any]:
        keys = self.keys(model)
        return self.random.sample(keys, self.random.randint(0, min(3, len(keys))))

    def instance(self, model: type[models.Model]) -> Any:
        """Return the instance of a random row, with references that there are."""
        key = self.key(model)
        place = Book if issubclass(model, Book) else model, key
        if place not in self.loaded or type(self.loaded[place][1]) is not model:
            self.loaded[place] = len(self.done), self._load(model, key)
        instance = self.loaded[place][1]
        for field in model._meta.concrete_fields:
            if isinstance(field, models.ForeignKey) and not field.primary_key:
                self._mend(instance, field)
        return instance

    def _load(self, model: type[models.Model], key: Any) -> models.Model:
        queryset = model._base_manager.all()
        if self.random.random() < 0.3:
            names = [each.name for each in model._meta.concrete_fields if not each.primary_key]
            queryset = queryset.defer(*self.random.sample(names, min(2, len(names))))
        return queryset.get(pk=key)

    def _mend(self, instance: models.Model, field: models.ForeignKey[Any, Any]) -> None:
        """Replace a reference to a row whose creation was rolled back."""
        key = instance.__dict__.get(field.attname)
        if key is not None and key not in (keys := self.keys(field.related_model)):
            setattr(instance, field.attname, None if field.null else self.random.choice(keys))

    def forget(self) -> None:
        """Load every instance anew: other ways than saving it may have changed its row."""
        self.loaded.clear()

    def values(self, model: type[models.Model]) -> dict[str, Any]:
        """Return new values for some fields."""
        made = VALUES[model](self)
        return {
            name: made[name]
            for name in self.random.sample([*made], self.random.randint(1, len(made)))
        }


def author_values(life: Life) -> dict[str, Any]:
    return {"name": life.word()}


def book_values(life: Life) -> dict[str, Any]:
    random = life.random
    return {
        "title": life.word(),
        "subtitle": random.choice([None, "", life.word()]),
        "author_id": random.choice([None, *life.keys(Author)]),
        "state": random.choice(["d", "o", Book.State.OUT, "x"]),
        "price": random.choice([None, "12.50", "0", "7"]),
        "copies": random.randint(0, 5),
        "details": random.choice([{}, {"a": [1, {"b": None}]}, {"n": random.random()}]),
        "text": random.choice(["", life.word() * 20]),
        "cover": random.choice(["", "covers/a.png", "covers/b.png"]),
        "printed_at": random.choice(
            [None, NOON, NOON + timedelta(microseconds=random.randint(0, 9))]
        ),
        "out_on": random.choice([None, date(2026, 3, random.randint(1, 28))]),
        "address": random.choice([None, "::1", "127.0.0.1", "0:0:0:0:0:0:0:2"]),
    }


VALUES: dict[type[models.Model], Callable[[Life], dict[str, Any]]] = {
    Author: author_values,
    Genre: lambda life: {"name": life.unique()},
    Book: book_values,
    ThinBook: book_values,
    Audiobook: lambda life: {**book_values(life), "speaker": life.word()},
    Edition: lambda life: {"book_id": life.key(Book), "number": life.random.randint(1, 9)},
    Page: lambda life: {"edition_id": life.key(Edition), "number": life.random.randint(1, 9)},
    Club: author_values,
    Membership: lambda life: {
        "club_id": life.key(Club),
        "author_id": life.key(Author),
        "since": NOON + timedelta(days=life.random.randint(0, 99)),
    },
    Shelf: lambda life: {"room": life.word(), "width": life.random.randint(0, 9)},
    Card: lambda life: {"name": life.word(), "is_lost": life.random.random() < 0.5},
}
MODELS = tuple(VALUES)
BULK_MODELS = tuple(each for each in MODELS if each is not Audiobook)


def all_values(life: Life, model: type[models.Model]) -> dict[str, Any]:
    values = VALUES[model](life)
    return {**values, "code": life.unique()} if model is Shelf else values


def create(life: Life) -> None:
    model = life.random.choice(MODELS)
    values = all_values(life, model)
    made = model._base_manager.create(**values)
    life._note(f"{model.__name__}.create({values}) -> {made.pk}")


def save(life: Life) -> None:
    model = life.random.choice(MODELS)
    instance, values = life.instance(model), life.values(model)
    for name, value in values.items():
        setattr(instance, name, value)
    life._note(f"{model.__name__}({instance.pk}).save() with {values}")
    instance.save()


def save_some_fields(life: Life) -> None:
    model = life.random.choice(MODELS)
    instance, values = life.instance(model), life.values(model)
    for name, value in values.items():
        setattr(instance, name, value)
    names = life.random.sample([*values], life.random.randint(0, len(values)))
    life._note(f"{model.__name__}({instance.pk}).save({names}) with {values}")
    instance.save(update_fields=names)


def save_in_place(life: Life) -> None:
    book = life.instance(Book)
    book.details[life.word()] = [life.number]
    life._note(f"Book({book.pk}).details = {book.details}; save()")
    book.save()


def save_expressions(life: Life) -> None:
    book = life.instance(Book)
    book.copies, book.title = F("copies") + 1, Concat(F("title"), Value("+"))
    life._note(f"Book({book.pk}).save() with expressions")
    book.save()
    life.forget()


def save_nothing(life: Life) -> None:
    model = life.random.choice(MODELS)
    instance = life.instance(model)
    life._note(f"{model.__name__}({instance.pk}).save()")
    instance.save()


def save_by_hand(life: Life) -> None:
    model = life.random.choice([Author, Card, Shelf, Book])
    key = life.key(model)
    values = VALUES[model](life)
    life._note(f"{model.__name__}(pk={key}, **{values}).save()")
    model(pk=key, **values).save()
    life.forget()


def update_or_create(life: Life) -> None:
    code = life.random.choice([*life.keys(Shelf), life.unique()])
    values = VALUES[Shelf](life)
    life._note(f"Shelf.update_or_create({code}, {values})")
    Shelf.objects.update_or_create(code=code, defaults=values)
    life.forget()


def delete(life: Life) -> None:
    model = life.random.choice(MODELS)
    instance = life.instance(model)
    life._note(f"{model.__name__}({instance.pk}).delete()")
    instance.delete()
    life.forget()


def delete_child_alone(life: Life) -> None:
    audio = life.instance(Audiobook)
    life._note(f"Audiobook({audio.pk}).delete(keep_parents=True)")
    audio.delete(keep_parents=True)
    life.forget()


def delete_queryset(life: Life) -> None:
    model = life.random.choice(MODELS)
    keys = life.some(model)
    queryset_class = life.random.choice([TrackedQuerySet, models.QuerySet])
    life._note(f"{queryset_class.__name__}({model.__name__}).filter({keys}).delete()")
    queryset_class(model).filter(pk__in=keys).delete()
    life.forget()


def bulk_create(life: Life) -> None:
    model = life.random.choice(BULK_MODELS)
    made = [model(**all_values(life, model)) for _ in range(life.random.randint(1, 4))]
    size = life.random.choice([None, 1, 2])
    life._note(f"bulk_create({len(made)} {model.__name__}, {size})")
    TrackedQuerySet(model).bulk_create(made, batch_size=size)


def bulk_create_with_conflicts(life: Life) -> None:
    codes = dict.fromkeys([*life.some(Shelf), life.unique()])
    made = [Shelf(code=each, **VALUES[Shelf](life)) for each in codes]
    life._note(f"bulk_create(Shelf {[*codes]}, ignore_conflicts)")
    TrackedQuerySet(Shelf).bulk_create(made, ignore_conflicts=True)


def upsert(life: Life) -> None:
    codes = dict.fromkeys([*life.some(Shelf), life.unique()])
    made = [Shelf(code=each, **VALUES[Shelf](life)) for each in codes]
    has_target = connection.features.supports_update_conflicts_with_target
    life._note(f"bulk_create(Shelf {[*codes]}, update_conflicts)")
    TrackedQuerySet(Shelf).bulk_create(
        made,
        update_conflicts=True,
        update_fields=["width"],
        unique_fields=["code"] if has_target else None,
    )
    life.forget()


def update_queryset(life: Life) -> None:
    model = life.random.choice([each for each in MODELS if each is not Genre])
    keys, values = life.some(model), life.values(model)
    life._note(f"{model.__name__} {keys}.update({values})")
    TrackedQuerySet(model).filter(pk__in=keys).update(**values)
    life.forget()


def update_by_expression(life: Life) -> None:
    life._note("Book.update(copies=F('copies') + 1)")
    TrackedQuerySet(Book).filter(copies__lt=4).update(copies=F("copies") + 1)
    life.forget()


def bulk_update(life: Life) -> None:
    model = life.random.choice(BULK_MODELS)
    instances = list(model._base_manager.filter(pk__in=life.some(model)))
    names = [*life.values(model)]
    for each in instances:
        for name, value in VALUES[model](life).items():
            setattr(each, name, value)
    life._note(f"bulk_update({[each.pk for each in instances]} {model.__name__}, {names})")
    names = [name.removesuffix("_id") for name in names]
    TrackedQuerySet(model).bulk_update(instances, names, batch_size=life.random.choice([None, 1]))
    life.forget()


def change_members(life: Life) -> None:
    owner, name, other = life.random.choice(
        [
            (Book, "genres", Genre),
            (Genre, "books", Book),
            (Book, "similar", Book),
            (ThinBook, "genres", Genre),
            (Audiobook, "genres", Genre),
            (Club, "members", Author),
            (Author, "clubs", Club),
        ]
    )
    manager = getattr(life.instance(owner), name)
    verb = life.random.choice(["add", "remove", "set", "clear"])
    keys = life.some(other)
    life._note(f"{owner.__name__}({manager.instance.pk}).{name}.{verb}({keys})")
    if verb == "clear":
        manager.clear()
    elif verb == "set":
        manager.set(keys, clear=life.random.random() < 0.3)
    else:
        getattr(manager, verb)(*keys)


ACTS: list[Callable[[Life], None]] = [
    *[create] * 6,
    *[save] * 5,
    *[save_some_fields] * 3,
    save_in_place,
    save_expressions,
    save_nothing,
    save_by_hand,
    update_or_create,
    *[delete] * 2,
    delete_child_alone,
    delete_queryset,
    *[bulk_create] * 2,
    bulk_create_with_conflicts,
    upsert,
    *[update_queryset] * 2,
    update_by_expression,
    *[bulk_update] * 2,
    *[change_members] * 6,
]
