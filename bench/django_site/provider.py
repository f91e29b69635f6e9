"""Its addresses. It signs everybody in without a password, so sign-ins are not compared."""

from urllib.parse import parse_qs, urlsplit

from django.contrib.auth import login
from django.contrib.auth.models import User
from django.http import HttpResponseRedirect
from django.urls import include, path
from oauth2_provider import views
from oauth2_provider.oauth2_validators import OAuth2Validator


class Validator(OAuth2Validator):
    """Whoever has a session is let in without being asked, for each client is the company's own."""

    def validate_silent_login(self, request):
        return True

    def validate_silent_authorization(self, request):
        return True

    def validate_user_match(self, id_token_hint, scopes, claims, request):
        return True

    def get_additional_claims(self, request):
        person = request.user
        return {
            "name": "A Person",
            "given_name": "A",
            "family_name": "Person",
            "locale": "en",
            "zoneinfo": "UTC",
            "updated_at": 1,
            "email": person.email,
            "email_verified": True,
        }


def sign_in(request):
    wanted = request.GET["next"]
    [hint] = parse_qs(urlsplit(wanted).query)["login_hint"]
    login(request, User.objects.get(username=hint))
    return HttpResponseRedirect(wanted)


patterns = [
    path(
        ".well-known/openid-configuration",
        views.ConnectDiscoveryInfoView.as_view(),
        name="oidc-connect-discovery-info",
    ),
    path("authorize", views.AuthorizationView.as_view(), name="authorize"),
    path("token", views.TokenView.as_view(), name="token"),
    path("revoke", views.RevokeTokenView.as_view(), name="revoke-token"),
    path("introspect", views.IntrospectTokenView.as_view(), name="introspect"),
    path("userinfo", views.UserInfoView.as_view(), name="user-info"),
    path("jwks", views.JwksInfoView.as_view(), name="jwks-info"),
]
urlpatterns = [path("login", sign_in), path("", include((patterns, "oauth2_provider")))]
