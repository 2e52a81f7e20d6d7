"""Single tokens by their ids, and the server's own length: the local numbers, with less read and no document refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.models.hf import HFModel
from evalkit.models.openai.chosen import MOST_IDS, _listed
from evalkit.models.openai.failures import Failure
from evalkit.models.openai.served import ROOM, served_length
from evalkit.types import LoglikelihoodRequest
from tests.models.openai.conftest import Faulty, hosted
from tests.models.openai.test_scoring import answers, same, serve

Make = Callable[[Callable[[Faulty], None]], Any]
LETTERS = [LoglikelihoodRequest("t", str(n), tuple((f"Question {n}:", letter) for letter in "ABCD")) for n in range(3)]
MIXED = LoglikelihoodRequest("t", "mixed", (("The fox", "A"), ("The fox", " jumps over the dog")))


@pytest.fixture
def vllm(hosted_server: Any, tiny: Callable[..., Path]) -> Iterator[Any]:
    server = serve(hosted_server, tiny(), chooses=True)
    yield server
    server.shutdown()
    server.server_close()


def test_letters_are_asked_by_their_ids(vllm: Any, tiny: Callable[..., Path]) -> None:
    model = hosted(vllm.url, api="completions", tokenizer=str(tiny()))
    same(answers(model, [*LETTERS, MIXED]), answers(HFModel("local", str(tiny())), [*LETTERS, MIXED]))
    told = model.describe()["scoring"]
    assert told == "/completions, echo with logprobs, a document a request; single tokens by logprob_token_ids"
    chosen = [body for body in vllm.served.requests if "logprob_token_ids" in body][1:]  # the first is the probe's
    assert len(chosen) == 3 and all(len(body["logprob_token_ids"]) == 4 == body["logprobs"] for body in chosen)
    assert sum("echo" in body for body in vllm.served.requests) == 2  # the probe, and the document with a longer continuation


def test_a_server_that_ignores_the_word_is_read_as_before(hosted_server: Any, tiny: Callable[..., Path]) -> None:
    server = serve(hosted_server, tiny())
    model = hosted(server.url, api="completions", tokenizer=str(tiny()))
    same(answers(model, LETTERS), answers(HFModel("local", str(tiny())), LETTERS))
    assert "logprob_token_ids" not in model.describe()["scoring"]
    server.shutdown()
    server.server_close()


def test_more_ids_than_a_request_takes(vllm: Any, tiny: Callable[..., Path]) -> None:
    model = hosted(vllm.url, api="completions", tokenizer=str(tiny()))
    letters = [chr(33 + n) for n in range(90)] + [chr(0x3B1 + n) for n in range(2)]
    request = LoglikelihoodRequest("t", "many", tuple(("The fox", letter) for letter in letters))
    (item,) = model.encode([request])
    assert len(item.pairs) < MOST_IDS
    same(answers(model, [request]), answers(HFModel("local", str(tiny())), [request]))


@pytest.mark.parametrize(
    "choice",
    [
        {},
        {"logprobs": None},
        {"logprobs": {"tokens": ["token_id:5"], "top_logprobs": [{"token_id:5": -1.0}]}},
        {"logprobs": {"tokens": ["a"], "top_logprobs": [{"a": -1.0, "b": -2.0}]}},
        {"logprobs": {"tokens": ["token_id:5"], "top_logprobs": [{"token_id:5": -1.0, "token_id:6": "low"}]}},
        {"logprobs": {"tokens": ["token_id:5"], "top_logprobs": [{"token_id:5": -1.0, "token_id:6": 7.0}]}},
        {"logprobs": {"tokens": [], "top_logprobs": []}},
    ],
)
def test_a_missing_value_is_never_guessed(choice: dict[str, Any]) -> None:
    with pytest.raises(Failure, match="lists no log-probabilit"):
        _listed({"choices": [choice]}, [5, 6])


def test_the_servers_own_length_cuts_a_long_context(hosted_server: Any, tiny: Callable[..., Path]) -> None:
    """The server holds less than the checkpoint says: what is too long is cut here, and not refused there."""
    server = serve(hosted_server, tiny(), length=64)
    model = hosted(server.url, api="completions", tokenizer=str(tiny()))
    long = LoglikelihoodRequest("t", "long", (("word " * 200, " tail"), ("word " * 200, " other")))
    assert model.max_length == 64 - ROOM
    got = answers(model, [long])[0]
    wanted = answers(HFModel("local", str(tiny()), max_length=64 - ROOM), [long])[0]
    same([got], [wanted])
    assert got.truncated_tokens == wanted.truncated_tokens > 0
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b"no", b'{"data": [{"id": "m", "max_model_len": true}]}', b'{"data": [1]}', b'{"data": []}']
)
def test_a_server_that_says_nothing_useful_is_no_error(body: bytes) -> None:
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return None

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    assert served_length(f"http://127.0.0.1:{server.server_port}/v1", "m", None) is None
    server.shutdown()
    server.server_close()


def test_the_key_is_not_carried_to_another_address() -> None:
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    seen: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.path, self.headers["Authorization"]))
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return None

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    assert served_length(f"http://127.0.0.1:{server.server_port}/v1", "m", "secret") is None
    assert seen == [("/v1/models", "Bearer secret")]
    server.shutdown()
    server.server_close()


def test_a_server_that_is_not_there_is_no_error() -> None:
    assert served_length("http://127.0.0.1:9/v1", "m", None) is None
