"""What an operator's machines ask a running process: whether it lives, is ready, has started.

They ask on a port of its own, which is no part of what the internet sees (security.md S83).
"""
