"""Time and peak memory by length of the text, with a random model of one layer; each length in its own process.

    python benchmarks/long_context.py --tokenizer FOLDER --lengths 8192 32768 131072

FOLDER holds a tokenizer (the converted checkpoint of model=smollm2_135m). The documents are those of `ruler_niah_depths` in English:
ten questions about one text, so that the text is read once.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import subprocess
import sys
import time
from pathlib import Path

from memory import peak_mb


def one(length: int, tokenizer_folder: str) -> dict[str, float]:
    """Ten questions about one text of that many tokens."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from evalkit.config.compose import compose
    from evalkit.config.setup import build
    from evalkit.models.hf.loaded import LoadedModel
    from evalkit.run import measure
    from evalkit.run.forecast import forecast

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    size = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2}
    config = LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=131072, tie_word_embeddings=True, **size)
    model = LoadedModel(LlamaForCausalLM(config).eval(), tokenizer, name="one layer")
    name = "ruler_niah_depths"
    words = [f"task={name}", "languages=[en]", f"lengths=[{length}]", f"tasks.{name}.data.options.documents=10"]
    setup = build(compose([*words, f"tasks.{name}.prompt.params.max_new_tokens=8"]))
    tasks = list(setup.tasks.values())
    work = forecast(model, tasks, setup.source, None, None)[0][0]
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far: imports, and all the texts that were tried
    before = peak_mb()
    start = time.monotonic()
    result = measure.run(model, tasks, setup.source)
    seconds = time.monotonic() - start
    assert result.tasks[name].score.n == 10
    told = {"length": length, "one_by_one": work.by_pairs, "read": work.read or 0}
    return {
        **told,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(time.process_time(), 1),
        "before_mb": round(before),
        "peak_mb": round(peak_mb()),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--lengths", type=int, nargs="+", default=[8192, 16384, 32768, 65536, 131072])
    parser.add_argument("--one", type=int)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(one(given.one, given.tokenizer)))
        return
    for length in given.lengths:
        done = subprocess.run(
            [sys.executable, __file__, "--tokenizer", given.tokenizer, "--one", str(length)], stdout=subprocess.PIPE, check=True
        )
        print(done.stdout.decode().strip(), flush=True)


if __name__ == "__main__":
    main()
