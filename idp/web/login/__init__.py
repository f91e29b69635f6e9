"""The steps of a sign-in. Each proves or asks its one thing and goes back to `/authorize`."""
