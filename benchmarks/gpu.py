"""The engine on a GPU, with random weights: tokens per second, share of the card's peak, memory, next to lm-eval's path.

    python benchmarks/gpu.py [--peak-tflops N] [--json FILE] [--markdown docs/performance.md]
    python benchmarks/gpu.py --device cpu --tiny          the same script without a GPU, to see that it runs

Nothing is downloaded: the model has the shape of Mistral NeMo 12B and random weights, the tokenizer is made in memory, and
token lengths are those of real HellaSwag, 5-shot MMLU and 5-shot GSM8K rows (`lengths.json`; `--data` with `--tokenizer` takes
others). evalkit answers through its model protocol; lm-evaluation-harness, where it can be imported, through its `HFLM` on the
same model object. *Share of peak* is the FLOPs of distinct tokens (see flops.py) over time and the card's dense bfloat16 peak.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import engine_page as page
import shapes
from engine_ours import answer, counted, warm_up
from engine_work import as_json
from flops import Shape, rates, shape_of
from memory import peak_mb

from evalkit.types import GenerateRequest, Request

NEMO = {"hidden_size": 5120, "intermediate_size": 14336, "num_hidden_layers": 40, "num_attention_heads": 32, "num_key_value_heads": 8}
NEMO |= {"head_dim": 128, "vocab_size": 131072, "max_position_embeddings": 8192}
TINY = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
TINY |= {"head_dim": 16, "vocab_size": 1024, "max_position_embeddings": 8192}
# Dense bfloat16 TFLOP/s of data sheets, by part of the name the driver gives; the first that fits.
PEAKS = {"H200": 989, "H100 PCIe": 756, "H100 NVL": 835, "H100": 989, "A100": 312, "L40S": 362, "L4": 121, "A10G": 70, "A10": 125}
PEAKS |= {"RTX 4090": 165, "RTX 3090": 71, "B200": 2250, "A6000": 155}
DOCUMENTS = {"hellaswag": 1000, "mmlu": 240, "gsm8k_200": 200}
TITLES = {"hellaswag": "HellaSwag-shaped", "mmlu": "5-shot-MMLU-shaped", "gsm8k_200": "5-shot-GSM8K-shaped generation"}
HEAD = (
    *("device", "work", "evalkit", "lm-eval (batch)", "ratio", "distinct tokens/s", "share of peak", "share of GEMM rate"),
    *("peak memory, evalkit / lm-eval", "largest difference"),
)


def network(args: argparse.Namespace) -> Any:
    """The model with random weights, made on the device."""
    import torch
    from transformers import AutoModelForCausalLM, MistralConfig

    shape = TINY if args.tiny else NEMO
    config = MistralConfig(**shape, sliding_window=None, bos_token_id=None, eos_token_id=0, pad_token_id=0, tie_word_embeddings=False)
    torch.manual_seed(0)
    with torch.device(args.device):
        return AutoModelForCausalLM.from_config(config, dtype=getattr(torch, args.dtype)).eval()


def engine(net: Any, tokenizer: Any, args: argparse.Namespace) -> Any:
    """evalkit's back end around a model that is in memory already: only where weights come from is replaced."""
    from evalkit.models import checkpoint
    from evalkit.models.hf import HFModel

    model = HFModel("random", dtype=args.dtype, device=args.device, batch_tokens=args.batch_tokens)
    model.checkpoint = checkpoint.Checkpoint("", None, "random", "random weights")
    model.tokenizer, model.config = tokenizer, net.config
    with mock.patch.object(checkpoint, "load_weights", lambda *_: net):
        list(model.answer(model.encode(warm_up(None)), set()))
    return model


def timed(work: Callable[[], Any], device: str) -> tuple[Any, float, float | None]:
    """(result, seconds, peak MB of the device; None where there is none)."""
    import torch

    gpu = device.startswith("cuda")
    if gpu:
        torch.cuda.empty_cache()
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    result = work()
    if gpu:
        torch.cuda.synchronize()
    return result, time.perf_counter() - started, torch.cuda.max_memory_allocated() / 2**20 if gpu else None


