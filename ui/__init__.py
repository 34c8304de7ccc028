"""The page: Gradio for the form, a canvas for the tree. Holds no search, model or SQL code.

Everything the page knows and does goes through one object, the workbench (see `ui.interface`).
"""

import os

# Gradio reads this while it is imported: the page must ask nothing of the outside.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
