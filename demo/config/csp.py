"""The demo's Content Security Policy: nothing inline, nothing from elsewhere."""

from asgiref.sync import iscoroutinefunction
from django.utils.decorators import sync_and_async_middleware

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


@sync_and_async_middleware
def content_security_policy(get_response):
    """Put the policy on each answer that has none."""

    def mark(response):
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response

    async def asynchronous(request):
        return mark(await get_response(request))

    def synchronous(request):
        return mark(get_response(request))

    return asynchronous if iscoroutinefunction(get_response) else synchronous
