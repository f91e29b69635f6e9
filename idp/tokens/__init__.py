"""Our own signatures: the keys, the tokens that they sign, and the claims inside."""
