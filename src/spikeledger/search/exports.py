"""A search for other people's eyes: a storage file for Optuna's dashboard, and logs for TensorBoard."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..reading import is_folder, is_there
from ..writing import closed
from .running import Search


def check_exports(storage: Path | None, board: Path | None) -> None:
    """See that an Optuna storage file and a folder for TensorBoard can be written, before a search takes its hours.

    Raises:
        InputError: a package is missing, the file is there already, or the folder is none.
    """
    if storage is not None:
        if find_spec("optuna") is None:
            raise InputError("--optuna needs the package 'optuna': pip install 'spikeledger[search]'")
        if is_there(storage):
            raise InputError(f"'{storage}' is there already: give the name of a new file")
        if not is_folder(storage.parent):
            raise InputError(f"'{storage.parent}' is no folder, so '{storage}' cannot be written: make it first")
    if board is not None:
        if find_spec("tensorboard") is None:
            raise InputError("--tensorboard needs the package 'tensorboard': pip install tensorboard")
        if is_there(board) and not is_folder(board):
            raise InputError(f"'{board}' is a file, and TensorBoard needs a folder: give another name")


def write_optuna(search: Search, path: Path) -> Path:
    """Write every result into an Optuna storage file, in the units of the results; `optuna-dashboard FILE` opens it.

    Raises:
        InputError: Optuna is not installed, or the file is there already or cannot be written.
    """
    check_exports(path, None)
    import optuna
    from optuna.storages.journal import JournalFileBackend

    aims = search.aims
    directions: Any = ["maximize"] * len(aims.maximise) + ["minimize"] * len(aims.minimise)
    space = _space(optuna, search)
    trials = []
    for each in search.tried:
        facts: dict[str, Any] = {"arm": each.arm, "stopped": each.stopped}
        if not each.rows:
            trials.append(
                optuna.trial.create_trial(
                    state=optuna.trial.TrialState.FAIL, params=dict(each.chosen), distributions=space, user_attrs=facts
                )
            )
        for rung, row in enumerate(each.rows):
            missed = dict(zip((c.text for c in aims.constraints), aims.measured(row)[1], strict=True))
            trials.append(
                optuna.trial.create_trial(
                    params=dict(each.chosen), distributions=space, constraints=missed or None,
                    user_attrs={**facts, "trial": row.key, "rung": rung},
                    values=[float(row.single[name]) for name in aims.objectives],
                )
            )  # fmt: skip
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            level = optuna.logging.get_verbosity()
            optuna.logging.set_verbosity(optuna.logging.ERROR)
            try:
                storage = optuna.storages.JournalStorage(JournalFileBackend(str(path)))
                study = optuna.create_study(study_name=search.title, storage=storage, directions=directions)
                study.set_metric_names(list(aims.objectives))
                study.add_trials(trials)
            finally:
                optuna.logging.set_verbosity(level)
    except OSError as error:
        raise closed(path, error) from error
    return path


def _space(optuna: Any, search: Search) -> dict[str, Any]:
    """Distributions wide enough for every point: what the storage wants of each setting."""
    found: dict[str, Any] = {}
    for name in search.tried[0].chosen if search.tried else ():
        values = [each.chosen[name] for each in search.tried]
        if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
            found[name] = optuna.distributions.IntDistribution(min(values), max(values))
        elif all(isinstance(value, float) for value in values):
            found[name] = optuna.distributions.FloatDistribution(min(values), max(values))
        else:
            found[name] = optuna.distributions.CategoricalDistribution(sorted(set(values), key=str))
    return found


def write_tensorboard(search: Search, folder: Path) -> Path:
    """Log every result with its settings and objectives; `tensorboard --logdir FOLDER` shows them.

    Raises:
        InputError: TensorBoard is not installed.
    """
    check_exports(None, folder)
    from torch.utils.tensorboard import SummaryWriter

    try:
        for each in search.tried:
            for rung, row in enumerate(each.rows):
                with SummaryWriter(str(folder / f"{each.arm}-{each.number:05}-{rung}")) as writer:
                    values = {f"objective/{name}": float(row.single[name]) for name in search.aims.objectives}
                    chosen = {
                        name: value if isinstance(value, int | float | str) else str(value)
                        for name, value in each.chosen.items()
                    }
                    writer.add_hparams(chosen, values, run_name=".")
    except OSError as error:
        raise closed(folder, error) from error
    return folder
