"""The endpoints of token packages, and resources that ask for their tokens."""

from dj_rest_auth.mfa.views import MFALoginView
from django.contrib.auth import get_user_model, login
from django.http import HttpResponse, JsonResponse
from django.urls import include, path
from knox.auth import TokenAuthentication as KnoxAuthentication
from knox.views import LoginView as KnoxLoginView
from knox.views import LogoutAllView, LogoutView
from ninja_extra import NinjaExtraAPI, api_controller
from ninja_extra.permissions import AllowAny
from ninja_jwt.authentication import JWTAuth
from ninja_jwt.controller import (
    AsyncNinjaJWTDefaultController,
    NinjaJWTDefaultController,
    TokenBlackListController,
    TokenObtainSlidingController,
)
from oauth2_provider.contrib.rest_framework import OAuth2Authentication
from oauth2_provider.decorators import protected_resource
from rest_framework import permissions, serializers
from rest_framework.authentication import BasicAuthentication, TokenAuthentication
from rest_framework.authtoken.serializers import AuthTokenSerializer
from rest_framework.authtoken.views import ObtainAuthToken
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt import views as jwt
from rest_framework_simplejwt.authentication import (
    JWTAuthentication,
    JWTStatelessUserAuthentication,
)


class BasicKnoxLogin(KnoxLoginView):
    authentication_classes = (BasicAuthentication,)


class FormKnoxLogin(KnoxLoginView):
    """As in knox's documentation."""

    permission_classes = (permissions.AllowAny,)

    def post(self, request):
        serializer = AuthTokenSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        login(request, serializer.validated_data["user"])
        return super().post(request)


class PickyLogin(jwt.TokenObtainPairView):
    """Issues a token, and then does not give it away."""

    def post(self, request, *args, **kwargs):
        super().post(request, *args, **kwargs)
        return Response({"detail": "A second factor is needed."}, status=403)


class MailSerializer(serializers.Serializer):
    """A serializer of a project that knows nothing of the package's."""

    email = serializers.EmailField()
    password = serializers.CharField()

    def validate(self, attrs):
        user = get_user_model().objects.filter(email=attrs["email"]).first()
        if user is None or not user.check_password(attrs["password"]):
            raise serializers.ValidationError("No.")
        return {"user": user}


class MailLogin(ObtainAuthToken):
    serializer_class = MailSerializer


class Resource(APIView):
    permission_classes = ()

    def get(self, request):
        return Response({"ok": True})


def resource(authentication):
    return Resource.as_view(authentication_classes=[authentication])


@protected_resource(scopes=["read"])
def protected(request):
    return HttpResponse("ok")


@api_controller("/extra", permissions=[AllowAny], auth=None)
class MoreTokens(TokenObtainSlidingController, TokenBlackListController):
    auto_import = False


ninja = NinjaExtraAPI(urls_namespace="tokens")
ninja.register_controllers(NinjaJWTDefaultController, MoreTokens)


async_ninja = NinjaExtraAPI(urls_namespace="async-tokens")
async_ninja.register_controllers(AsyncNinjaJWTDefaultController)


@ninja.get("/me", auth=JWTAuth())
def me(request):
    return {"ok": True}


def home(request):
    return JsonResponse({})


urlpatterns = [
    path("", home),
    path("jwt/", jwt.TokenObtainPairView.as_view()),
    path("jwt/picky/", PickyLogin.as_view()),
    path("jwt/refresh/", jwt.TokenRefreshView.as_view()),
    path("jwt/sliding/", jwt.TokenObtainSlidingView.as_view()),
    path("jwt/sliding/refresh/", jwt.TokenRefreshSlidingView.as_view()),
    path("jwt/verify/", jwt.TokenVerifyView.as_view()),
    path("jwt/blacklist/", jwt.TokenBlacklistView.as_view()),
    path("jwt/me/", resource(JWTAuthentication)),
    path("jwt/stateless/me/", resource(JWTStatelessUserAuthentication)),
    path("authtoken/", ObtainAuthToken.as_view()),
    path("authtoken/mail/", MailLogin.as_view()),
    path("authtoken/me/", resource(TokenAuthentication)),
    path("knox/", BasicKnoxLogin.as_view()),
    path("knox/form/", FormKnoxLogin.as_view()),
    path("knox/logout/", LogoutView.as_view()),
    path("knox/logoutall/", LogoutAllView.as_view()),
    path("knox/me/", resource(KnoxAuthentication)),
    path("rest/", include("dj_rest_auth.urls")),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    path("oauth/me/", resource(OAuth2Authentication)),
    path("oauth/protected/", protected),
    path("ninja/", ninja.urls),
    path("async/", async_ninja.urls),
    path("", include("dj_rest_auth.mfa.urls")),
    path("mfa/login/", MFALoginView.as_view()),
]
