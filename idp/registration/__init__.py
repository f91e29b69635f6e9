"""How products, clients, tenants and roles come to be as somebody describes them.

One set of rules for set-up files, the operators' console and the management API: a form of
`form.py` goes in, the changes that it made come out (`changes.py`).
"""
