"""`idp registration-tokens`: by which clients register themselves."""

from __future__ import annotations

from datetime import UTC, datetime

import click
import sqlalchemy as sa
from pydantic import ValidationError

from idp import audit, migrations, tenancy
from idp.database import Connection
from idp.directory import registrations
from idp.directory.registrations import InitialAccessToken
from idp.errors import SetupMistake
from idp.oidc.client_authentication import METHODS
from idp.oidc.client_metadata import GRANT_TYPES
from idp.provider import Provider, provider
from idp.registration import initial_tokens
from idp.registration.initial_tokens import InitialTokenForm
from idp.settings import settings_from


@click.group("registration-tokens")
def registration_tokens() -> None:
    """Initial access tokens, by which clients register themselves (RFC 7591)."""


@registration_tokens.command("list")
def list_tokens() -> None:
    """Every one, for which product, and how many clients it was used for."""
    held = _provider()
    newest = sa.select(InitialAccessToken).order_by(InitialAccessToken.created_at.desc())
    with held.database.session(read_only=True) as session:
        for row in session.scalars(newest):
            until = datetime.fromtimestamp(row.expires_at, UTC).strftime("%Y-%m-%d %H:%M")
            state = "good" if row.is_good(held.clock()) else "over"
            click.echo(
                f"{row.name:<30} {row.product_key:<20} {row.used}/{row.uses}  {until}  {state}"
            )


@registration_tokens.command()
@click.argument("name")
@click.option("--product", required=True, help="Whose clients they are.")
@click.option("--host", "hosts", multiple=True, required=True, help="One that they may name.")
@click.option("--scope", default="openid profile email", show_default=True)
@click.option("--grant-type", "grant_types", multiple=True, type=click.Choice(GRANT_TYPES))
@click.option("--auth-method", "methods", multiple=True, type=click.Choice(METHODS))
@click.option("--uses", default=1, show_default=True, help="For so many clients.")
@click.option("--hours", default=24, show_default=True, help="So long it is good.")
@click.option("--without-pkce", is_flag=True, help="Those with a secret or key may do without.")
@click.option("--vouched-for", is_flag=True, help="By a software statement, each of them.")
def make(
    name: str,
    product: str,
    hosts: tuple[str, ...],
    scope: str,
    grant_types: tuple[str, ...],
    methods: tuple[str, ...],
    uses: int,
    hours: int,
    without_pkce: bool,
    vouched_for: bool,
) -> None:
    """Make one, and print it: this once."""
    told = {"grant_types": list(grant_types), "token_endpoint_auth_methods": list(methods)}
    form = _form(
        name=name,
        product=product,
        redirect_hosts=list(hosts),
        scope=scope,
        uses=uses,
        hours=hours,
        require_pkce=not without_pkce,
        require_software_statement=vouched_for,
        **{field: value for field, value in told.items() if value},
    )
    held = _provider()
    with tenancy.every_tenant(held.database) as session:
        token = initial_tokens.make(session, form, held.clock())
        fields = form.model_dump(exclude={"name", "product"})
        audit.record(
            Connection.of(held.database, session),
            "registration_token.made",
            held.clock(),
            token=name,
            product=product,
            fields=fields,
        )
    click.echo(token)


@registration_tokens.command()
@click.argument("name")
def end(name: str) -> None:
    """Nobody registers by it any more; who has, stays."""
    held = _provider()
    with held.database.transaction() as db:
        if not registrations.end(db, name, held.clock()):
            raise SetupMistake(f"There is no initial access token {name}, or it has ended already.")
        audit.record(db, "registration_token.ended", held.clock(), token=name)
    click.echo(f"{name} has ended.")


def _form(**values: object) -> InitialTokenForm:
    try:
        return InitialTokenForm.model_validate(values)
    except ValidationError as problem:
        fault = problem.errors(include_url=False, include_input=False, include_context=False)[0]
        raise SetupMistake(f"{fault['loc'][0]}: {fault['msg']}.") from None


def _provider() -> Provider:
    held = provider(settings_from())
    migrations.check_schema(held.database)
    return held
