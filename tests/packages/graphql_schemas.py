"""The same small schema for Strawberry and for Ariadne."""

import strawberry
from ariadne import MutationType, QueryType, make_executable_schema
from ariadne_django.views import GraphQLView as AriadneView
from django.contrib.auth import authenticate, get_user_model, login
from django.http import HttpResponse
from django.views import View
from strawberry.django.views import AsyncGraphQLView, GraphQLView
from strawberry.file_uploads import Upload
from strawberry.schema.config import StrawberryConfig


class NotAllowedError(Exception):
    """An error of a resolver."""


def sign_in(request, username, password):
    user = authenticate(request, username=username, password=password)
    if user is None:
        raise NotAllowedError(f"{username} with {password}")
    login(request, user)
    return True


# --- Strawberry ------------------------------------------------------------------------------


@strawberry.input
class OrderInput:
    number: str
    api_key: str = ""


@strawberry.type
class Query:
    @strawberry.field
    def hello(self, name: str = "") -> str:
        return f"hello {name}"

    @strawberry.field
    def people(self) -> int:
        return get_user_model().objects.count()

    @strawberry.field
    def broken(self) -> str | None:
        raise NotAllowedError("swordfish")


@strawberry.type
class Mutation:
    @strawberry.mutation
    def create_order(self, order: OrderInput) -> str:
        return order.number

    @strawberry.mutation
    def login(self, info: strawberry.Info, username: str, password: str) -> bool:
        return sign_in(info.context.request, username, password)

    @strawberry.mutation
    def upload(self, file: Upload) -> int:
        return len(file.read())

    @strawberry.mutation
    def cancel_order(self, number: str) -> bool | None:
        raise NotAllowedError(number)


schema = strawberry.Schema(
    Query, Mutation, config=StrawberryConfig(batching_config={"max_operations": 10})
)
strawberry_view = GraphQLView.as_view(schema=schema, multipart_uploads_enabled=True)


class PageWithQuery(View):
    """A page that uses the schema itself."""

    def post(self, _request):
        return HttpResponse(schema.execute_sync("{ hello }").data["hello"])


async_strawberry_view = AsyncGraphQLView.as_view(schema=schema)

# --- Ariadne ---------------------------------------------------------------------------------

query, mutation = QueryType(), MutationType()


@query.field("hello")
def resolve_hello(_root, _info, name=""):
    return f"hello {name}"


@query.field("people")
def resolve_people(_root, _info):
    return get_user_model().objects.count()


@query.field("broken")
def resolve_broken(_root, _info):
    raise NotAllowedError("swordfish")


@mutation.field("createOrder")
def resolve_create_order(_root, _info, order):
    return order["number"]


@mutation.field("cancelOrder")
def resolve_cancel_order(_root, _info, number):
    raise NotAllowedError(number)


@mutation.field("login")
def resolve_login(_root, info, username, password):
    return sign_in(info.context["request"], username, password)


ariadne_schema = make_executable_schema(
    """
    input OrderInput { number: String!, apiKey: String }
    type Query { hello(name: String): String!, people: Int!, broken: String }
    type Mutation {
      createOrder(order: OrderInput!): String!
      cancelOrder(number: String!): Boolean
      login(username: String!, password: String!): Boolean!
    }
    """,
    query,
    mutation,
)
ariadne_view = AriadneView.as_view(schema=ariadne_schema)
