"""django-oauth-toolkit with the clients of the measurement, as its documentation sets it up, at our
addresses. It signs everybody in without a password, so sign-ins are not compared.

    python provider.py    lays the database and furnishes it
    provider:application  serves
"""

import json
import os
from urllib.parse import parse_qs, urlsplit

import django
from django.conf import settings
from django.core.management import call_command

GIVEN = json.loads(os.environ["BENCH_PEER"])
LIFETIME = 6 * 3600

settings.configure(
    SECRET_KEY="a key for measuring",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    LOGIN_URL="/login",
    USE_TZ=True,
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "oauth2_provider",
    ],
    MIDDLEWARE=[
        "django.middleware.common.CommonMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": GIVEN["database"],
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
            },
        }
    },
    OAUTH2_PROVIDER={
        "OIDC_ENABLED": True,
        "OIDC_ISS_ENDPOINT": f"http://127.0.0.1:{GIVEN['port']}",
        "OIDC_RSA_PRIVATE_KEY": GIVEN["key"],
        "OAUTH2_VALIDATOR_CLASS": f"{__name__}.Validator",
        "SCOPES": {"openid": "", "profile": "", "email": "", "work": ""},
        "ACCESS_TOKEN_EXPIRE_SECONDS": LIFETIME,
        "ID_TOKEN_EXPIRE_SECONDS": LIFETIME,
    },
)
django.setup()

from django.contrib.auth import login  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpResponseRedirect  # noqa: E402
from django.urls import include, path  # noqa: E402
from oauth2_provider import views  # noqa: E402
from oauth2_provider.models import Application  # noqa: E402
from oauth2_provider.oauth2_validators import OAuth2Validator  # noqa: E402


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
application = get_wsgi_application()


def furnish():
    call_command("migrate", verbosity=0)
    owner = User.objects.create(username="owner")
    User.objects.bulk_create(
        User(username=email, email=email, password="!") for email in GIVEN["people"]
    )
    for client in GIVEN["clients"]:
        is_machine = client["grant_types"] == ["client_credentials"]
        Application.objects.create(
            client_id=client["client_id"],
            client_secret=client["secret"],
            hash_client_secret=False,
            client_type="confidential" if client["secret"] else "public",
            authorization_grant_type="client-credentials" if is_machine else "authorization-code",
            redirect_uris="" if is_machine else GIVEN["redirectUri"],
            skip_authorization=True,
            algorithm="" if is_machine else "RS256",
            user=owner,
        )


if __name__ == "__main__":
    furnish()
