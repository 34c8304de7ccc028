"""Policies and process reward models: the seams and their implementations."""
