"""Loaded weights: one base for everything that names it, adapters side by side on it.

A `Base` knows nothing of prompts, sampling or values. It is used by one thread at a time.
"""

import contextlib
import logging
import math
from collections import Counter
from collections.abc import Hashable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import LabError, ModelError
from engine.models.adapter_files import (
    ADAPTER_CONFIG,
    clear_layers,
    compare_tensors,
    own_tensors,
    plain_config,
    shapes_on,
    tensor_shapes,
)
from engine.models.fingerprint import fingerprint
from engine.models.hardware import free_memory, limit_threads
from engine.models.kv_store import KVStore
from engine.models.loading import (
    Location,
    ModelSpec,
    Precision,
    brief,
    load_tokenizer,
    locate,
    read_json,
    settle_precision,
)
from engine.models.original_weights import OriginalWeights
from engine.models.progress import Progress, untold, weight_progress

if TYPE_CHECKING:
    import torch
    from peft import PeftConfig

# Its classes are made of untyped functions, so a type would say nothing.
PreTrainedModel = Any

# Where a module holds a parameter, and under which name: another may come in its place.
_Held = tuple[dict[str, Any], str]

log = logging.getLogger(__name__)

_PACK = 32
"""The native CPU kernel packs this many output rows together and accepts no remainder."""

ROWS_SHARE = 0.4
"""Of the memory free after loading, for K/V rows by default; calls need room beside them."""

_UNKNOWN = ""
"""No adapter's name: which one is active has to be set anew."""


