"""Signing in with somebody else's account."""
