"""The sheet of models: what is in use, what others would need, choosing, loading, letting go."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from ui.interface import Workbench

_FIELDS = ("policy", "prm", "quant", "device", "dtype", "kv_budget", "step_format")
_NAMED_FORMATS = ("auto", "natural", "numbered", "code", "reference")


class ModelsDoor:
    """Models for the view.

    Args:
        workbench: whose.
        check: of a path that a person has entered; raises if it is out of bounds.
    """

    FUNCTIONS: tuple[str, ...] = (
        "models",
        "models_fit",
        "models_use",
        "models_load",
        "models_unload",
    )

    def __init__(self, workbench: Workbench, check: Callable[[str], str] = str) -> None:
        self._workbench = workbench
        self._check_path = check

    def models(self) -> dict[str, Any]:
        """The models in use, the last choices, and the adapters that new sessions take."""
        choice = self._workbench.choice
        adapters = self._workbench.adapters
        return {
            **msgspec.to_builtins(choice.state()),
            "recent": msgspec.to_builtins(choice.recent()),
            "step_format": choice.step_format(),
            "adapters": {role: adapters.active(role) for role in ("policy", "prm")},
        }

    def models_fit(self, entered: Mapping[str, Any]) -> dict[str, Any]:
        """What models would need, before anything is loaded."""
        found: dict[str, Any] = msgspec.to_builtins(
            self._workbench.choice.fit(self._settings(entered))
        )
        return found

    def models_use(self, entered: Mapping[str, Any], load: bool = True) -> dict[str, Any]:
        """Take other models, and begin to load them."""
        self._workbench.choice.use(self._settings(entered))
        if load:
            self._workbench.choice.load()
        return self.models()

    def models_load(self) -> dict[str, Any]:
        self._workbench.choice.load()
        return self.models()

    def models_unload(self) -> dict[str, Any]:
        self._workbench.choice.unload()
        return self.models()

    def _settings(self, entered: Mapping[str, Any]) -> Any:
        """What was entered, over what is in use."""
        given = {
            name: str(entered[name]).strip() for name in _FIELDS if entered.get(name) is not None
        }
        for role in ("policy", "prm"):
            model = given.get(role, "")
            if model and model != "bundled":
                self._check_path(model)
                given[role] = _absolute(model)
        form = given.get("step_format", "") or "auto"
        if form not in _NAMED_FORMATS:
            self._check_path(form)
            form = _absolute(form)
        given["step_format"] = form
        return msgspec.structs.replace(self._workbench.models, **given)  # type: ignore[type-var]


def _absolute(model: str) -> str:
    """A path that means the same wherever the lab is started; hub ids as they are."""
    path = Path(model).expanduser()
    try:
        return str(path.absolute()) if path.exists() else model
    except (OSError, ValueError):  # no path at all: whoever loads it says so
        return model
