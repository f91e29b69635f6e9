"""What every product of the suite shares: an ordinary OpenID Connect relying party.

Nothing here knows the identity provider beyond its issuer URL; another provider would do as well.
"""
