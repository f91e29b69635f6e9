"""Headers of every answer: nothing may be framed, sniffed, or loaded from elsewhere."""

from flask import Response, request

from relying_parties.base.product import current_product


def set_security_headers(response: Response) -> Response:
    configuration = current_product().configuration
    response.headers.update(
        {
            "Content-Security-Policy": _content_policy(configuration.issuer_origin),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Opener-Policy": "same-origin",
            "X-Frame-Options": "DENY",
        }
    )
    if configuration.is_secure:
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    if request.endpoint not in ("static", "icon"):
        response.headers["Cache-Control"] = "no-store"
    return response


def _content_policy(issuer_origin: str) -> str:
    # Signing out posts here and is then redirected to the provider, which `form-action` covers.
    return (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
        f"form-action 'self' {issuer_origin}; frame-ancestors 'none'; base-uri 'none'"
    )
