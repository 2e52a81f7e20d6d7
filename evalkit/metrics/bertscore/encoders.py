"""Encoders for BERTScore: loaded, run and matched by the bert-score library, a reference's vectors computed once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import version as package_version
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.errors import ConfigError
from evalkit.metrics.bertscore.vectors import Encoded, Shelf, shelf_of

if TYPE_CHECKING:
    import torch

_NO_LIMIT = 1_000_000  # transformers gives a tokenizer without a length limit one of 10**30
Pair = tuple[str, str]
Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """Which model, by hub name or local folder, and the layer whose vectors are compared (0 is the embeddings)."""

    name: str
    layer: int

    def __str__(self) -> str:
        return f"{Path(self.name).name if Path(self.name).is_dir() else self.name}-L{self.layer}"


def choose(language: str | None, encoder: str | None, layer: int | None) -> EncoderSpec:
    """The encoder asked for, or the one bert-score takes for a language; the layer asked for, or bert-score's.

    Raises:
        ConfigError: neither a language nor an encoder, or an encoder whose layer bert-score does not know.
    """
    from bert_score.utils import lang2model, model2layers

    if encoder is None and language is None:
        raise ConfigError("BERTScore needs a language or an encoder; set language: (as hi), or both encoder: and layer: yourself")
    name = encoder or lang2model[str(language).lower()]
    if layer is None and name not in model2layers:
        raise ConfigError(f"BERTScore: bert-score knows no best layer for encoder {name!r}; set layer: as well")
    return EncoderSpec(name, model2layers[name] if layer is None else layer)


@lru_cache(maxsize=256)
def baseline(language: str | None, spec: EncoderSpec) -> float:
    """F of random pairs, from the table bert-score ships for this language, encoder and layer.

    Raises:
        ConfigError: there is no such table.
    """
    import bert_score
    import pandas as pd

    tables = Path(bert_score.__file__).parent / "rescale_baseline"
    file = tables / str(language) / f"{spec.name}.tsv"
    if not file.is_file():
        known = ", ".join(sorted(path.name for path in tables.iterdir() if path.is_dir()))
        raise ConfigError(
            f"BERTScore: bert-score ships no rescaling baseline for language {language!r} with {spec.name} (languages with one: {known});"
            " set rescale: false"
        )
    table = pd.read_csv(file)
    rows = table[table["LAYER"] == spec.layer]
    if rows.empty:
        raise ConfigError(f"BERTScore: {file.name} has no baseline for layer {spec.layer} of {spec.name}; set rescale: false")
    return float(rows["F"].iloc[0])


@dataclass
class Encoder:
    """A loaded encoder with the shelf of the references it has seen.

    Attributes:
        label: name, layer and version of the weights, for a signature.
        device: where it runs; vectors are kept in main memory.
    """

    label: str
    model: Any
    tokenizer: Any
    device: str
    shelf: Shelf = field(default_factory=Shelf)

    def f_scores(self, pairs: Sequence[Pair], weights: Mapping[int, float], batch_size: int, advance: Advance) -> list[float]:
        """F of (answer, reference) pairs in [-1, 1]; 0 where either has no token of its own.

        References are encoded in their own batches, whose make-up depends on the references alone: what is on the
        shelf from before can therefore change the time this takes, and not one bit of the result.
        """
        scores: list[float] = []
        for start in range(0, len(pairs), 4 * batch_size):
            part = pairs[start : start + 4 * batch_size]
            references = self._encode([reference for _, reference in part], batch_size, keep=True)
            answers = self._encode([answer for answer, _ in part], batch_size, keep=False)
            scores += self._match([(answers[a], references[r]) for a, r in part], weights, batch_size)
            advance(len(part))
        return scores

    def weights(self, references: Sequence[str], idf: bool) -> Mapping[int, float]:
        """What each token id counts: 1 (specials 0), or its inverse document frequency among the references."""
        from collections import defaultdict

        from bert_score.utils import get_idf_dict

        if idf:
            return get_idf_dict(list(references), self.tokenizer, nthreads=0)
        plain: dict[int, float] = defaultdict(lambda: 1.0)
        return plain | {self.tokenizer.sep_token_id: 0.0, self.tokenizer.cls_token_id: 0.0}

    def unknown_share(self, text: str) -> float | None:
        """Share of a text's tokens that are the unknown one; None without tokens."""
        ids = self._own(self._ids(text))
        return sum(i == self.tokenizer.unk_token_id for i in ids) / len(ids) if ids else None

    @property
    def limit(self) -> int:
        """Tokens that are read of one text, special ones included."""
        return int(self.tokenizer.model_max_length)

    def cuts(self, text: str) -> bool:
        """Whether a text is longer than the encoder reads, so that only its beginning is compared."""
        # No tokenizer makes more tokens than a text has bytes, plus a mark at either end and a blank in front.
        if len(text.encode("utf-8", "surrogatepass")) + 3 <= self.limit or len(self._ids(text)) < self.limit:
            return False
        return len(self.tokenizer.encode(text.strip(), add_special_tokens=True, verbose=False)) > self.limit

    def _ids(self, text: str) -> tuple[int, ...]:
        from bert_score.utils import sent_encode

        # An empty text makes sent_encode call a method that tokenizers no longer have in transformers 5.
        return tuple(sent_encode(self.tokenizer, text)) if text.strip() else ()

    def _own(self, ids: Sequence[int]) -> list[int]:
        return [i for i in ids if i not in (self.tokenizer.cls_token_id, self.tokenizer.sep_token_id)]

    def _encode(self, texts: Sequence[str], batch_size: int, *, keep: bool) -> dict[str, Encoded]:
        """Every different text once, in batches of like length."""
        ordered = sorted(set(texts), key=lambda text: (-len(text), text))
        encoded: dict[str, Encoded] = {}
        for start in range(0, len(ordered), batch_size):
            batch = tuple(ordered[start : start + batch_size])
            encoded.update(zip(batch, self.shelf.get(batch, self._run) if keep else self._run(batch), strict=True))
        return encoded

    def _run(self, batch: Sequence[str]) -> list[Encoded]:
        import torch
        from bert_score.utils import bert_encode, padding

        ids = [self._ids(text) for text in batch]
        filled = [i for i in ids if self._own(i)]
        if not filled:
            return [Encoded((), torch.empty(0, 0)) for _ in batch]
        padded, _, mask = padding(filled, self.tokenizer.pad_token_id)
        rows = iter(bert_encode(self.model, padded.to(self.device), attention_mask=mask.to(self.device)).cpu())
        # A copy, since a slice would keep the padding of the whole batch alive.
        return [Encoded(i, next(rows)[: len(i)].clone()) if self._own(i) else Encoded((), torch.empty(0, 0)) for i in ids]

    def _match(self, pairs: Sequence[tuple[Encoded, Encoded]], weights: Mapping[int, float], batch_size: int) -> list[float]:
        """bert-score's greedy matching of pairs that are equally long, so that none is padded.

        In a padded batch the library counts a token whose best match is below 0 as 0, and a score would depend on its neighbours.
        """
        import torch
        from bert_score.utils import greedy_cos_idf

        def lengths(i: int) -> tuple[int, int]:
            return len(pairs[i][1].ids), len(pairs[i][0].ids)

        scores = [0.0] * len(pairs)
        order = sorted((i for i, (answer, reference) in enumerate(pairs) if answer.ids and reference.ids), key=lengths)
        for _, group in groupby(order, key=lengths):
            alike = list(group)
            for batch in (alike[start : start + batch_size] for start in range(0, len(alike), batch_size)):
                answers = self._stack([pairs[i][0] for i in batch], weights)
                references = self._stack([pairs[i][1] for i in batch], weights)
                with torch.no_grad():
                    _, _, f = greedy_cos_idf(*references, *answers)
                for i, score in zip(batch, f.tolist(), strict=True):
                    scores[i] = score
        return scores

    def _stack(self, texts: Sequence[Encoded], weights: Mapping[int, float]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Vectors (batch, tokens, width), mask and token weights (batch, tokens), as `greedy_cos_idf` takes them."""
        import torch

        vectors = torch.stack([text.vectors for text in texts])
        weighted = torch.tensor([[weights[i] for i in text.ids] for text in texts], dtype=torch.float)
        mask = torch.ones(weighted.shape, dtype=torch.bool)
        return vectors.to(self.device), mask.to(self.device), weighted.to(self.device)


def load(spec: EncoderSpec, device: str | None) -> Encoder:
    """The encoder, ready to run; the last two stay in memory with their reference vectors.

    Raises:
        ConfigError: it is not there, cannot be read, or has no such layer; the line says what to do. One that failed is
            not tried again by this process: a dozen languages and baselines would each wait for the same network.
    """
    found = attempt(spec, device)
    if isinstance(found, ConfigError):
        raise found
    return found


@lru_cache(maxsize=2)
def attempt(spec: EncoderSpec, device: str | None) -> Encoder | ConfigError:
    """`load`'s outcome, kept."""
    try:
        return _loaded(spec, device)
    except ConfigError as error:
        return error


def _loaded(spec: EncoderSpec, device: str | None) -> Encoder:
    import torch
    from bert_score.utils import get_model, get_tokenizer
    from transformers import AutoConfig
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        _ask_hub(spec.name)
        config = AutoConfig.from_pretrained(spec.name)
        if "t5" in spec.name and "t5" not in config.model_type:
            raise ConfigError(
                f"BERTScore: bert-score takes any encoder with 't5' in its name for T5, and {spec.name!r} is {config.model_type};"
                " rename the folder"
            )
        model = get_model(spec.name, spec.layer).to(device)
        tokenizer = _with_prefix_space(spec.name, get_tokenizer(spec.name))
    except ConfigError:
        raise
    except AssertionError as error:  # bert-score's check of the layer
        raise ConfigError(
            f"BERTScore: encoder {spec.name} has no layer {spec.layer} ({_line(error)}); set layer: to one that it has"
        ) from error
    except Exception as error:  # whatever a hub client or a damaged folder raises: answers that are measured must not be lost
        raise ConfigError(
            f"BERTScore: encoder {spec.name!r} cannot be loaded ({_line(error)}); download it where there is a network,"
            " or set encoder: and layer: to those of a local folder"
        ) from error
    if tokenizer.pad_token_id is None:
        raise ConfigError(f"BERTScore: encoder {spec.name} has no padding token, so it cannot run batches; choose another encoder")
    if (positions := _positions(model)) is not None:
        # A tokenizer that claims more would have the encoder look up positions that it does not have.
        tokenizer.model_max_length = min(tokenizer.model_max_length, positions)
    elif tokenizer.model_max_length > _NO_LIMIT:
        tokenizer.model_max_length = getattr(config, "max_position_embeddings", 512)
    version = _digest(Path(spec.name)) if Path(spec.name).is_dir() else getattr(config, "_commit_hash", None) or ""
    title = f"{spec}{'@' + version[:8] if version else ''}"
    return Encoder(title, model, tokenizer, device, _shelf(spec, version, device) if version else Shelf())


def _positions(model: Any) -> int | None:
    """Tokens for which an encoder has learnt positions; None where positions are relative, and so without an end."""
    inner = getattr(model, "embeddings", model)
    table = getattr(inner, "position_embeddings", None)
    if (rows := getattr(table, "num_embeddings", None)) is None:
        return None
    # XLM-R and RoBERTa number positions from pad_token_id + 1.
    padding = getattr(table, "padding_idx", None)
    return int(rows) - (0 if padding is None else padding + 1)


def _shelf(spec: EncoderSpec, version: str, device: str) -> Shelf:
    """Vectors depend on the weights, the layer, and the code and kind of device that ran them."""
    code = [f"{name}-{package_version(name)}" for name in ("bert-score", "torch", "transformers")]
    name = Path(spec.name).name
    return shelf_of(name, spec.layer, version, device.partition(":")[0], *code, title=f"{name}-L{spec.layer}")


def _ask_hub(name: str) -> None:
    """One question to the hub about an encoder that is neither a folder nor cached; raises whatever the hub's client does.

    Loading without it retries for half a minute on a machine without a network.
    """
    from huggingface_hub import HfApi, try_to_load_from_cache

    if not Path(name).is_dir() and not isinstance(try_to_load_from_cache(name, "config.json"), str):
        HfApi().model_info(name, timeout=5)


def _with_prefix_space(name: str, tokenizer: Any) -> Any:
    """RoBERTa's and GPT-2's tokenizers with the space before the first word that bert-score asks for.

    It asks when it encodes; transformers 5 ignores that there without a word, and listens only when it loads.
    """
    from transformers import AutoTokenizer, GPT2Tokenizer, RobertaTokenizer

    if isinstance(tokenizer, (GPT2Tokenizer, RobertaTokenizer)):
        return AutoTokenizer.from_pretrained(name, use_fast=False, add_prefix_space=True)
    return tokenizer


def _digest(folder: Path) -> str:
    """Of a local encoder's configuration, tokenizer and weights."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in (".json", ".txt", ".model", ".safetensors", ".bin"):
            with path.open("rb") as handle:
                digest.update(hashlib.file_digest(handle, "sha256").digest())
    return digest.hexdigest()


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]
