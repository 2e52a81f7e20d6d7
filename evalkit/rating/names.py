"""Answers that say which model wrote them: found before a page is sent, because they end the blindness."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

# Families, makers and assistants that answers name. A word that is an ordinary one too (phi, nova) counts only as a part of a
# model's own name.
KNOWN = (
    "airavata", "alibaba cloud", "anthropic", "bharatgpt", "bloomz", "chatglm", "chatgpt", "claude", "command r",
    "deepmind", "deepseek", "falcon llm", "gemini", "gemma", "google ai", "gpt-3", "gpt-3.5", "gpt-4", "gpt-4o", "gpt", "hanooman",
    "hugging face", "huggingface", "krutrim", "llama", "meta ai", "microsoft copilot", "mistral", "mixtral", "nemotron", "ola krutrim",
    "openai", "openhathi", "palm 2", "qwen", "sarvam", "smollm", "vicuna", "कृत्रिम एआई", "क्रुट्रिम", "चैटजीपीटी", "जीपीटी",
    "जेमिनी", "ओपनएआई", "मिस्ट्रल", "சாட்ஜிபிடி", "ஜெமினி", "చాట్‌జిపిటి", "జెమిని", "চ্যাটজিপিটি", "জেমিনি", "چیٹ جی پی ٹی", "جیمنی",
)  # fmt: skip
# Firms whose names are ordinary words of many answers: they tell something where the writer speaks of its maker.
_FIRMS = r"(?:ai4bharat|alibaba|amazon|apple|baidu|cohere|google|ibm|meta|microsoft|nvidia|ola|tencent|xai|zhipu)"
_MADE = r"(?:built|created|designed|developed|made|released|trained)\s+(?:and\s+\w+\s+)?(?:by|at)"
_MODEL = r"(?:language\s+model|ai\s+(?:model|assistant)|assistant|chat\s*bot)"
_FIRMS_INDIC = "(?:गूगल|मेटा|माइक्रोसॉफ्ट|गुगल|গুগল|মেটা|মাইক্রোসফট|கூகுள்|மெட்டா|மைக்ரோசாஃப்ட்|గూగుల్|మెటా|మైక్రోసాఫ్ట్|گوگل|میٹا|مائیکروسافٹ)"
_BY_INDIC = "(?:ने|द्वारा|कडून|এর|দ্বারা|ஆல்|நிறுவனத்தால்|ద్వారా|نے)"
_MADE_INDIC = "(?:प्रशिक्षित|विकसित|बनाया|बनवल|तैयार|तयार|প্রশিক্ষিত|তৈরি|பயிற்சி|உருவாக்க|శిక్షణ|తయారు|రూపొంది|تیار|بنایا|تربیت)"
MAKERS = (
    rf"(?:i|i['’]m|me|my|{_MODEL})\b[^.!?\n]{{0,80}}?\b{_MADE}\s+(?:\w+\s+){{0,3}}?{_FIRMS}",
    rf"{_MODEL}s?\s+(?:from|of)\s+{_FIRMS}",
    rf"{_FIRMS}(?:['’]s)?\s+(?:large\s+)?{_MODEL}",
    rf"{_FIRMS_INDIC}[\s-]*{_BY_INDIC}\s+(?:\S+\s+){{0,3}}?{_MADE_INDIC}[^\s.,!?।]*",
)
# Parts of a model's name that say nothing of it.
COMMON = frozenset(
    [
        "base",
        "beta",
        "chat",
        "code",
        "coder",
        "demo",
        "distill",
        "fake",
        "final",
        "fine",
        "flash",
        "free",
        "hybrid",
        "instruct",
        "instruction",
        "it",
        "large",
        "latest",
        "lite",
        "long",
        "medium",
        "mini",
        "model",
        "models",
        "nano",
        "next",
        "preview",
        "prod",
        "pro",
        "release",
        "run",
        "runs",
        "small",
        "sft",
        "dpo",
        "rlhf",
        "test",
        "tiny",
        "tuned",
        "turbo",
        "ultra",
        "base",
        "vision",
        "xl",
        "new",
        "old",
        "local",
        "user",
        "server",
        "hosted",
        "copy",
        "before",
        "after",
        "baseline",
        "candidate",
        "quantized",
        "gguf",
        "fp16",
        "bf16",
        "int8",
        "awq",
        "gptq",
        "alpha",
        "first",
        "second",
        "best",
        "hindi",
        "tamil",
        "telugu",
        "bengali",
        "english",
        "indic",
        "india",
    ]
)
MASK = "[…]"


@dataclass(frozen=True, slots=True)
class Named:
    """An answer that names a model: which prompt and model (by place), and the words found."""

    item: int
    model: int
    words: tuple[str, ...]


def words_of(models: Sequence[str]) -> tuple[str, ...]:
    """What must not be in an answer: the models' names, their telling parts, and well-known families and makers."""
    found: dict[str, None] = {}
    for model in models:
        name = model.strip()
        found.setdefault(name.lower(), None)
        found.setdefault(re.sub(r"[^\w]+|_+", " ", name).strip().lower(), None)
        for part in re.split(r"[\W_]+", name.lower()):
            stem = part.rstrip("0123456789.")
            for word in (part, stem):
                if len(word) >= 4 and word not in COMMON and not re.fullmatch(r"\d+[a-z]?", word):
                    found.setdefault(word, None)
    return tuple(dict.fromkeys([*(word for word in found if len(word) > 1), *KNOWN]))


def pattern(words: Sequence[str]) -> re.Pattern[str]:
    """Finds any of the words as a whole word, whatever its capitals, blanks, hyphens or version number (`Krutrim-2`)."""
    parts = sorted({re.sub(r"[\s_-]+", r"[\\s_-]*", re.escape(word).replace(r"\ ", " ").replace(r"\-", "-")) for word in words}, key=len)
    version = r"(?:\.\d+|[-_ ]?v?\d+(?:\.\d+)*[a-z]{0,2})*"
    return re.compile(rf"(?<!\w)(?:{'|'.join(MAKERS)}|(?:{'|'.join(reversed(parts))}){version})(?!\w)", re.IGNORECASE)


def naming(text: str, prompt: str, finder: re.Pattern[str]) -> tuple[str, ...]:
    """The words found in an answer that its prompt does not say itself."""
    asked = prompt.lower()
    return tuple(dict.fromkeys(match[0] for match in finder.finditer(text) if match[0].lower() not in asked))


def masked(text: str, prompt: str, finder: re.Pattern[str]) -> str:
    """The answer with the names taken out."""
    asked = prompt.lower()
    return finder.sub(lambda match: match[0] if match[0].lower() in asked else MASK, text)
