"""Nothing that a rater gets says which model wrote what: every byte of the pages is read, decoded in every way that is usual."""

from __future__ import annotations

import base64
import html
import json
import re
import urllib.parse
from pathlib import Path

import pytest

from evalkit.errors import ConfigError
from evalkit.rating.assign import Plan
from evalkit.rating.gather import Gathered, Item
from evalkit.rating.make import Made, make
from evalkit.rating.markup import html_of, text_of, tidy
from evalkit.rating.names import naming, pattern, words_of
from evalkit.rating.sheet import KEY, read_sheet
from evalkit.types import Message
from tests.rating.invented import HOSTILE, MODELS, PLAIN, gathered, item

PARTS = ("zebrafish", "quokka", "narwhal", "axolotl")


def decoded(text: str) -> list[str]:
    """The text itself, and what hides in it: entities, escapes, addresses, base64 and hexadecimal runs, forwards and backwards."""
    found = [text, html.unescape(text), urllib.parse.unquote(text), re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), text)]
    for run in re.findall(r"[A-Za-z0-9+/_-]{8,4000}={0,2}", text):
        for alphabet in (run, run.replace("-", "+").replace("_", "/")):
            try:
                found.append(base64.b64decode(alphabet + "=" * (-len(alphabet) % 4)).decode("latin-1"))
            except ValueError:
                continue
    found += [bytes.fromhex(run[: len(run) // 2 * 2]).decode("latin-1") for run in re.findall(r"(?:[0-9a-f]{2}){4,}", text)]
    return [*found, *(one[::-1] for one in found)]


def test_no_byte_of_a_page_names_a_model_a_run_or_a_folder(room: Made, tmp_path: Path) -> None:
    paths = ["results/runs/zebrafish-7b-instruct-open_prompts-0123456789", "/srv/models/quokka"]
    secret_words = [
        *MODELS,
        *PARTS,
        *(model.replace("/", "_") for model in MODELS),
        *paths,
        str(tmp_path),
        "/tmp",
        "results",
        "open_prompts",
    ]
    for rater, path in room.pages.items():
        assert path.name == f"{rater}.html"
        text = path.read_bytes().decode("utf-8")
        for whole in decoded(text):
            low = whole.lower()
            assert not [word for word in secret_words if word.lower() in low]
        for kept in (room.sheet.secret, *(other.token for other in room.sheet.raters), str(room.sheet.seed) + ","):
            assert kept not in text
        assert not re.search(r"\b(en|hi|ta|ur)/\d+\b", text)  # ids of documents
        assert "creative_writing" not in text and "reasoning" not in text


def test_nothing_but_the_letter_tells_answers_apart(room: Made) -> None:
    """The elements around every answer are the same for every model: letters and texts put aside, one shape is left."""
    for rater in room.sheet.raters:
        page = room.pages[rater.id].read_text(encoding="utf-8")
        shapes = set()
        for article in re.findall(r'<article class="answer".*?</article>', page, re.DOTALL):
            bare = re.sub(
                r'(<div class="text)( folded)?(" lang="..")( dir="...")>.*?</div>(<button.*?</button>)?', "<text>", article, flags=re.DOTALL
            )
            bare = re.sub(r"q[0-9a-f]{16}", "SLOT", bare)
            shapes.add(re.sub(r'(?<=[-"> ])[A-D](?=[-"< ])', "LETTER", bare))
        assert len(shapes) == 1, shapes


def test_ids_on_a_page_are_of_that_page_alone(room: Made) -> None:
    ids = [slot.id for rater in room.sheet.raters for slot in rater.slots]
    assert len(set(ids)) == len(ids)


def test_the_key_stays_with_the_maker(room: Made, tmp_path: Path) -> None:
    key = tmp_path / "room" / KEY
    assert key.stat().st_mode & 0o077 == 0
    assert read_sheet(tmp_path / "room") == room.sheet
    assert sorted(path.name for path in (tmp_path / "room" / "pages").iterdir()) == sorted(
        f"{rater.id}.html" for rater in room.sheet.raters
    )


@pytest.mark.parametrize(
    ("model", "answer", "found"),
    [
        ("krutrim-2-instruct", "As Krutrim, I cannot say.", ["Krutrim"]),
        ("krutrim-2-instruct", "मैं Krutrim-2 हूँ।", ["Krutrim-2"]),
        ("some_model", "I am ChatGPT, made by OpenAI.", ["ChatGPT", "OpenAI"]),
        ("some_model", "I was trained by Hugging Face as SmolLM2.", ["Hugging Face", "SmolLM2"]),
        ("some_model", "मुझे गूगल ने नहीं, मैं जेमिनी हूँ", ["जेमिनी"]),
        ("some_model", "I am a large language model, trained by Google.", ["I am a large language model, trained by Google"]),
        ("some_model", "I was developed by researchers at Microsoft to help.", ["I was developed by researchers at Microsoft"]),
        ("some_model", "As Google's language model I like tea.", ["Google's language model"]),
        ("some_model", "मुझे गूगल ने बनाया है।", ["गूगल ने बनाया"]),
        ("some_model", "நான் கூகுள் நிறுவனத்தால் உருவாக்கப்பட்டேன்.", ["கூகுள் நிறுவனத்தால் உருவாக்கப்பட்டேன்"]),
        ("some_model", "میں ایک ماڈل ہوں جسے گوگل نے تربیت دی۔", ["گوگل نے تربیت"]),
        ("some_model", "Android was developed by Google. Search for it on Google.", []),
        ("qwen2.5-7b", "Qwen2.5 at your service", ["Qwen2.5"]),
        ("my-fine-tune-v3", "my fine tune v3 says hello", ["my fine tune v3"]),
        ("org/Wombat-9B", "Wombat here.", ["Wombat"]),
        ("smollm2_135m", "This instruct model is small and fast.", []),
        ("llama31_8b_instruct", "A llama is an animal of the Andes.", ["llama"]),
        ("gemma2_9b_it", "It gets 9b points.", []),
        ("gpt_4o", "egpt and gptx are words of nobody", []),
    ],
)
def test_answers_that_name_a_model(model: str, answer: str, found: list[str]) -> None:
    assert list(naming(answer, "Who are you?", pattern(words_of([model, "other-model"])))) == found


def test_a_name_that_the_prompt_says_is_no_slip() -> None:
    assert naming("Llamas live in Peru; a llama eats grass.", "Tell me about the llama.", pattern(words_of(["llama31_8b"]))) == ()


def test_named_answers_are_refused_masked_or_kept(tmp_path: Path) -> None:
    answers = ("As Zebrafish, I like tea.", "Tea.", "Coffee.", "Water.")
    one = Gathered(MODELS, (item(0, "en", answers), item(1, "en", PLAIN)))
    with pytest.raises(ConfigError, match=r"1 answers name a model.*zebrafish-7b-instruct on en/0: Zebrafish.*named=mask"):
        make(one, {"asha": ()}, Plan(1, 0, 0, 1), tmp_path / "refused")
    assert not (tmp_path / "refused").exists()
    masked = make(one, {"asha": ()}, Plan(1, 0, 0, 1), tmp_path / "masked", named="mask")
    page = masked.pages["asha"].read_text(encoding="utf-8")
    assert "ebrafish" not in page and "As […], I like tea." in page
    kept = make(one, {"asha": ()}, Plan(1, 0, 0, 1), tmp_path / "kept", named="keep")
    assert "As Zebrafish" in kept.pages["asha"].read_text(encoding="utf-8") and kept.named == masked.named


@pytest.mark.parametrize(
    "text", [*HOSTILE, "<b onclick=x>a</b>", "a<!-- hidden: model 2 -->b", "[x]: javascript:alert(1)\n[x]", "&#60;script&#62;"]
)
def test_what_comes_out_of_the_renderer_is_harmless(text: str) -> None:
    made = html_of(text)
    tags = re.findall(r"<[^>]*>", made)
    assert all(
        re.fullmatch(r"</?(p|br|hr|em|strong|s|del|code|pre|blockquote|ul|ol|li|table|thead|tbody|tr|th|td|h[1-6])( /)?>", tag)
        for tag in tags
    ), made
    # Nothing is hidden: a comment or an address in an answer is shown.
    for word in re.findall(r"javascript|hidden|https?://[\w./]+|onerror|script", text):
        assert word in text_of(made)


def test_white_space_and_invisible_marks_do_not_tell_models_apart() -> None:
    twins = [
        "Tea is hot é.\n\nDrink it.",
        "\n\n Tea is\u00a0hot e\u0301. \r\n\r\n\r\n\r\nDrink\u202fit.\u200b \n",
        "\ufeffTea is hot é.\u2060\n \nDrink it.\u00ad\x00",
        "<s> Tea is hot é.\n\nDrink it.<end_of_turn>\n",
        "<|im_start|>Tea is hot é.\n\nDrink it.<|im_end|></s>",
        "Tea is hot é.\n\nDrink it.<｜end▁of▁sentence｜><eos><pad><pad>",
        "Tea is hot é.\n\nDrink it.\ufffd",
    ]
    assert len({tidy(text) for text in twins}) == len({html_of(text) for text in twins}) == 1
    assert tidy("क्‍ष र‌य") == "क्‍ष र‌य"  # joiners belong to the words
    assert tidy("Use <s>old</s> in HTML.") == "Use <s>old</s> in HTML."
    assert "\u202e" not in html_of("a\u202eb")


@pytest.mark.parametrize(
    "text", ["- " * 1000 + "deep", "> " * 1000 + "deep", "---", "* * *", "```\n```", "*" * 5000, "[" * 5000, "| a | b |\n|---"]
)
def test_whatever_was_written_is_shown(text: str) -> None:
    """Markdown that draws nothing, or drops what is nested too deep, is shown as it was written."""
    shown = text_of(html_of(text))
    assert shown.strip() and all(word in shown for word in ("deep",) if word in text)


def test_a_rater_or_a_model_with_the_other_s_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'axolotl' is the id of a rater and the name of a model"):
        make(gathered(4), {"axolotl": ()}, Plan(1, 0, 0, 1), tmp_path / "x")


def test_a_folder_with_a_sheet_is_not_written_over(room: Made, tmp_path: Path) -> None:
    before = (tmp_path / "room" / KEY).read_bytes()
    with pytest.raises(ConfigError, match="holds a sheet already"):
        make(gathered(4), {"a": ()}, Plan(1, 0, 0, 1), tmp_path / "room")
    assert (tmp_path / "room" / KEY).read_bytes() == before


def test_equal_seeds_deal_out_alike(tmp_path: Path) -> None:
    dealt = []
    for name in ("one", "two"):
        made = make(gathered(12), {"a": (), "b": ()}, Plan(1, 1, 1, 42), tmp_path / name)
        dealt.append([[(slot.item, slot.order, slot.repeat) for slot in rater.slots] for rater in made.sheet.raters])
        tokens = {rater.token for rater in made.sheet.raters}
    assert dealt[0] == dealt[1] and len(tokens) == 2
    assert read_sheet(tmp_path / "one").secret != read_sheet(tmp_path / "two").secret


def test_a_conversation_and_a_system_turn_are_shown(tmp_path: Path) -> None:
    turns = (
        Message("system", "Answer *briefly*."),
        Message("user", "नमस्ते"),
        Message("assistant", "नमस्ते!"),
        Message("user", "चाय पर दो पंक्तियाँ"),
    )
    one = Item("open_prompts", "c", "hi", "creative_writing", turns, ("क", "ख", "ग", "घ"))
    page = make(Gathered(MODELS, (one,)), {"a": ("hi",)}, Plan(1, 0, 0, 1), tmp_path / "c").pages["a"].read_text(encoding="utf-8")
    asked = re.search(r'<div class="asked">(.*?)<div class="answers">', page, re.DOTALL)
    assert asked and re.findall(r'data-word="role_(\w+)"', asked[1]) == ["system", "user", "assistant", "user"]
    assert "<em>briefly</em>" in asked[1] and "चाय पर दो पंक्तियाँ" in asked[1]


def test_without_the_extra_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from evalkit.rating import markup

    markup.html_of.cache_clear()
    markup._tools.cache_clear()
    monkeypatch.setitem(sys.modules, "nh3", None)
    with pytest.raises(ConfigError, match=r"pip install 'evalkit-harness\[rating\]'"):
        html_of("a text that nobody has drawn before")
    markup._tools.cache_clear()


def test_the_page_is_whole(room: Made) -> None:
    """No address outside, one script and one style whose hashes the policy names."""
    page = room.pages["r0"].read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy and "default-src 'none'" in policy[1] and "unsafe" not in policy[1] and "connect-src 'none'" in policy[1]
    outside = re.sub(r"<div class=\"text.*?</div>", "", page, flags=re.DOTALL)
    assert not re.search(r"https?://", outside)
    words = json.loads(re.search(r'id="words">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    assert {"en", "hi", "ta", "ur"} == set(words)
