"""Grants: what one authorization gave, and the rules by which its code and tokens are spent."""
