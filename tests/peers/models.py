"""Books whose history four other packages keep."""

import pghistory
from auditlog.registry import auditlog
from django.db import models
from simple_history.models import HistoricalRecords


class Author(models.Model):
    name = models.CharField(max_length=50)

    def __str__(self):
        return self.name


class Genre(models.Model):
    name = models.CharField(max_length=50)

    def __str__(self):
        return self.name


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class Book(models.Model):
    class State(models.TextChoices):
        DRAFT = "d", "Draft"
        OUT = "o", "Published"

    title = models.CharField(max_length=100)
    author = models.ForeignKey(Author, models.SET_NULL, null=True, blank=True)
    state = models.CharField(max_length=1, choices=State, default=State.DRAFT)
    price = models.DecimalField(max_digits=8, decimal_places=2, null=True, blank=True)
    is_rare = models.BooleanField(default=False)
    details = models.JSONField(default=dict, blank=True)
    printed_at = models.DateTimeField(null=True, blank=True)
    out_on = models.DateField(null=True, blank=True)
    cover = models.FileField(upload_to="covers", blank=True)
    genres = models.ManyToManyField(Genre, blank=True)

    history = HistoricalRecords(m2m_fields=[genres], user_db_constraint=False)

    def __str__(self):
        return self.title


class Edition(models.Model):
    """A part of a book, which a deleted book's row in auditlog speaks of."""

    book = models.ForeignKey(Book, models.CASCADE, related_name="editions")


pghistory.track(
    pghistory.InsertEvent("genres.add"),
    pghistory.DeleteEvent("genres.remove"),
    model_name="BookGenreEvent",
    obj_field=None,
)(Book.genres.through)
auditlog.register(Book, m2m_fields={"genres"})
