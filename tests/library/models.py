"""A library: models with every kind of field, relation and inheritance, for the object history."""

from django.core.files.storage import InMemoryStorage
from django.db import models
from django.db.models.functions import Upper
from django.utils import timezone

from trackmate.models import TrackedManager


class Author(models.Model):
    name = models.CharField(max_length=50)

    def __str__(self):
        return self.name


class Genre(models.Model):
    name = models.CharField(max_length=50, unique=True)

    def __str__(self):
        return self.name


class Book(models.Model):
    class State(models.TextChoices):
        DRAFT = "d", "Draft"
        OUT = "o", "Published"

    title = models.CharField(max_length=100)
    subtitle = models.CharField(max_length=100, null=True, blank=True)
    author = models.ForeignKey(Author, models.SET_NULL, null=True, blank=True, related_name="books")
    genres = models.ManyToManyField(Genre, blank=True, related_name="books")
    similar = models.ManyToManyField("self", blank=True)
    state = models.CharField(max_length=1, choices=State, default=State.DRAFT)
    price = models.DecimalField(max_digits=8, decimal_places=2, null=True, blank=True)
    copies = models.IntegerField(default=0)
    details = models.JSONField(default=dict, blank=True)
    text = models.TextField(blank=True)
    cover = models.FileField(upload_to="covers", storage=InMemoryStorage(), blank=True)
    printed_at = models.DateTimeField(null=True, blank=True)
    out_on = models.DateField(null=True, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    door_pin = models.CharField(max_length=20, blank=True)
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self):
        return self.title


class Audiobook(Book):
    """A child with a table of its own."""

    speaker = models.CharField(max_length=50)


class ThinBook(Book):
    class Meta:
        proxy = True


class Edition(models.Model):
    """A part of a book, named after it."""

    book = models.ForeignKey(Book, models.CASCADE, related_name="editions")
    number = models.IntegerField(default=1)

    def __str__(self):
        return f"Edition {self.number} of {self.book.title}"


class Page(models.Model):
    """A part of a part."""

    edition = models.ForeignKey(Edition, models.CASCADE, related_name="pages")
    number = models.IntegerField(default=1)

    def __str__(self):
        return f"Page {self.number}"


class Club(models.Model):
    """A club whose members have joined at a time: a through model of its own."""

    name = models.CharField(max_length=50)
    members = models.ManyToManyField(Author, through="Membership", related_name="clubs")

    def __str__(self):
        return self.name


class Membership(models.Model):
    club = models.ForeignKey(Club, models.CASCADE)
    author = models.ForeignKey(Author, models.CASCADE)
    since = models.DateTimeField(default=timezone.now)

    def __str__(self):
        return f"{self.author} in {self.club}"


class Shelf(models.Model):
    """A natural key, a default of the database, and a column that the database computes."""

    code = models.CharField(max_length=20, primary_key=True)
    room = models.CharField(max_length=20, db_default="main")
    label = models.GeneratedField(
        expression=Upper("code"), output_field=models.CharField(max_length=20), db_persist=True
    )
    width = models.IntegerField(default=1)

    def __str__(self):
        return self.code


class InUse(models.Manager):
    def get_queryset(self):
        return super().get_queryset().filter(is_lost=False)


class Card(models.Model):
    """A card whose default manager does not see those that are lost."""

    name = models.CharField(max_length=50)
    is_lost = models.BooleanField(default=False)
    objects = InUse()

    def __str__(self):
        return self.name


class Copy(models.Model):
    """A copy of a book, whose bulk operations are recorded."""

    class Meta:
        # That of the related managers of a book.
        base_manager_name = "objects"
        constraints = (models.UniqueConstraint(fields=["code"], name="library_copy_code"),)

    book = models.ForeignKey(Book, models.CASCADE, null=True)
    code = models.CharField(max_length=20)
    state = models.CharField(max_length=1, choices=Book.State, default=Book.State.DRAFT)
    uses = models.IntegerField(default=0)
    notes = models.JSONField(default=list)
    door_pin = models.CharField(max_length=20, blank=True)
    objects = TrackedManager()

    def __str__(self):
        return f"Copy {self.code}"


def anonymous_author():
    return Author.objects.get_or_create(name="Anonymous")[0]


class Review(models.Model):
    """A text that stays when its author goes."""

    author = models.ForeignKey(Author, models.SET(anonymous_author))
    editor = models.ForeignKey(
        Author, models.SET_DEFAULT, default=None, null=True, related_name="+"
    )
    text = models.CharField(max_length=50)

    def __str__(self):
        return self.text


if hasattr(models, "DB_CASCADE"):  # Django 6.1

    class Folder(models.Model):
        name = models.CharField(max_length=50)

        def __str__(self):
            return self.name

    class Leaflet(models.Model):
        """A part that the database deletes with its folder."""

        folder = models.ForeignKey(Folder, models.DB_CASCADE)
        text = models.CharField(max_length=50)

        def __str__(self):
            return f"{self.text} of {self.folder}"