def ours(model: Any, requests: Sequence[Request]) -> tuple[list[Any], dict[str, Any]]:
    """Items and answers through the protocol."""
    items = model.encode(requests)
    return items, {response.key: response for batch in model.answer(items, set()) for response in batch}


def peer(net: Any, tokenizer: Any, requests: Sequence[Request], args: argparse.Namespace) -> dict[str, Any] | None:
    """lm-eval's best batch size of those that fit; None where it is not installed or is not wanted."""
    if args.no_peer or importlib.util.find_spec("lm_eval") is None:
        return None
    from engine_peer import ask
    from lm_eval.models.huggingface import HFLM

    model = HFLM(pretrained=net, tokenizer=tokenizer, batch_size=1)
    docs = [as_json(request) for request in requests]
    first = requests[0]
    params = {"stop": [], "max_new_tokens": first.params.max_new_tokens} if isinstance(first, GenerateRequest) else None
    best: dict[str, Any] | None = None
    for batch in args.peer_batches:
        model.batch_size_per_gpu = batch
        try:
            answers, seconds, memory = timed(lambda: ask(model, docs, params, {"params": params}), args.device)
        except RuntimeError as error:
            if "memory" not in str(error).lower():
                raise
            break  # a larger batch needs more
        if best is None or seconds < best["seconds"]:
            best = {"batch": batch, "seconds": seconds, "memory": memory, "answers": answers}
    return best


def measure(name: str, net: Any, tokenizer: Any, model: Any, shape: Shape, gemm: float, args: argparse.Namespace) -> dict[str, Any]:
    """One work on both paths."""
    lengths = shapes.shipped() if args.lengths is None else args.lengths
    documents = args.documents or DOCUMENTS[name]
    requests = shapes.requests(name, lengths[name], documents, net.config.vocab_size - 1, args.new_tokens)
    ours(model, requests[:2])  # kernels are chosen and compiled before anything is timed
    (items, responses), seconds, memory = timed(lambda: ours(model, requests), args.device)
    work = counted(items, responses, shape.windows)
    flop = work.body(shape) + work.head(shape)
    other = peer(net, tokenizer, requests, args)
    answers = [answer(responses[item.key]) for item in items]
    apart, differ = page.differences(answers, other["answers"], [as_json(r) for r in requests]) if other else (None, None)
    return {
        "device": device_name(args.device),
        "work": f"{TITLES[name]}, {documents:,} documents",
        "dtype": args.dtype,
        "tiny": args.tiny,
        "evalkit_s": seconds,
        "peer_s": other["seconds"] if other else None,
        "peer_batch": other["batch"] if other else None,
        "ratio_peer": other["seconds"] / seconds if other else None,
        "distinct_tokens_per_s": work.tokens / seconds,
        "tflops": flop / seconds / 1e12,
        "share_of_peak": flop / seconds / (args.peak_tflops * 1e12) if args.peak_tflops else None,
        "share_of_gemm": flop / seconds / gemm,
        # Without a device of its own the memory is that of the whole process, read before the peer ran in the first work.
        "peak_mb": memory if memory is not None else peak_mb(),
        "peer_peak_mb": other["memory"] if other else None,
        "max_abs_diff": apart,
        "decisions_differ": differ,
        "scoring_path": model.describe().get("scoring_path"),
    }


