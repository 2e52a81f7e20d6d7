"""A conversation that ends with the assistant is continued in the same turn, as SmolLM2's template writes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from transformers import AutoTokenizer

from evalkit.models.encoding import Encoder
from evalkit.types import Message

# ChatML as SmolLM2-Instruct has it.
TEMPLATE = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def test_the_begun_answer_is_not_closed(tiny: Callable[..., Path]) -> None:
    encoder = Encoder(AutoTokenizer.from_pretrained(tiny(template=TEMPLATE)), 512, "f", None)
    asked = (Message("user", "Write it."), Message("assistant", "Here:\n```python\ndef f():\n"))
    assert encoder.text_of(asked).endswith("<|im_start|>assistant\nHere:\n```python\ndef f():\n")
    assert encoder.text_of(asked[:1]).endswith("<|im_end|>\n<|im_start|>assistant\n")
