"""Signing in with an account elsewhere: other OpenID providers, and what is linked there."""
