"""The people and clients of the measurement, in a database that is laid here too."""

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from oauth2_provider.models import Application


def furnish():
    call_command("migrate", verbosity=0)
    owner = User.objects.create(username="owner")
    User.objects.bulk_create(
        User(username=email, email=email, password="!") for email in settings.GIVEN["people"]
    )
    for client in settings.GIVEN["clients"]:
        is_machine = client["grant_types"] == ["client_credentials"]
        Application.objects.create(
            client_id=client["client_id"],
            client_secret=client["secret"],
            hash_client_secret=False,
            client_type="confidential" if client["secret"] else "public",
            authorization_grant_type="client-credentials" if is_machine else "authorization-code",
            redirect_uris="" if is_machine else settings.GIVEN["redirectUri"],
            skip_authorization=True,
            algorithm="" if is_machine else "RS256",
            user=owner,
        )