class Base:
    """One set of weights with its tokenizer and adapters.

    Attributes:
        directory: where the weights came from.
        name: the model's name, without its path.
        precision: as held, which may differ from what was asked for.
        model: the causal language model, in eval mode.
        tokenizer: with nothing added to it.
        fingerprint: of the files, 16 hex digits.
        quantised: "nf4", "int8", "none", or the name of the scheme the files came in.
        notices: sentences for the person, once each.
        unfit: why K/V rows of tree nodes cannot be kept for it, "" if they can, None while nobody
            has tried; see `engine.models.reading`.
    """

    def __init__(
        self,
        location: Location,
        precision: Precision,
        trust_remote_code: bool,
        progress: Progress = untold,
    ) -> None:
        self.directory = location.directory
        self.name = location.name if location.adapter is None else location.directory.name
        self.precision = precision
        self.fingerprint = fingerprint(location.directory)
        self.notices = [precision.notice] if precision.notice else []
        self.unfit: str | None = None
        self.tokenizer = load_tokenizer(location.directory, trust_remote_code)
        self.model: PreTrainedModel
        with weight_progress(partial(progress, self.name)):
            self.model, self.quantised = _load_weights(
                location.directory, precision, trust_remote_code
            )
        self._peft: Any = None
        self._users: Counter[str] = Counter()
        self._active: str | None = _UNKNOWN
        self._watched: dict[str | None, list[_Held]] = {}
        _count_optimiser_steps()
        if precision.device == "cpu":
            _leave_out_unpackable(self.model)
        self.original = OriginalWeights(self.model)

    @property
    def device(self) -> "torch.device":
        """Where inputs go."""
        return self.model.get_input_embeddings().weight.device  # type: ignore[no-any-return]

    @property
    def context(self) -> int:
        """Longest text in tokens that the positions of the model allow.

        Where rotary embeddings change once a text is longer than some length, that length: rows
        made before would not fit to those made after.
        """
        config = self.model.config.get_text_config()
        longest = int(getattr(config, "max_position_embeddings", 0) or 2**30)
        rope = getattr(config, "rope_parameters", None) or {}
        for kind in [rope, *(one for one in rope.values() if isinstance(one, dict))]:
            if kind.get("rope_type") in ("longrope", "dynamic"):
                longest = min(longest, int(kind.get("original_max_position_embeddings") or longest))
        return longest

    def stamp(self, adapter: str | None) -> int:
        """A number that changes when the weights or those of the adapter are written to.

        Writes through `.data`, which torch does not count, are not seen.
        """
        if adapter not in self._watched:
            self._watched[adapter] = [
                (module._parameters, name)
                for path, module in self.model.named_modules()
                for name in module._parameters
                if ".lora_" not in path or adapter in (*path.split("."), name)
            ]
        present = (held.get(name) for held, name in self._watched[adapter])
        return hash(tuple((one.data_ptr(), one._version) for one in present if one is not None))

    @property
    def identity(self) -> str:
        """Name, fingerprint of the files, quantisation and precision."""
        return f"{self.name}@{self.fingerprint}/{self.quantised}-{self.precision.dtype}"

    @property
    def memory_bytes(self) -> int:
        """Size of the weights as held, adapters included."""
        return int(self.model.get_memory_footprint())

    def add_adapter(self, directory: Path) -> str:
        """Put a LoRA adapter on the base, once per content; returns its name.

        `drop_adapter` has to be called as often as this before it is taken off.

        Raises:
            ModelError: it was trained on another base, cannot be read, or would change the base;
                then the base is as it was.
        """
        name = fingerprint(directory)
        if name not in self._users:
            try:
                config = self._begin(name, directory, trainable=False)
            except LabError:
                raise
            except Exception as error:  # whatever the library makes of a strange configuration
                raise ModelError(
                    f"The adapter {directory} does not fit the base {self.directory}: was it "
                    f"trained on another one? ({brief(error)})"
                ) from error
            self._peft.eval()
            self._note_other_base(directory, str(config.base_model_name_or_path or ""))
        self._users[name] += 1
        return name

    def begin_adapter(self, name: str, start: "Path | PeftConfig") -> Any:
        """Put an adapter that is to be trained on the base: a new one, or a copy of one on disk.

        Returns:
            The PEFT model of the base. `drop_adapter` takes the adapter off again.
        """
        self._begin(name, start, trainable=True)
        self._users[name] += 1
        return self._peft

    def _begin(self, name: str, start: "Path | PeftConfig", trainable: bool) -> "PeftConfig":
        """Put an adapter on the base, or leave all as it was."""
        from peft import set_peft_model_state_dict

        before = self._peft
        self._watched.clear()
        self._active = _UNKNOWN
        try:
            if not isinstance(start, Path):
                self._inject(name, start)
                return start
            config = plain_config(start, read_json(start / ADAPTER_CONFIG), trainable)
            self._inject(name, config)
            compare_tensors(start, tensor_shapes(start), shapes_on(self._peft, name))
            # Not by the path: copies of the base's weights would be written over those.
            set_peft_model_state_dict(self._peft, own_tensors(start, self.model), name)
        except BaseException:
            self._take_off(name)
            if before is None:
                self._peft = None
            raise
        return config

    def _inject(self, name: str, config: "PeftConfig") -> None:
        from peft import PeftModel

        if self._peft is None:
            self._peft = PeftModel(self.model, config, adapter_name=name)
        else:
            self._peft.add_adapter(name, config)
        # Asked for by modules, some experts can only be had by changing parameters of the base.
        if getattr(self._peft.peft_config[name], "target_parameters", None):
            raise ModelError(
                f"An adapter for the layers {config.target_modules} would change how "
                f"{self.name} itself holds them, for everybody who uses it: merge it into its "
                "base (PEFT's merge_and_unload), save the result and name that as the model."
            )

    def drop_adapter(self, name: str) -> None:
        """Take an adapter off the base, unless somebody else still uses it."""
        self._users[name] -= 1
        if self._users[name] > 0:
            return
        del self._users[name]
        self._take_off(name)

    def _take_off(self, name: str) -> None:
        """Take off an adapter, even one that is on some layers only."""
        self._watched.clear()
        self._active = _UNKNOWN
        if self._peft is not None and name in self._peft.peft_config:
            self._peft.delete_adapter(name)
        clear_layers(self.model, name)
        if self._peft is not None and not self._peft.peft_config:
            self.model = self._peft.unload()
            self._peft = None

    def _note_other_base(self, directory: Path, trained_on: str) -> None:
        if trained_on and Path(trained_on).name != self.directory.name:
            self.notices.append(
                f"The adapter {directory.name} says that it was trained on {trained_on}; it fits "
                f"{self.name} in shape and is used on it."
            )

    @contextlib.contextmanager
    def using(self, adapter: str | None) -> Iterator[PreTrainedModel]:
        """The model with this adapter active (None: the bare base), without gradients."""
        import torch

        if adapter is not None and adapter not in self._users:
            raise self.taken_off(adapter)
        self._activate(adapter)
        # Not inference_mode: weights repacked inside it could never be trained again.
        with torch.no_grad():
            yield self.model

    def taken_off(self, adapter: str | None) -> ModelError:
        """What somebody is told who goes on with an adapter that is not there any more."""
        return ModelError(f"The adapter {adapter} was taken off {self.name}: open the model again.")

    def _activate(self, adapter: str | None) -> None:
        """Switch adapters only where that changes something: it visits every layer."""
        if self._peft is None or adapter == self._active:
            return
        layers = self._peft.base_model
        if adapter is None:
            layers.disable_adapter_layers()
        else:
            layers.enable_adapter_layers()
            layers.set_adapter(adapter, inference_mode=True)
        self._active = adapter


