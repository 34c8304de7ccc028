"""The models of a process, and a driver of searches for every pair of adapters in use.

Sessions name the adapters that they were made with, and go on with them. Belongs to the model
thread.
"""

import gc
import sys
from collections.abc import Callable
from pathlib import Path

from engine.errors import ModelError
from engine.models.base import Policy, ProcessRewardModel
from engine.models.progress import Progress
from engine.search.archive import Archive
from engine.search.driver import Driver
from lab.models import Adapting, Loader, Models, adapter_of
from lab.results import ModelSettings
from sessions.adapters import ROLES


class Drivers:
    """See the module.

    Args:
        settings: models to load when they are first needed.
        load: loads them.
        archive: of replies.
        find: the directory of an adapter by its id; raises LabError.
    """

    def __init__(
        self,
        settings: ModelSettings,
        load: Loader,
        archive: Archive,
        find: Callable[[str], Path],
    ) -> None:
        self._settings = settings
        self._load = load
        self._archive = archive
        self._find = find
        self._drivers: dict[tuple[str | None, str | None], Driver] = {}
        self._policies: dict[str, Policy] = {}
        self._prms: dict[str, ProcessRewardModel] = {}
        self.models: Models | None = None

    def ready(self, progress: Progress) -> Models:
        """The models, loaded."""
        if self.models is None:
            self.models = self._load(self._settings, progress)
        return self.models

    def change(self, settings: ModelSettings) -> None:
        """Let everything go; the models of the settings are loaded when they are next needed."""
        self._drivers.clear()
        self._policies.clear()
        self._prms.clear()
        self.models = None
        self._settings = settings
        gc.collect()
        if torch := sys.modules.get("torch"):  # nothing to free where nothing has imported it
            torch.cuda.empty_cache()

    @property
    def all(self) -> list[Driver]:
        """Every driver in use."""
        return list(self._drivers.values())

    def of(self, policy: str, prm: str) -> Driver:
        """The driver for the models of these labels, which are loaded but for their adapters.

        Raises:
            LabError: there is no such adapter, or it does not fit.
        """
        for label, known in zip((policy, prm), map(self._settings.label, ROLES), strict=True):
            if adapter_of(label)[0] != known:
                raise ModelError(f"Other models than {label} were chosen meanwhile.")
        key = adapter_of(policy)[1], adapter_of(prm)[1]
        if key not in self._drivers:
            self._drivers[key] = Driver(*self.models_of(policy, prm), self._archive)
        return self._drivers[key]

    def models_of(self, policy: str, prm: str) -> tuple[Policy, ProcessRewardModel]:
        """The models of these labels; raises as `of`."""
        return self.policy(adapter_of(policy)[1]), self.prm(adapter_of(prm)[1])

    def policy(self, adapter: str | None) -> Policy:
        """The policy with an adapter of the home, None for without."""
        assert self.models is not None
        if adapter is None:
            return self.models.policy
        if adapter not in self._policies:
            self._policies[adapter] = self.adapting.policy(self._find(adapter))
        return self._policies[adapter]

    def opened(self, policy: str) -> Policy | None:
        """The policy of a label if it is loaded, with its adapter; for any thread."""
        model, adapter = adapter_of(policy)
        if self.models is None or model != self._settings.label("policy"):
            return None
        return self.models.policy if adapter is None else self._policies.get(adapter)

    def opened_prm(self, prm: str) -> ProcessRewardModel | None:
        """The process reward model of a label likewise."""
        model, adapter = adapter_of(prm)
        if self.models is None or model != self._settings.label("prm"):
            return None
        return self.models.prm if adapter is None else self._prms.get(adapter)

    def prm(self, adapter: str | None) -> ProcessRewardModel:
        """The process reward model with an adapter of the home, None for without."""
        assert self.models is not None
        if adapter is None:
            return self.models.prm
        if adapter not in self._prms:
            self._prms[adapter] = self.adapting.prm(self._find(adapter))
        return self._prms[adapter]

    def close_idle(self) -> None:
        """Take adapters that no search uses off the base, so that their memory can be used."""
        for key, driver in list(self._drivers.items()):
            if not driver.active:
                driver.drop_held()
                del self._drivers[key]
        used = {adapter for key in self._drivers for adapter in key}
        for opened in (self._policies, self._prms):
            for adapter in [one for one in opened if one not in used]:
                self.adapting.close(opened.pop(adapter))

    @property
    def adapting(self) -> Adapting:
        """The models as ones that take adapters.

        Raises:
            ModelError: they take none.
        """
        if self.models is None or self.models.adapting is None:
            raise ModelError("The models in use take no adapters: start the lab with others.")
        return self.models.adapting
