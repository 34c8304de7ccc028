"""Measures this machine: `python -m lab.bench`, or `make bench` and `make bench-gpu`."""
