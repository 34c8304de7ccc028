"""Settings of all tests: one thread a process, no network, examples independent of load."""

import gc
import os
import signal

from hypothesis import settings

from engine.models.hardware import prepare_environment

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
prepare_environment()

# In the background of a script Ctrl-C is ignored, and would be by every command that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy neighbour must not fail a test: examples are limited by number, not by time, and
# continuous integration draws the same ones every time.
settings.register_profile("lab", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("lab")


def pytest_collection_finish() -> None:
    """What was imported stays: looking through it for garbage again and again takes long."""
    gc.collect()
    gc.freeze()
