"""A browser just big enough for the demo: cookies, forms with their CSRF token, JSON.

It speaks to this machine only.
"""

import json
import re
from http.cookiejar import CookieJar
from ipaddress import ip_address
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import (
    HTTPCookieProcessor,
    HTTPRedirectHandler,
    ProxyHandler,
    Request,
    build_opener,
)

TIMEOUT = 10
LONGEST_PAGE = 2_000_000
_CSRF = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')


class NotLoopback(ValueError):  # noqa: N818 - it says what the address is not
    """The address is not one of this machine."""


def site(url):
    """Return the root of a site on this machine. Raise NotLoopback for any other address."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 80
    except ValueError as error:
        raise NotLoopback(str(error)) from None
    if parts.scheme != "http":
        raise NotLoopback("expected an address that begins with http://.")
    if not _is_loopback(host):
        raise NotLoopback(f"{host!r} is not this machine; the traffic goes to loopback only.")
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _is_loopback(host):
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class Browser:
    """One visitor: an address that the proxy reports, an agent, a jar of cookies."""

    def __init__(self, root, client):
        self.root = root
        self.headers = {"User-Agent": client.agent, "X-Forwarded-For": client.address}
        self.forget()

    def forget(self):
        """Begin with an empty jar."""
        self.page = ""
        cookies = HTTPCookieProcessor(CookieJar())
        # No proxy from the environment, and no way to another site.
        self.opener = build_opener(ProxyHandler({}), cookies, _StaysHere(self.root))

    def get(self, path, **headers):
        """Read a page and return its status."""
        return self._open("GET", path, headers=headers)

    def ask(self, method, path):
        """Send a request without a body, such as HEAD or OPTIONS."""
        return self._open(method, path)

    def submit(self, path, fields):
        """Send a form with the token of the page that was read last."""
        token = _CSRF.search(self.page)
        form = [("csrfmiddlewaretoken", token[1] if token else ""), *fields.items()]
        return self._open("POST", path, body=urlencode(form).encode())

    def call(self, method, path, payload=None, *, token=""):
        """Speak JSON to the API."""
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Token {token}"
        body = None if payload is None else json.dumps(payload).encode()
        return self._open(method, path, body=body, headers=headers)

    def json(self):
        """Return what the last answer holds, or an empty object if it is no JSON."""
        try:
            return json.loads(self.page)
        except ValueError:
            return {}

    def links(self, pattern):
        """Return what a pattern finds in the page that was read last."""
        return re.findall(pattern, self.page)

    def _open(self, method, path, *, body=None, headers=None):
        request = Request(  # noqa: S310 - the root was checked
            self.root + path, data=body, headers={**self.headers, **(headers or {})}, method=method
        )
        try:
            answer = self.opener.open(request, timeout=TIMEOUT)
        except HTTPError as refusal:
            answer = refusal
        with answer:
            self.page = answer.read(LONGEST_PAGE).decode(errors="replace")
        return answer.status


class _StaysHere(HTTPRedirectHandler):
    def __init__(self, root):
        self.root = root

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        if not newurl.startswith(f"{self.root}/"):
            raise URLError(f"The site leads away, to {newurl}.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)
