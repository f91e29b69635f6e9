"""How fast the endpoints answer, beside the npm package oidc-provider on the same core."""
