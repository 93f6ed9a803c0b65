"""A password hash that costs little, since the demo logs in all the time and hides nothing."""

from django.contrib.auth.hashers import PBKDF2PasswordHasher


class CheapHasher(PBKDF2PasswordHasher):
    """Never for real passwords: its few rounds make guessing cheap too."""

    algorithm = "demo_pbkdf2"
    iterations = 1_000
