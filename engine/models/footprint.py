"""How much memory a policy and a process reward model will take, before anything is loaded.

Read from config.json, the headers of the safetensors files and a model without storage ("meta"
device), put together by the classes that will hold the real one. It knows sizes; what is free, and
whether that is enough, is for others to say. It never asks a network.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

from engine.errors import ModelError
from engine.models.hardware import four_bit_kernel, import_bitsandbytes
from engine.models.loading import (
    HUB_ID,
    Location,
    ModelSpec,
    Precision,
    locate,
    read_json,
    settle_precision,
)
from engine.models.pool import quantisation, stored_scheme, torch_dtype
from engine.models.prm_formats import find_format
from engine.models.prm_readouts import load_head

ROWS, LENGTH = 16, 1024
"""What the predicted work is: texts decoded together, and the tokens of each."""

LOGIT_BYTES = 64
"""For each logit of a row: itself, in float32 and float64, and what sorting and summing needs."""

_NF4_BLOCK, _NF4_BLOCKS, _CPU_SCALE = 64, 256, 2
"""NF4: weights with a scale in common, scales with one in common, bytes of a scale on the CPU."""

_NUMBER = {"fp32": 4, "bf16": 2, "fp16": 2}

_LONGEST_HEADER = 100 * 2**20
"""The safetensors format allows no longer one."""


@dataclass(frozen=True)
class Work:
    """Memory in bytes of decoding `ROWS` texts of `LENGTH` tokens together.

    Attributes:
        rows: K/V rows of the texts in the batch: ROWS * LENGTH * bytes of a token's.
        logits: ROWS * vocabulary * LOGIT_BYTES.
        activations: of reading LENGTH tokens at once: LENGTH * (6 * hidden + 3 * widest layer +
            4 * heads * LENGTH) numbers, and the largest quantised weight unpacked. The last term
            is attention that keeps all scores, in float32 too, as the plain kernels do; with it
            the sum was 5 to 20 % above the peak of Llama, Qwen2 and Phi-3 shapes.
    """

    rows: int
    logits: int
    activations: int

    @property
    def bytes(self) -> int:
        """In all."""
        return self.rows + self.logits + self.activations


@dataclass(frozen=True)
class Footprint:
    """What one base takes; memory in bytes.

    Attributes:
        name: as the person named it.
        directory: where its files are.
        precision: as it will be held.
        quantised: "nf4", "int8", "none", or the scheme that the files came in.
        parameters: how many numbers the weights are.
        weights: as held, quantisation constants and buffers included, adapters not.
        loading: needed beside the weights while they are being loaded.
        kv_token: keys and values of one token in all layers.
        hidden: width of the hidden states.
        work: of one batch.
    """

    name: str
    directory: Path
    precision: Precision
    quantised: str
    parameters: int
    weights: int
    loading: int
    kv_token: int
    hidden: int
    work: Work

    @property
    def token(self) -> int:
        """What is kept of one token that has been read: its K/V rows and last hidden state."""
        return self.kv_token + self.hidden * _NUMBER[self.precision.dtype]


@dataclass(frozen=True)
class Pair:
    """A policy and a process reward model side by side on one device; memory in bytes.

    Attributes:
        policy, prm: their bases, one and the same object if `shared`.
        adapters: both models' LoRA weights, each adapter once.
        head: the head that values are read from, 0 where the language model's own is.
    """

    policy: Footprint
    prm: Footprint
    adapters: int
    head: int

    @property
    def shared(self) -> bool:
        """Whether both stand on one base, which is loaded once."""
        return self.policy is self.prm

    @cached_property
    def weights(self) -> int:
        """Everything that stays loaded."""
        bases = self.policy.weights + (0 if self.shared else self.prm.weights)
        return bases + self.adapters + self.head

    @cached_property
    def loading(self) -> int:
        """Most memory at any time while the models are loaded, the policy first."""
        policy = self.policy.weights + self.policy.loading
        return max(policy, self.weights + (0 if self.shared else self.prm.loading))

    @property
    def token(self) -> int:
        """What is kept of one token that both models have read."""
        return self.policy.token + self.prm.token

    @property
    def work(self) -> Work:
        """That of the model which needs more: they work in turn. Values need no logits."""
        prm = self.prm.work
        return max(self.policy.work, Work(prm.rows, 0, prm.activations), key=lambda one: one.bytes)


def predict(policy: ModelSpec, prm: ModelSpec) -> Pair:
    """The memory that a pair of models will take.

    Raises:
        ModelError: a model is not on this machine, is not one, or cannot be held as specified.
    """
    first, first_adapter = _open(policy)
    second, second_adapter = _open(prm, first)
    adapters = {adapter for adapter in (first_adapter, second_adapter) if adapter is not None}
    own = second_adapter or second.directory
    form = find_format(prm.path, (own, second.directory), prm.prm_format)
    head = load_head(form, own, second.directory, second.hidden, "cpu")
    return Pair(
        first,
        second,
        sum(_adapter_bytes(adapter) for adapter in adapters),
        head.nbytes if head is not None else 0,
    )


def _open(spec: ModelSpec, known: Footprint | None = None) -> tuple[Footprint, Path | None]:
    """A model's base, which is `known` if the pool would share it, and its adapter."""
    location = locate(at_hand(spec))
    precision = settle_precision(spec, location.directory)
    if known is None or (known.directory, known.precision) != (location.directory, precision):
        known = footprint(spec.path, location, precision, spec.trust_remote_code)
    return known, location.adapter