class Handle:
    """A base with one adapter or none: what a policy or a process reward model runs on."""

    def __init__(self, base: Base, adapter: str | None, directory: Path) -> None:
        self.base = base
        self.adapter = adapter
        self.directory = directory
        self._closed = False

    def close(self) -> None:
        """Give the adapter back, which stays on the base while another handle has it. Closing a
        second time does nothing.
        """
        if self.adapter is not None and not self._closed:
            self._closed = True
            self.base.drop_adapter(self.adapter)

    @property
    def identity(self) -> str:
        """That of the base, with the adapter's fingerprint."""
        return self.base.identity + (f"+lora-{self.adapter}" if self.adapter else "")

    @property
    def key(self) -> Hashable:
        """Tells models and adapters apart within a process."""
        return self.base, self.adapter

    def stamp(self) -> int:
        """See `Base.stamp`."""
        return self.base.stamp(self.adapter)

    def using(self) -> contextlib.AbstractContextManager[PreTrainedModel]:
        """The model, ready for a forward without gradients.

        Raises:
            ModelError: the handle was closed.
        """
        if self._closed:
            raise self.base.taken_off(self.adapter)
        return self.base.using(self.adapter)

    def logits(self, hidden: "torch.Tensor") -> "torch.Tensor":
        """[N, vocabulary] of hidden states [N, hidden] after the final norm."""
        with self.using() as model:
            logits: torch.Tensor = model.get_output_embeddings()(hidden)
        config = self.base.model.config.get_text_config()
        softcap = getattr(config, "final_logit_softcapping", None)
        return softcap * (logits / softcap).tanh() if softcap else logits


class ModelPool:
    """Opens models; equal bases in equal precision on equal devices are loaded once.

    kv_budget: bytes that the K/V rows of all its models may take; None derives it from what is
    free after loading, `math.inf` is no limit.
    progress: told the name of the model that is being loaded, and how far; may be replaced.
    """

    def __init__(self, kv_budget: float | None = None, progress: Progress = untold) -> None:
        self.kv_budget = kv_budget
        self.progress = progress
        self.store = KVStore(math.inf)
        self._bases: dict[tuple[Path, str, str, str], Base] = {}

    @property
    def bases(self) -> tuple[Base, ...]:
        """Everything loaded, in order."""
        return tuple(self._bases.values())

    @property
    def notices(self) -> tuple[str, ...]:
        """What a person should know about the loaded models, each sentence once."""
        return tuple(dict.fromkeys(notice for base in self.bases for notice in base.notices))

    def open(self, spec: ModelSpec) -> Handle:
        """Load a model, or put it on a base that is loaded already.

        Raises:
            ModelError: it cannot be found, read, or held as the specification asks.
        """
        location = locate(spec)
        precision = settle_precision(spec, location.directory)
        limit_threads()
        key = (location.directory, precision.quant, precision.dtype, precision.device)
        base = self._bases.get(key)
        if base is None:
            base = Base(location, precision, spec.trust_remote_code, self.progress)
        adapter = base.add_adapter(location.adapter) if location.adapter else None
        if key not in self._bases:
            self._bases[key] = base
            self.store.budget = self._budget(precision.device)
        return Handle(base, adapter, location.adapter or location.directory)

    @contextlib.contextmanager
    def opening(self, spec: ModelSpec) -> Iterator[Handle]:
        """As `open`; if what is done with the model fails, its adapter is taken off again."""
        handle = self.open(spec)
        try:
            yield handle
        except BaseException:
            handle.close()
            raise

    def _budget(self, device: str) -> float:
        if self.kv_budget is not None:
            return self.kv_budget
        return free_memory(device)[1] * ROWS_SHARE

    def close(self) -> None:
        """Forget every base, so that its memory can be used again."""
        import gc

        import torch

        self._bases.clear()
        self.store.clear()
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


