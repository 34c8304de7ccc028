"""Which adapters can lie on a base that others use, too: plain LoRA.

A LoRA adapter adds a product of two matrices to what a layer gives, so the base stays as it is.
Others write to the layers themselves when they are put on, or were trained on a base that had been
changed first. Those are refused before anything is loaded.
"""

import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import ModelError

if TYPE_CHECKING:
    from peft import PeftConfig

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"

_ANY = frozenset(
    (
        *("peft_type", "task_type", "auto_mapping", "peft_version", "base_model_name_or_path"),
        *("revision", "inference_mode", "r", "target_modules", "exclude_modules", "lora_alpha"),
        *("lora_dropout", "fan_in_fan_out", "use_rslora", "layers_to_transform", "layers_pattern"),
        *("rank_pattern", "alpha_pattern", "lora_bias", "megatron_core", "qalora_group_size"),
        # Of the beginning of training; see `_INITS`.
        *("eva_config", "corda_config", "lora_ga_config", "loftq_config", "init_lora_weights"),
        "bias",
    )
)
"""Fields of adapter_config.json whose value leaves the base alone; others must be empty."""

_INITS = (True, False, None, "gaussian", "eva", "orthogonal", "mica")
"""How matrices may have begun: those whose training left the base's weights as they were."""

_RESIDUAL = ("pissa", "olora", "corda", "lora_ga")
"""Those that PEFT can write anew as plain LoRA; by the beginning of their names."""

_MERGE = (
    "Merge it into its base where it was trained (PEFT's merge_and_unload), save the result and "
    "name that as the model."
)
_CONVERT = (
    "Save it again as plain LoRA where it was trained (PEFT's save_pretrained with "
    "path_initial_model_for_weight_conversion), or merge it into its base (merge_and_unload), save "
    "the result and name that as the model."
)


def check_adapter(directory: Path, config: dict[str, Any]) -> None:
    """Refuse an adapter whose kind would change its base for everybody else.

    Args:
        directory: of the adapter; its weights file is looked at, but not read.
        config: the content of its adapter_config.json.

    Raises:
        ModelError: it would, or its two files do not belong together.
    """
    what = f"The adapter {directory}"
    kind = str(config.get("peft_type") or "LORA").upper()
    if kind != "LORA":
        raise ModelError(f"{what} is of the type {kind}, and only LoRA adapters are read. {_MERGE}")
    init = config.get("init_lora_weights", True)
    if not any(init is one or init == one for one in _INITS):
        cure = _CONVERT if str(init).lower().startswith(_RESIDUAL) else _MERGE
        raise ModelError(
            f"{what} was trained on a base whose weights had been changed for it "
            f"(init_lora_weights={init!r}), and the base here is not that one. {cure}"
        )
    if config.get("bias", "none") not in ("none", None):
        raise ModelError(
            f"{what} brings biases of the base's own layers (bias={config['bias']!r}), which all "
            f"other models on that base would read, too. {_MERGE}"
        )
    changes = [name for name, value in config.items() if name not in _ANY and value]
    if changes:
        raise ModelError(
            f"{what} is more than plain LoRA ({changes[0]}={_brief(config[changes[0]])}), and "
            f"cannot lie on a base that others use. {_MERGE}"
        )
    _check_ranks(what, config, tensor_shapes(directory))


def _check_ranks(what: str, config: dict[str, Any], tensors: dict[str, tuple[int, ...]]) -> None:
    """Refuse ranks beyond all tensors: memory would be asked for before shapes are compared."""
    longest = max((size for shape in tensors.values() for size in shape), default=0)
    pattern = config.get("rank_pattern")
    for rank in (config.get("r", 8), *(pattern.values() if isinstance(pattern, dict) else ())):
        whole = isinstance(rank, int) and not isinstance(rank, bool)
        if not whole or rank < 1 or (tensors and rank > longest):
            raise ModelError(
                f"{what} has the rank {_brief(rank)} in {ADAPTER_CONFIG}, and no tensor of "
                f"{ADAPTER_WEIGHTS} has more than {longest} rows or columns: one of the two files "
                "belongs to another adapter. Copy both again."
            )


