"""Authentication backends as projects write them."""

from django.contrib.auth import get_user_model

CARDS = {"4711": "alice"}


class CardBackend:
    """Finds an account by the number of its card, which no field of the user has."""

    def authenticate(self, request, card=None, password=None):
        user = get_user_model().objects.filter(username=CARDS.get(card)).first()
        return user if user and user.check_password(password) else None