def device_name(device: str) -> str:
    """What the driver calls the card, or what the system calls the processor."""
    import torch

    return torch.cuda.get_device_name(device) if device.startswith("cuda") else page.machine(torch.get_num_threads())


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    """A line of the table."""

    def of(value: float | None, form: str) -> str:
        return "–" if value is None else form.format(value)

    batch = f" ({row['peer_batch']})" if row["peer_batch"] else ""
    memory = f"{of(row['peak_mb'], '{:,.0f}')} / {of(row['peer_peak_mb'], '{:,.0f}')} MB"
    return (
        *(row["device"], row["work"], of(row["evalkit_s"], "{:.1f} s"), of(row["peer_s"], "{:.1f} s") + batch),
        *(of(row["ratio_peer"], "{:.1f}×"), of(row["distinct_tokens_per_s"], "{:,.0f}"), of(row["share_of_peak"], "{:.0%}")),
        *(of(row["share_of_gemm"], "{:.0%}"), memory, of(row["max_abs_diff"], "{:.1e}")),
    )


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--dtype", default="bfloat16", choices=("bfloat16", "float16", "float32"))
    parser.add_argument("--tiny", action="store_true", help="a model with next to no arithmetic, to try the script")
    parser.add_argument("--works", nargs="+", choices=list(DOCUMENTS), default=list(DOCUMENTS), metavar="WORK", help=", ".join(DOCUMENTS))
    parser.add_argument("--documents", type=int, help="of every work; default 1,000, 240 and 200")
    parser.add_argument("--new-tokens", type=int, default=128, help="tokens per text")
    parser.add_argument("--batch-tokens", type=int, help="evalkit's tokens per pass; default: its own")
    parser.add_argument("--peer-batches", type=int, nargs="+", default=[8, 16, 32, 64], metavar="N", help="the fastest counts")
    parser.add_argument("--no-peer", action="store_true", help="evalkit alone")
    parser.add_argument("--peak-tflops", type=float, help="dense bfloat16 peak of a card the script does not know")
    parser.add_argument("--data", help="folder of <task>/<split>.jsonl, to take token lengths from; needs --tokenizer")
    parser.add_argument("--tokenizer", help="folder of the tokenizer that counts them")
    parser.add_argument("--save-lengths", metavar="FILE", help="write those lengths and end")
    parser.add_argument("--json", metavar="FILE", help="write the rows")
    parser.add_argument("--markdown", metavar="PAGE", help="write the table between its markers")
    args = parser.parse_args(argv)
    if bool(args.data) != bool(args.tokenizer) or (args.save_lengths and not args.data):
        parser.error("--data and --tokenizer go together, and --save-lengths needs both")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse(argv)
    args.lengths = None
    if args.data:
        from transformers import AutoTokenizer

        args.lengths = shapes.derive(args.data, AutoTokenizer.from_pretrained(args.tokenizer))
    if args.save_lengths:
        Path(args.save_lengths).write_text(json.dumps(args.lengths, separators=(",", ":")) + "\n", encoding="utf-8")
        return 0
    import torch
    from rich.console import Console
    from rich.table import Table

    if args.device.startswith("cuda") and not torch.cuda.is_available():
        raise SystemExit("no CUDA device here; --device cpu --tiny runs the same script without one")
    name = device_name(args.device)
    args.peak_tflops = args.peak_tflops or next((peak for part, peak in PEAKS.items() if part in name), None)
    console = Console() if sys.stdout.isatty() else Console(width=180)
    net = network(args)
    tokenizer = shapes.word_tokenizer(net.config.vocab_size - 1)
    shape = shape_of(net.config)
    gemm = rates(shape, args.dtype, args.device).body
    console.print(f"{name}: {gemm / 1e12:.3g} TFLOP/s at the model's shapes; peak {args.peak_tflops or 'unknown'}", highlight=False)
    model = engine(net, tokenizer, args)
    rows = []
    for number, work in enumerate(args.works, 1):
        rows.append(measure(work, net, tokenizer, model, shape, gemm, args))
        console.print(f"{number}/{len(args.works)} {rows[-1]['work']}: {rows[-1]['evalkit_s']:.1f} s", highlight=False)
        if args.json:
            Path(args.json).write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    table = Table(*HEAD, title="random weights" + (", a model of no size: says nothing of speed" if args.tiny else ""))
    for row in rows:
        table.add_row(*cells(row))
    console.print(table)
    if args.markdown:
        page.update(Path(args.markdown), "gpu", "gpu", HEAD, [cells(row) for row in rows], 2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
