"""A schema, and the views of graphene-django for it."""

import graphene
from django.contrib.auth import authenticate, login
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from graphene_django.views import GraphQLView


class NotAllowedError(Exception):
    """An error of a resolver."""


class Query(graphene.ObjectType):
    hello = graphene.String(name=graphene.String(default_value=""))
    broken = graphene.String()

    def resolve_hello(self, _info, name):
        return f"hello {name}"

    def resolve_broken(self, _info):
        raise NotAllowedError("swordfish")


class CreateOrder(graphene.Mutation):
    class Arguments:
        number = graphene.String(required=True)
        api_key = graphene.String()

    number = graphene.String()

    def mutate(self, _info, number, api_key=""):
        if number == "0":
            raise NotAllowedError(number)
        return CreateOrder(number=number)


class Login(graphene.Mutation):
    class Arguments:
        username = graphene.String(required=True)
        password = graphene.String(required=True)

    ok = graphene.Boolean()

    def mutate(self, info, username, password):
        user = authenticate(info.context, username=username, password=password)
        if user is not None:
            login(info.context, user)
        return Login(ok=user is not None)


class Mutation(graphene.ObjectType):
    create_order = CreateOrder.Field()
    login = Login.Field()


schema = graphene.Schema(query=Query, mutation=Mutation)

urlpatterns = [
    path("graphene/", csrf_exempt(GraphQLView.as_view(schema=schema, graphiql=True))),
    path("graphene/batch/", csrf_exempt(GraphQLView.as_view(schema=schema, batch=True))),
    path("trackmate/", include("trackmate.urls")),
]
