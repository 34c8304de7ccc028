"""The lab as a person starts it: command line, workbench, wiring."""

__version__ = "0.1.0"
