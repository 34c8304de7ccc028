"""The store: logs of sessions, stored model replies and who is using what, in one SQLite file."""
