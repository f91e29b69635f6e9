"""Ways of proving who you are."""
