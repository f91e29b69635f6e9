"""What operators do to the platform: one file for each noun, one function for each act.

Each takes an `Operation` first (`directory/operating.py`): it checks the right, and a recent
sign-in where it would hurt, validates everything, then writes, and records it in the same
transaction. Pages and the management API show what these return.
"""