def at_hand(spec: ModelSpec) -> ModelSpec:
    """The same model by its folders: hub ids become their copies in the local cache.

    Raises:
        ModelError: there is no copy.
    """
    path, adapter = _cached(spec.path), _cached(spec.adapter) if spec.adapter else None
    config = Path(path).expanduser() / "adapter_config.json"
    if adapter is None and config.exists() and not config.with_name("config.json").exists():
        base = str(read_json(config).get("base_model_name_or_path") or "")
        if base and not (config.parent / base).is_dir():
            path, adapter = _cached(base), path
    return spec.model_copy(update={"path": path, "adapter": adapter})


def _cached(path: str) -> str:
    if Path(path).expanduser().exists() or not HUB_ID.fullmatch(path):
        return path
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return snapshot_download(path, local_files_only=True)
    except LocalEntryNotFoundError as error:
        raise ModelError(
            f"What '{path}' needs is not known before it is fetched. Using it fetches it; "
            f"`hf download {path}` does so without loading it."
        ) from error


def footprint(
    name: str, location: Location, precision: Precision, trust_remote_code: bool = False
) -> Footprint:
    """What one base takes.

    Raises:
        ModelError: its files are damaged or incomplete, or no class of transformers fits them.
    """
    stored = _stored(location.directory)
    try:
        return _of_empty_model(name, location.directory, precision, stored, trust_remote_code)
    except Exception as error:  # the formats and classes of thousands of models
        raise ModelError(
            f"What {name} will take cannot be told ({type(error).__name__}: {error})."
        ) from error


def _of_empty_model(
    name: str,
    directory: Path,
    precision: Precision,
    stored: int,
    trust_remote_code: bool,
) -> Footprint:
    model = empty_model(directory, precision, trust_remote_code)
    scheme = getattr(model.config, "quantization_config", None)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    kv_token = _kv_token(model, precision)
    work = _work(model, precision, kv_token)
    if not scheme:
        _quantise(model, precision)
    return Footprint(
        name=name,
        directory=directory,
        precision=precision,
        quantised=stored_scheme(scheme) if scheme else precision.quant,
        parameters=parameters,
        weights=stored if scheme else _held(model, precision),
        loading=_beside(model, precision),
        kv_token=kv_token,
        hidden=model.config.get_text_config().hidden_size,
        work=work,
    )


def empty_model(directory: Path, precision: Precision, trust_remote_code: bool = False) -> Any:
    """A model without storage by its config.json, before any of its layers is quantised."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(
        str(directory), local_files_only=True, trust_remote_code=trust_remote_code
    )
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
            config, dtype=torch_dtype(precision), trust_remote_code=trust_remote_code
        )


def _kv_token(model: Any, precision: Precision) -> int:
    """Bytes that the model's own cache grows by with each token."""
    import torch
    from transformers import DynamicCache

    ids = torch.zeros((1, 2), dtype=torch.int64, device="meta")
    cache = DynamicCache(config=model.config)
    model.config.pad_token_id = None  # else some look for it among ids that are not there
    try:
        with torch.no_grad():
            model(input_ids=ids, past_key_values=cache, use_cache=True)
    except Exception:  # code that looks at values, of which an empty model has none
        return _usual_kv_token(model.config.get_text_config(), _NUMBER[precision.dtype])
    rows = [getattr(layer, side, None) for layer in cache.layers for side in ("keys", "values")]
    return sum(int(row.nbytes) for row in rows if row is not None) // ids.numel()


def _usual_kv_token(config: Any, size: int) -> int:
    """Layers * 2 * heads of keys and values * their width * bytes of a number."""
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(config.num_hidden_layers * 2 * heads * width * size)


