"""The addresses of the traffic's personas, which all live on this machine."""


def told_by_the_traffic(request):
    """Return the address that a persona claims, and everybody else's real one.

    A real site sets `TRUSTED_PROXY_COUNT` instead: this believes whatever a client says, and is
    switched on only where the one client is `manage.py traffic`.
    """
    claimed = request.headers.get("X-Forwarded-For")
    return claimed or request.META.get("REMOTE_ADDR")
