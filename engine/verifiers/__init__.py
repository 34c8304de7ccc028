"""Verifiers: which of several finished solutions of a problem is to be believed."""