@cache
def _count_optimiser_steps() -> None:
    """Let every optimiser's step count as a write to its parameters.

    Fused ones, such as those of bitsandbytes, write past torch's own count.
    """
    import torch
    from torch.optim.optimizer import register_optimizer_step_post_hook

    def count(optimiser: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        written = [one for group in optimiser.param_groups for one in group["params"]]
        torch.autograd.graph.increment_version(written)

    register_optimizer_step_post_hook(count)


def _load_weights(
    directory: Path, precision: Precision, trust_remote_code: bool
) -> tuple[PreTrainedModel, str]:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    dtype = torch_dtype(precision)
    common: dict[str, Any] = {"local_files_only": True, "trust_remote_code": trust_remote_code}
    try:
        config = AutoConfig.from_pretrained(str(directory), **common)
        stored = getattr(config, "quantization_config", None)
        wanted = None if stored else quantisation(precision)
        model = AutoModelForCausalLM.from_pretrained(
            str(directory),
            config=config,
            dtype=dtype,
            device_map={"": precision.device},
            use_safetensors=True,
            quantization_config=wanted,
            **common,
        )
    except torch.OutOfMemoryError as error:
        raise ModelError(
            f"{directory.name} does not fit into the free memory of {precision.device}: use "
            "--quant nf4, a smaller model, or --device cpu."
        ) from error
    except Exception as error:  # the formats and classes of thousands of models
        if "trust_remote_code" in str(error):
            raise ModelError(
                f"{directory} brings Python code of its own, which is not run unless "
                "trust_remote_code is set: do that only for a model you trust."
            ) from error
        raise ModelError(f"{directory} cannot be loaded: {brief(error)}") from error
    quantised = str(stored_scheme(stored)) if stored else precision.quant
    model.eval()  # type: ignore[no-untyped-call]
    return model, quantised


def torch_dtype(precision: Precision) -> "torch.dtype":
    """Of everything that is not quantised."""
    import torch

    return {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[precision.dtype]


def quantisation(precision: Precision) -> Any:
    """What `from_pretrained` is told of the quantisation; None if there is none."""
    if precision.quant == "none":
        return None
    from transformers import BitsAndBytesConfig

    if precision.quant == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)  # type: ignore[no-untyped-call]
    return BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch_dtype(precision),
    )


def stored_scheme(stored: Any) -> str:
    """Name of the quantisation that the files themselves bring."""
    fields = stored if isinstance(stored, dict) else stored.to_dict()
    if fields.get("load_in_4bit"):
        return str(fields.get("bnb_4bit_quant_type", "nf4"))
    return "int8" if fields.get("load_in_8bit") else str(fields.get("quant_method", "quantised"))


def _leave_out_unpackable(model: Any) -> None:
    """Keep layers whose shape the native CPU kernel cannot pack on the general path."""
    for module in model.modules():
        if getattr(module, "support_avx512bf16_for_cpu", False):
            rows, columns = module.out_features, module.in_features
            state = module.weight.quant_state
            if rows % _PACK or columns % 2 or columns % state.blocksize:
                module.support_avx512bf16_for_cpu = False
