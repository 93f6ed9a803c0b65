"""A project with graphene-django, which needs an older graphql-core than the other packages."""
