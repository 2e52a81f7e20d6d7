"""What a table has to say of how a model was asked: no thought before a log-likelihood, the day in its prompts, its own sampling."""

from __future__ import annotations

from collections.abc import Sequence

from evalkit.errors import ModelError
from evalkit.models.sampling import Sampling
from evalkit.models.template import ChatTemplate
from evalkit.types import GenerateRequest, Prompt, Request

NO_THOUGHT = "log-likelihoods of a model that thinks: no thought was had before what was scored"


def remarks(requests: Sequence[Request], thinks: bool, template: ChatTemplate | None, sampling: Sampling) -> tuple[str, ...]:
    """Notes about one task's requests.

    Args:
        thinks: the model is known to think before it answers.
        template: what turns conversations into text; None where a server does it.
    """
    generated = [request for request in requests if isinstance(request, GenerateRequest)]
    notes = [NO_THOUGHT] if thinks and len(generated) < len(requests) else []
    if template is not None and requests and not isinstance(prompt := _prompt(requests[0]), str):
        try:
            if template.dated(prompt):
                notes.append(f"the chat template was told that today is {template.settings.date} (model.date)")
        except ModelError:
            pass  # encoding says it, with task and document
    if generated and sampling.asked:
        notes.append(sampling.note(all(sampling.over(request.params).temperature == 0 for request in generated)))
    return tuple(notes)


def _prompt(request: Request) -> Prompt:
    return request.prompt if isinstance(request, GenerateRequest) else request.pairs[0][0]
