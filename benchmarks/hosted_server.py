"""A checkpoint behind /v1/completions and /v1/chat/completions, as plainly as possible: for tests and for docs/hosted.md.

One prompt at a time, one forward pass, nothing of evalkit's own scoring: what a hosted model answers can be compared
with what the local back end answers. Not for serving people.

    python benchmarks/hosted_server.py CHECKPOINT [PORT]
"""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


class Served:
    """The model and what it can say.

    Args:
        text_only: refuse token ids, as some servers do.
        length: tokens it holds, said in its list of models; more are refused, as vLLM does.
        chooses: list the log-probabilities of `logprob_token_ids`, as vLLM does; others ignore the word.
    """

    def __init__(self, checkpoint: str, text_only: bool = False, length: int | None = None, chooses: bool = False) -> None:
        self.length, self.chooses = length, chooses
        self.tokenizer = AutoTokenizer.from_pretrained(checkpoint)
        self.model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32).eval()
        self.text_only = text_only
        self.lock = threading.Lock()
        self.requests: list[dict[str, Any]] = []

    def completions(self, body: dict[str, Any]) -> dict[str, Any]:
        prompts = body["prompt"]
        if isinstance(prompts, str) or (prompts and isinstance(prompts[0], int)):
            prompts = [prompts]
        if self.text_only and not all(isinstance(prompt, str) for prompt in prompts):
            raise ValueError("prompt must be a string")
        choices: list[dict[str, Any]] = []
        read = written = 0
        for prompt in prompts:
            ids = self.tokenizer(prompt)["input_ids"] if isinstance(prompt, str) else prompt
            read += len(ids)
            if self.length is not None and len(ids) + body.get("max_tokens", 16) > self.length:
                raise ValueError(f"This model's maximum context length is {self.length} tokens")
            echoed = self.table(ids) if body.get("echo") and body.get("logprobs") is not None else None
            for sample in range(body.get("n", 1)):
                if echoed is not None and body.get("max_tokens") == 1 and body.get("temperature") == 0:
                    new, finish = [int(echoed[-1].argmax())], "length"
                else:
                    new, finish = self.generate(ids, body, sample)
                written += len(new)
                choices.append(self.choice(len(choices), ids, new, finish, body, prompt, echoed))
        return self.answer("text_completion", choices, read, written)

    def chat(self, body: dict[str, Any]) -> dict[str, Any]:
        ids = self.tokenizer.apply_chat_template(body["messages"], add_generation_prompt=True, return_dict=True)["input_ids"]
        choices, written = [], 0
        for sample in range(body.get("n", 1)):
            new, finish = self.generate(ids, body, sample)
            written += len(new)
            text = cut(self.tokenizer.decode(new, skip_special_tokens=True), body)
            choices.append({"index": sample, "message": {"role": "assistant", "content": text}, "finish_reason": finish})
        return self.answer("chat.completion", choices, len(ids), written)

    def answer(self, kind: str, choices: list[dict[str, Any]], read: int, written: int) -> dict[str, Any]:
        usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
        return {"id": "x", "object": kind, "model": "served-for-a-test", "choices": choices, "usage": usage}

    def choice(
        self, index: int, ids: list[int], new: list[int], finish: str, body: dict[str, Any], prompt: Any, echoed: torch.Tensor | None
    ) -> dict[str, Any]:
        text = cut(self.tokenizer.decode(new, skip_special_tokens=True), body)
        if body.get("echo"):
            text = (prompt if isinstance(prompt, str) else self.tokenizer.decode(ids)) + text
        found = {"index": index, "text": text, "finish_reason": finish}
        if self.chooses and body.get("logprob_token_ids") and body.get("logprobs") is not None:
            found["logprobs"] = self.chosen(ids, new, body["logprob_token_ids"])
        elif echoed is not None:
            found["logprobs"] = self.logprobs(ids + new, echoed if len(new) == 1 else self.table(ids + new))
        return found

    @torch.inference_mode()
    def table(self, ids: list[int]) -> torch.Tensor:
        """Natural-log probabilities of what follows each token."""
        return self.model(torch.tensor([ids])).logits[0].double().log_softmax(-1)

    def chosen(self, ids: list[int], new: list[int], wanted: list[int]) -> dict[str, Any]:
        after = self.table(ids)[-1]
        listed = {f"token_id:{token}": after[token].item() for token in [new[0], *wanted]}
        return {"tokens": [f"token_id:{new[0]}"], "token_logprobs": [after[new[0]].item()], "top_logprobs": [listed]}

    def logprobs(self, ids: list[int], table: torch.Tensor) -> dict[str, Any]:
        tokens = [self.tokenizer.decode([token]) for token in ids]
        best = table.max(-1)
        values = [None, *(table[place, token].item() for place, token in enumerate(ids[1:]))]
        tops = [None, *({self.tokenizer.decode([best.indices[i].item()]): best.values[i].item()} for i in range(len(ids) - 1))]
        return {"tokens": tokens, "token_logprobs": values, "top_logprobs": tops}

    @torch.inference_mode()
    def generate(self, ids: list[int], body: dict[str, Any], sample: int) -> tuple[list[int], str]:
        """Token by token through the library's own cache; ends at EOS, a stop, or max_tokens."""
        generator = torch.Generator().manual_seed(body.get("seed", 0) + sample)
        temperature, new, past, fed = body.get("temperature", 1.0), [], None, ids
        ends = self.model.generation_config.eos_token_id
        ends = ends if isinstance(ends, list) else [ends]
        while len(new) < body.get("max_tokens", 16):
            out = self.model(torch.tensor([fed]), past_key_values=past, use_cache=True, logits_to_keep=1)
            past, logits = out.past_key_values, out.logits[0, -1]
            drawn = temperature > 0
            token = int(torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator) if drawn else logits.argmax())
            new.append(token)
            if token in ends or cut(text := self.tokenizer.decode(new, skip_special_tokens=True), body) != text:
                return new, "stop"
            fed = [token]
        return new, "length"


def cut(text: str, body: dict[str, Any]) -> str:
    stops = body.get("stop") or []
    for stop in [stops] if isinstance(stops, str) else stops:
        text = text.split(stop)[0]
    return text


def start(served: Served, port: int = 0) -> ThreadingHTTPServer:
    """Serve on the loopback address in a thread; `server_port` has the port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            told = {} if served.length is None else {"max_model_len": served.length}
            self.reply(200, {"object": "list", "data": [{"id": "served-for-a-test", "object": "model", **told}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            served.requests.append(body)
            try:
                with served.lock:
                    self.reply(200, served.chat(body) if "/chat/" in self.path else served.completions(body))
            except ValueError as error:
                self.reply(400, {"error": {"message": str(error), "type": "invalid_request_error"}})

        def reply(self, status: int, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


if __name__ == "__main__":
    running = start(Served(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    print(f"http://127.0.0.1:{running.server_port}/v1", flush=True)
    threading.Event().wait()
