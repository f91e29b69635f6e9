"""The pages: the only Flask code."""
