"""The console: tenant admins run their company, operators run the platform.

One file for each noun. Pages (HTML) and API (JSON) are thin views on the same rules in
`directory/`; `guard` says who may come in.
"""
