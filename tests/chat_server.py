"""A chat endpoint with the habits of real ones: it thinks, fences, starts a begun turn over, repeats the prompt, and runs on."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from evalkit.models.openai.begun import PROBE

Turns = list[dict[str, str]]


@dataclass
class Habits:
    """What the server does to `answer`, which is right.

    Attributes:
        answer: from the turns to the answer.
        thought: what it thinks first; empty: it does not think.
        where: the thought's place: marks in the content, its own field, or marks whose opening one the template swallowed.
        ends: False breaks off inside the thought.
        fence: the answer comes inside a fenced block.
        continues: False starts a begun turn over; `flags` does so too unless asked with vLLM's two words.
        refuses: parameters that are answered with 400; `space` is a begun turn that ends with white space.
        repeats: what the user says last comes before the answer.
        runs_on: what follows the answer.
        seen: bodies of the requests.
    """

    answer: Callable[[Turns], str]
    thought: str = ""
    where: Literal["marks", "field", "half"] = "marks"
    ends: bool = True
    fence: bool = False
    continues: bool | Literal["flags"] = True
    refuses: tuple[str, ...] = ()
    repeats: bool = False
    runs_on: str = ""
    seen: list[dict[str, Any]] = field(default_factory=list)

    def choice(self, body: dict[str, Any]) -> dict[str, Any]:
        turns: Turns = body["messages"]
        begun = turns[-1]["content"] if turns[-1]["role"] == "assistant" else ""
        goes_on = body.get("continue_final_message", False) if self.continues == "flags" else self.continues
        if turns[0]["content"] == PROBE[0].content:
            said = "        second\n    )\n```" if goes_on else "Sure.\n```python\ndef add(first, second):\n    return first + second\n```"
        else:
            said = self.answer(turns)
            said = f"```python\n{said}\n```" if self.fence else said
            said = (begun if begun and not goes_on else "") + said
            said = (f"{[turn for turn in turns if turn['role'] == 'user'][-1]['content']}\n" if self.repeats else "") + said + self.runs_on
        thought, content = self.thought, said if self.ends else ""
        if thought and self.where != "field":
            content = ("<think>" if self.where == "marks" else "") + thought + (f"</think>\n\n{said}" if self.ends else "")
            thought = ""
        finish = "stop" if self.ends else "length"
        # As servers do: a stop is looked for in the thought as well.
        whole, at = thought + content, len(thought)
        places = [place for stop in body.get("stop", ()) if (place := whole.find(stop)) >= 0]
        if places:
            thought, content, finish = thought[: min(places)], content[: max(0, min(places) - at)], "stop"
        message = {"role": "assistant", "content": content, **({"reasoning_content": thought} if thought else {})}
        return {"index": 0, "finish_reason": finish, "message": message}


@contextmanager
def serving(habits: Habits) -> Iterator[str]:
    """The server's base URL while it runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            habits.seen.append(body)
            turn = body["messages"][-1]
            spaced = turn["role"] == "assistant" and turn["content"] != turn["content"].rstrip()
            if named := [name for name in habits.refuses if name in body or (name == "space" and spaced)]:
                self.reply(400, {"error": {"message": f"unknown parameter {named[0]}"}})
                return
            usage = {"prompt_tokens": 5, "completion_tokens": 5}
            self.reply(200, {"model": "m", "choices": [habits.choice(body)], "usage": usage})

        def reply(self, status: int, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