def own_tensors(directory: Path, model: Any) -> dict[str, Any]:
    """The tensors of an adapter without copies of the base's own, which PEFT writes beside an
    adapter of an embedding or output layer.

    Raises:
        ModelError: one is a weight of the base's layers and not the base's; the message names it.
    """
    from safetensors.torch import load_file

    tensors = load_file(directory / ADAPTER_WEIGHTS)
    foreign = [name for name in tensors if ".lora_" not in name]
    own = {
        path.replace(".base_layer.", "."): weight
        for path, weight in model.named_parameters(remove_duplicate=False)
        if foreign and ".lora_" not in path
    }
    for name in foreign:
        path = name.removeprefix("base_model.model.").replace(".base_layer.", ".")
        if path not in own or not _is_copy(tensors.pop(name), own[path]):
            raise ModelError(
                f"The adapter {directory} holds weights of the base's own layers that are not the "
                f"base's ({name}), and all other models on that base would read them, too. {_MERGE}"
            )
    return tensors


def _is_copy(tensor: Any, own: Any) -> bool:
    """Whether a tensor is one of the base's, as precise as the less precise of the two."""
    if tensor.shape != own.shape:
        return False
    own = own.detach().cpu()
    return any(bool((tensor.to(kind) == own.to(kind)).all()) for kind in (own.dtype, tensor.dtype))


def tensor_shapes(directory: Path) -> dict[str, tuple[int, ...]]:
    """Name and shape of each tensor of an adapter.

    Raises:
        ModelError: the file cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    file = directory / ADAPTER_WEIGHTS
    try:
        with safe_open(file, "np") as opened:
            return {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, struct.error) as error:
        raise ModelError(
            f"{file} cannot be read ({error}): save the adapter again, or fetch it anew."
        ) from error


def compare_tensors(
    directory: Path, found: dict[str, tuple[int, ...]], wanted: dict[str, tuple[int, ...]]
) -> None:
    """Refuse an adapter whose tensors are not those that its base and its configuration ask for.

    Raises:
        ModelError: one is missing, of another shape, or for a layer that does not exist.
    """
    for name, shape in wanted.items():
        if name not in found:
            more = len(set(wanted) - set(found)) - 1
            others = f" and {more} more" if more else ""
            raise ModelError(
                f"The adapter {directory} does not fit: its configuration asks for the tensor "
                f"{name}{others}, and {ADAPTER_WEIGHTS} does not have it. Save the adapter again, "
                "or fetch it anew; or it was trained on another base."
            )
        if found[name] != shape:
            raise ModelError(
                f"The adapter {directory} does not fit the base: the tensor {name} has the shape "
                f"{list(found[name])}, and the base asks for {list(shape)}. Was it trained on "
                "another one, or is r in its configuration wrong?"
            )
    foreign = [name for name in found if name not in wanted and ".lora_" in name]
    if foreign:
        raise ModelError(
            f"The adapter {directory} has weights for layers that the base or its configuration "
            f"does not have (such as {foreign[0]}): it was trained on another base, or "
            "target_modules in its configuration is wrong."
        )


def plain_config(directory: Path, fields: dict[str, Any], trainable: bool) -> "PeftConfig":
    """The configuration of a LoRA adapter on disk, without how its matrices once began.

    fields: the content of its adapter_config.json.

    Raises:
        ModelError: it would change the base.
    """
    from peft import LoraConfig

    check_adapter(directory, fields)
    config = LoraConfig.from_pretrained(str(directory))
    # All matrices are read from the file. Some beginnings take the base apart.
    config.init_lora_weights = True
    config.inference_mode = not trainable
    return config


def shapes_on(peft: Any, name: str) -> dict[str, tuple[int, ...]]:
    """Shape of each tensor of an adapter that is on a model, by its name in a file."""
    return {
        ".".join(part for part in path.split(".") if part != name): tuple(tensor.shape)
        for path, tensor in peft.named_parameters(remove_duplicate=False)
        if ".lora_" in path and name in path.split(".")
    }


def clear_layers(model: Any, name: str) -> None:
    """Take an adapter off the layers that still have it, and the layers that held it alone off."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for path, layer in list(model.named_modules()):
        if isinstance(layer, BaseTunerLayer):
            parts = (*layer.adapter_layer_names, "lora_dropout")  # which a half-way failure leaves
            held = {key for part in parts for key in getattr(layer, part, {})}
            if name in held:
                layer.delete_adapter(name)
                left = getattr(layer, "lora_dropout", {})
                if name in left:
                    del left[name]
            if held <= {name}:
                parent, _, child = path.rpartition(".")
                setattr(model.get_submodule(parent), child, layer.get_base_layer())


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
