"""What a save of a registered model records."""

import pytest

from tests.library.models import Author, Book

pytestmark = pytest.mark.django_db


def test_a_save_is_recorded_with_old_and_new_values(registered, activities, django_assert_num_queries):
    registered(Book)
    Book.objects.create(title="Emma", copies=3)
    book = Book.objects.get()
    book.copies = 4
    activities.clear()
    with django_assert_num_queries(1):
        book.save()
    (activity,) = activities
    assert activity.action == "library.book.update"
    assert activity.changes["copies"] == [3, 4]
