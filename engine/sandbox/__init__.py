"""Python written by a model, run where it can do no harm: see `engine.sandbox.runner`."""
