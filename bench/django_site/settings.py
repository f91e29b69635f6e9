"""django-oauth-toolkit as its documentation sets it up, at our addresses. What differs from one
measurement to the next is in BENCH_PEER."""

import json
import os

GIVEN = json.loads(os.environ["BENCH_PEER"])
LIFETIME = 6 * 3600

SECRET_KEY = "a key for measuring"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "provider"
LOGIN_URL = "/login"
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "oauth2_provider",
]
MIDDLEWARE = [
    "django.middleware.common.CommonMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": GIVEN["database"],
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        },
    }
}
OAUTH2_PROVIDER = {
    "OIDC_ENABLED": True,
    "OIDC_ISS_ENDPOINT": f"http://127.0.0.1:{GIVEN['port']}",
    "OIDC_RSA_PRIVATE_KEY": GIVEN["key"],
    "OAUTH2_VALIDATOR_CLASS": "provider.Validator",
    "SCOPES": {"openid": "", "profile": "", "email": "", "work": ""},
    "ACCESS_TOKEN_EXPIRE_SECONDS": LIFETIME,
    "ID_TOKEN_EXPIRE_SECONDS": LIFETIME,
}
