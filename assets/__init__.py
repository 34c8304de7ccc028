"""What the lab brings along: bundled models, problem sets and the files of its page.

Nothing is imported from here; `importlib.resources.files("assets")` finds the files, in a checkout
and in an installed wheel alike.
"""
