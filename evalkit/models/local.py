"""What every back end with weights of its own shares: the checkpoint, its tokenizer, its length, its name by content."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from evalkit.models import checkpoint as ckpt
from evalkit.models.base import Capabilities, WorkItem, content_key
from evalkit.models.encoding import Encoder
from evalkit.models.placement import quantized_by
from evalkit.models.remarks import remarks
from evalkit.models.sampling import Sampling
from evalkit.models.template import TemplateSettings
from evalkit.models.thinking import Marks, checked_thinking, checked_tokens, marks_of, thinking_told
from evalkit.types import Request

log = logging.getLogger("evalkit")


class LocalModel:
    """A checkpoint that is read here, up to the token ids; a back end adds how they are answered.

    Attributes:
        back_end: its name, part of every run's identity.
        warnings: what a reader of the manifest must know, each said once.
    """

    back_end: ClassVar[str]

    def __init__(
        self,
        name: str,
        path: str | None,
        revision: str | None,
        gguf_file: str | None,
        wheel: Mapping[str, Any] | None,
        *,
        dtype: str,
        peft: str | None,
        trust_remote_code: bool,
        max_length: int | None,
        add_bos: bool | None,
        thinking: str | bool | Sequence[str],
        thinking_tokens: int | None,
        template: TemplateSettings,
        sampling: Sampling,
    ) -> None:
        self.name = name
        self.dtype = dtype
        self.peft = peft
        self.trust_remote_code = trust_remote_code
        self._max_length = max_length
        self._add_bos = add_bos
        self.thinking = checked_thinking(thinking)
        self.thinking_tokens = checked_tokens(thinking_tokens)
        self.template = template
        self.sampling = sampling
        self._where = (path, revision, gguf_file, wheel)
        self.warnings: list[str] = []

    def identity(self) -> dict[str, Any]:
        """The settings that can change an answer. Left out: the name (for people), and whatever is speed alone."""
        path, revision, gguf_file, wheel = self._where
        named = {
            "path": path,
            "revision": revision,
            "gguf_file": gguf_file,
            "wheel": wheel,
            "dtype": self.dtype,
            "peft": self.peft,
            "trust_remote_code": self.trust_remote_code or None,
            "max_length": self._max_length,
            "add_bos": self._add_bos,
            **thinking_told(self.thinking, self.thinking_tokens),
            **self.template.told(),
            **self.sampling.told(),
            **self._own_identity(),
        }
        return {"back_end": self.back_end, **{name: value for name, value in named.items() if value is not None}}

    def _own_identity(self) -> dict[str, Any]:
        """Settings of one back end alone that can change an answer; None where they are at their default."""
        return {}

    @cached_property
    def checkpoint(self) -> ckpt.Checkpoint:
        return ckpt.find(*self._where)

    @cached_property
    def tokenizer(self) -> Any:
        return ckpt.load_tokenizer(self.checkpoint, self.trust_remote_code)

    @cached_property
    def config(self) -> Any:
        return ckpt.load_config(self.checkpoint, self.trust_remote_code)

    @cached_property
    def capabilities(self) -> Capabilities:
        return Capabilities(loglikelihood=True, generate=True, chat=bool(self.tokenizer.chat_template))

    @cached_property
    def max_length(self) -> int:
        if self._max_length:
            return self._max_length
        return ckpt.longest(self.config, self.tokenizer)

    @cached_property
    def fingerprint(self) -> str:
        """Everything about the model that can change an answer; throughput settings stay out."""
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        tokenizer = backend.to_str() if backend is not None else repr(sorted(self.tokenizer.get_vocab().items()))
        adapter = ckpt.find(self.peft, None, None, None).fingerprint if self.peft else ""
        own = getattr(self.config, "dtype", None) if self.dtype == "auto" else self.dtype
        template = str(self.tokenizer.chat_template)
        parts = (self.checkpoint.fingerprint, str(own), tokenizer, template, adapter, str(self._add_bos), str(self.max_length))
        return content_key(*parts, *self._own_key())

    def _own_key(self) -> list[str]:
        """What a back end adds to the fingerprint; nothing while its own settings are at their defaults."""
        own = {name: value for name, value in self._own_identity().items() if value is not None}
        return [json.dumps(own, sort_keys=True)] if own else []

    @cached_property
    def encoder(self) -> Encoder:
        encoder = Encoder(self.tokenizer, self.max_length, self.fingerprint, self._add_bos, self.template)
        encoder.marks, encoder.thinking_tokens, encoder.sampling = self.marks, self.thinking_tokens, self.sampling
        return encoder

    @cached_property
    def marks(self) -> Marks | None:
        """The marks around a thought; None when the model is not known to think."""
        added = [token.content for token in self.tokenizer.added_tokens_decoder.values()]
        return marks_of(self.thinking, str(self.tokenizer.chat_template or ""), added)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a table's footnote says of the model: weights that are not whole."""
        if own := self._own_identity().get("quantization"):
            return (f"the model's weights were quantised as they were loaded: {own}",)
        method = quantized_by(self.config)
        return (f"the checkpoint's weights are quantised: {method}",) if method else ()

    def remarks(self, requests: Sequence[Request]) -> tuple[str, ...]:
        """Notes for under the table, about the requests of one task."""
        return (*self.notes, *remarks(requests, self.marks is not None, self.encoder.template, self.sampling))

    def tokens(self) -> LocalModel:
        return self

    def count_tokens(self, text: str) -> int:
        """Tokens of a whole text, with the special tokens that the tokenizer adds by itself."""
        return len(self.tokenizer(text, return_attention_mask=False, verbose=False)["input_ids"])

    def encode(self, requests: Sequence[Request]) -> list[WorkItem]:
        return self.encoder.encode(requests)

    def _told(self) -> dict[str, Any]:
        """What the manifest says of checkpoint and prompts, whatever reads them."""
        return {
            "back_end": self.back_end,
            "checkpoint": self.checkpoint.origin,
            "revision": self.checkpoint.revision,
            "weights": self.checkpoint.fingerprint,
            "fingerprint": self.fingerprint,
            "dtype": self.dtype,
        }

    def _prompting(self) -> dict[str, Any]:
        from evalkit.models.hf.suggested import applied_and_not  # not above: that package imports this module

        return {
            "max_length": self.max_length,
            "template": {"date": self.template.date, "args": dict(self.template.args), "system": self.template.system},
            "sampling": dict(self.sampling.asked),
            "generation_config": applied_and_not(self.checkpoint, self.sampling.asked),
            "thinking_marks": list(self.marks) if self.marks else None,
            "peft": self.peft,
            "system_merged_into_user": self.encoder.system_merged,
            "warnings": list(self.warnings),
        }

    def _warn(self, message: str) -> None:
        if message not in self.warnings:
            self.warnings.append(message)
            log.warning(message)
