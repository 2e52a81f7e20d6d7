"""What our client costs a request, and whether its memory grows: against a server that answers after a fixed time.

    python benchmarks/hosted.py [--requests 500] [--latency 0.05] [--concurrency 32] [--many 50000]

The server runs in its own process, keeps connections open and answers nothing but one word. Overhead is processor
time of the client process a request (what bounds its rate) and wall time over the ideal (requests / concurrency x latency).
Next to it runs the openai library alone: the same requests, as many at once, and nothing kept, counted or limited.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from evalkit.models.openai import OpenAIModel
from evalkit.types import GenerateRequest, GenerationParams

ANSWER = {"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "yes"}}], "model": "m"}
ANSWER |= {"usage": {"prompt_tokens": 9, "completion_tokens": 1}}


async def serve(latency: float) -> None:
    content = json.dumps(ANSWER).encode()
    reply = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(content) + content

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                size = next(line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
                await reader.readexactly(int(size))
                await asyncio.sleep(latency)
                writer.write(reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def resident() -> float:
    """MiB of this process now, where the system tells; else its peak."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def measure(port: int, requests: int, concurrency: int) -> tuple[float, float, list[float]]:
    """(wall seconds, processor seconds, MiB at every tenth of the answers); answers are dropped, as a journal would write them."""
    model = OpenAIModel("m", f"http://127.0.0.1:{port}/v1", traffic={"concurrency": concurrency})
    params = GenerationParams(8)
    items = model.encode([GenerateRequest("t", str(i), f"Is {i} a number?", params) for i in range(requests)])
    memory, seen = [resident()], 0
    wall, processor = time.perf_counter(), time.process_time()
    for batch in model.answer(items, set()):
        assert all(response.text == "yes" for response in batch), batch
        seen += len(batch)
        if seen >= requests * len(memory) / 10:
            memory.append(resident())
    assert seen == requests
    return time.perf_counter() - wall, time.process_time() - processor, memory


def alone(port: int, requests: int, concurrency: int) -> tuple[float, float]:
    """(wall seconds, processor seconds) of the openai library without us."""
    from openai import AsyncOpenAI

    async def ask() -> None:
        numbers = iter(range(requests))
        async with AsyncOpenAI(api_key="none", base_url=f"http://127.0.0.1:{port}/v1", max_retries=0) as client:

            async def worker() -> None:
                for i in numbers:
                    prompt = [{"role": "user", "content": f"Is {i} a number?"}]
                    got = await client.chat.completions.create(model="m", messages=prompt, max_tokens=8, temperature=0.0)
                    assert got.choices[0].message.content == "yes"

            await asyncio.gather(*(worker() for _ in range(concurrency)))

    wall, processor = time.perf_counter(), time.process_time()
    asyncio.run(ask())
    return time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--many", type=int, default=50_000)
    parser.add_argument("--serve", type=float, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve is not None:
        asyncio.run(serve(given.serve))
        return
    for latency, requests in ((given.latency, given.requests), (0.0, given.many)):
        child = subprocess.Popen([sys.executable, __file__, "--serve", str(latency)], stdout=subprocess.PIPE, text=True)
        try:
            port = int((child.stdout.readline() if child.stdout else "") or 0)
            measure(port, 20, 4)  # imports and first connections are not a request's cost
            wall, processor, memory = measure(port, requests, given.concurrency)
            alone(port, 20, 4)
            bare = min(requests, given.requests)
            bare_wall, bare_processor = alone(port, bare, given.concurrency)
        finally:
            child.kill()
        ideal = requests / given.concurrency * latency
        print(f"{requests} requests, {latency * 1000:.0f} ms server, {given.concurrency} at once: {wall:.2f} s (ideal {ideal:.2f} s)")
        print(f"  client: {processor / requests * 1000:.2f} ms of processor per request, {requests / wall:.0f} requests per second")
        library = f"{bare_processor / bare * 1000:.2f} ms of processor per request, {bare_wall:.2f} s"
        print(f"  the openai library alone, {bare} requests: {library}")
        print(f"  memory by tenths, MiB: {' '.join(f'{m:.0f}' for m in memory)}")


if __name__ == "__main__":
    main()
