"""Backups of the whole database, in a file that either kind of database can be restored from."""
