"""The operator's terminal: what daemons tell of themselves, on a screen, as lines or as JSON.

A client of the admin API and of nothing else. `model` is plain and knows no widget and no network, `feed` keeps it up to
date, `plain` prints it, `app` shows it.
"""