def _work(model: Any, precision: Precision, kv_token: int) -> Work:
    config, size = model.config.get_text_config(), _NUMBER[precision.dtype]
    head = model.get_output_embeddings()
    linear = [
        module
        for module in model.modules()
        if hasattr(module, "out_features") and module is not head
    ]
    widest = max((module.out_features for module in linear), default=config.hidden_size)
    unpacked = max((module.weight.numel() for module in linear), default=0)
    heads = getattr(config, "num_attention_heads", 0)
    numbers = LENGTH * (6 * config.hidden_size + 3 * widest + 4 * heads * LENGTH)
    return Work(
        rows=ROWS * LENGTH * kv_token,
        logits=ROWS * config.vocab_size * LOGIT_BYTES,
        activations=size * (numbers + (unpacked if precision.quant == "nf4" else 0)),
    )


def _quantise(model: Any, precision: Precision) -> None:
    """Exchange layers of an empty model as loading it will."""
    scheme = quantisation(precision)
    if scheme is None:
        return
    import_bitsandbytes()
    from transformers.quantizers.auto import AutoHfQuantizer

    quantiser = AutoHfQuantizer.from_config(scheme, pre_quantized=False)
    quantiser.preprocess_model(
        model=model, device_map={"": precision.device}, dtype=torch_dtype(precision)
    )


def _held(model: Any, precision: Precision) -> int:
    """Bytes of the weights and buffers of an empty model when it will be loaded."""
    quantised = {id(module.weight): module for module in _quantised_layers(model)}
    native = precision.device == "cpu" and four_bit_kernel("cpu") == "cpu-native"
    size = sum(int(buffer.nbytes) for buffer in model.buffers())
    for parameter in model.parameters():  # tied ones once
        count = int(parameter.numel())
        if id(parameter) not in quantised:
            size += int(parameter.nbytes)
        elif precision.quant == "int8":
            size += count + 4 * int(quantised[id(parameter)].out_features)
        else:
            scales = -(-count // _NF4_BLOCK)
            # Native layers keep their scales unpacked from the first use on.
            size += count // 2
            size += _CPU_SCALE * scales if native else scales + 4 * -(-scales // _NF4_BLOCKS)
    return size


def _beside(model: Any, precision: Precision) -> int:
    """Bytes beside the weights while they are loaded: a matrix before it is quantised.

    Tensors are mapped from their files and go to the device one by one, so that nothing else is
    held twice. The CPU quantises in float32.
    """
    size = _NUMBER[precision.dtype] + (4 if precision.device == "cpu" else 0)
    return size * max((layer.weight.numel() for layer in _quantised_layers(model)), default=0)


def _quantised_layers(model: Any) -> list[Any]:
    return [m for m in model.modules() if type(m).__name__ in ("Linear4bit", "Linear8bitLt")]


def _stored(directory: Path) -> int:
    """Bytes of the tensors in the files that make up a model's weights.

    Raises:
        ModelError: one is missing or damaged.
    """
    single, index = directory / "model.safetensors", directory / "model.safetensors.index.json"
    if single.exists() or not index.exists():
        files = [single]
    else:
        named = read_json(index).get("weight_map")
        if not isinstance(named, dict) or not named:
            raise ModelError(f"{index} names no weights: copy the model again.")
        files = [directory / name for name in sorted({str(file) for file in named.values()})]
    missing = [file.name for file in files if not file.exists()]
    if missing:
        raise ModelError(
            f"{directory} is incomplete: {len(missing)} of {len(files)} weight file(s) are not "
            f"there, such as {missing[0]}. Fetch the model again."
        )
    return sum(size for file in files for size, _ in _tensors(file))


def _tensors(file: Path) -> list[tuple[int, int]]:
    """(bytes, numbers) of each tensor in a safetensors file, by its header.

    Raises:
        ModelError: the header is damaged, or the file is shorter than it says.
    """
    size = file.stat().st_size
    with file.open("rb") as content:
        length = int.from_bytes(content.read(8), "little")
        try:
            if length > min(size, _LONGEST_HEADER):
                raise ValueError("its header is too long")
            header = json.loads(content.read(length))
            header.pop("__metadata__", None)
            if any(one["data_offsets"][1] > size - 8 - length for one in header.values()):
                raise ValueError("it ends before its tensors do")
            return [
                (int(one["data_offsets"][1]) - int(one["data_offsets"][0]), prod(one["shape"]))
                for one in header.values()
            ]
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ModelError(
                f"{file} is damaged or was not copied to its end ({error}): copy it again."
            ) from error


def _adapter_bytes(adapter: Path) -> int:
    """Of a LoRA adapter as held: peft keeps it in float32, whatever it was stored in."""
    return sum(4 * numbers for _, numbers in _tensors(adapter / "adapter_model.safetensors"))
