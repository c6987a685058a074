"""The command line: what is an experiment goes to Hydra, the rest to its command; mistakes get one line."""

from __future__ import annotations

import codecs
import errno
import io
import os
import re
import sys
from importlib import import_module

from fer_lightning.errors import UserError, lacks_memory, nearest

# Name of each command: the module whose ``main(arguments)`` does it, and what it does.
COMMANDS = {
    "summary": ("fer_lightning.commands.summary", "every layer of a model with its size and parameters"),
    "audit": ("fer_lightning.commands.audit", "class counts, copies, conflicts and blanks of a data set"),
    "report": ("fer_lightning.commands.report", "the table, files and figures of a study, finished or not"),
    "dashboard": ("fer_lightning.commands.dashboard", "a study in the browser, while it runs and afterwards"),
    "runs": (
        "fer_lightning.commands.runs",
        "every run below a folder as one table, W&B's offline runs included",
    ),
    "workspace": (
        "fer_lightning.commands.workspace",
        "the project's W&B workspace, created or written as JSON",
    ),
    "evaluate": ("fer_lightning.commands.evaluate", "one checkpoint, or the average of several, on a split"),
    "compare": (
        "fer_lightning.commands.compare",
        "evaluations, or any program's results in a CSV file, with verdicts",
    ),
    "explain": (
        "fer_lightning.commands.explain",
        "what a network looks at, and whether it is true: one page",
    ),
    "predict": ("fer_lightning.commands.predict", "class probabilities of your own pictures"),
}
# Commands whose imports take seconds.
_LOAD_TORCH = frozenset({"summary", "audit", "evaluate", "explain", "predict"})
_LOADING = "fer_lightning: loading PyTorch and Lightning"
# What a system says of a place where a person may not write.
_REFUSED = (
    *(errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG),
)
# How a stream meets what its encoding lacks: as Python has set it, and so that nothing fails.
_FAILING = {"strict": "backslashreplace", "surrogateescape": "shown"}
USAGE = """fer_lightning: why did the model get better?

  python -m fer_lightning [key=value ...]          train and validate one model
  python -m fer_lightning +experiment=ablation     the ablation study, from plan to table
  python -m fer_lightning --multirun key=a,b ...   an ordinary Hydra multirun; -m for short
  python -m fer_lightning --cfg job [key=value ...]  show the configuration of a run
  python -m fer_lightning --help-config            the configuration groups and their options

Commands:
"""


def usage() -> str:
    """Return the text of ``--help``."""
    return USAGE + "\n".join(f"  {name:10} {text}" for name, (_, text) in COMMANDS.items()) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Run what the arguments ask for and return the exit status; `docs/scaling.md` lists what each stands for.

    SIGTERM ends an experiment with status 143, by `SystemExit`.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    _open_closed_streams()
    codecs.register_error("shown", _shown)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in _FAILING:
            stream.reconfigure(errors=_FAILING[stream.errors])  # a path may hold what a terminal cannot show
    if os.environ.get("FER_WORKER"):
        from fer_lightning.redact import redact_output

        redact_output()  # what a worker prints is kept in its log
    try:
        _find_own_modules()
        status = _dispatch(arguments)
        sys.stdout.flush()
        return status
    except UserError as error:
        return _complain(error)
    except KeyboardInterrupt:
        print("fer_lightning: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read the output has enough of it, such as `head`; nothing more may be written at exit.
        _write_no_more()
        return 1
    except Exception as error:
        limit = _limit_of_the_machine(error)
        if limit is None:
            raise
        try:
            sys.stdout.flush()
        except OSError:
            _write_no_more()
        return _complain(limit)


def _write_no_more() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _open_closed_streams() -> None:
    """Open what a shell has closed (``>&-``) to nowhere, or the next file that is opened would be taken for it."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:  # 0, 1, 2: standard input, output and error
        pass
    os.close(number)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 (as long as the process)


def _limit_of_the_machine(error: Exception) -> UserError | None:
    """Say in one line what the memory, the disk or its permissions do not allow; None for any other error."""
    if lacks_memory(error):
        asked = re.search(r"allocate ([0-9.]+) (bytes|.iB)", str(error))
        much = ""
        if asked:
            in_words = (
                f"{int(asked[1]) / 2**30:,.1f} GiB" if asked[2] == "bytes" else f"{asked[1]} {asked[2]}"
            )
            much = f" for {in_words} more"
        return UserError(
            f"not enough memory{much}; expected a smaller model, data.image_size or data.batch_size"
        )
    from fer_lightning.messages import full_disk_error

    full = full_disk_error(error)
    if full is not None:
        return full
    if isinstance(error, OSError) and error.filename is not None and error.errno in _REFUSED:
        return UserError(f"{error.filename}: {os.strerror(error.errno).lower()}")
    return None


def _find_own_modules() -> None:
    """Import from the current folder, as ``python -m`` does."""
    try:
        here = os.getcwd()
    except OSError as error:
        said = os.strerror(error.errno or 0).lower()
        raise UserError(f"the current folder: {said}; expected one that is there") from None
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)


def _shown(error: UnicodeError) -> tuple[str | bytes, int]:
    """Encode the bytes of a path as they are, and escape any other character."""
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.backslashreplace_errors(error)


def _complain(error: UserError) -> int:
    from fer_lightning.redact import redact_text

    print("fer_lightning: " + redact_text(" ".join(str(error).split())), file=sys.stderr)
    return error.exit_status


def _dispatch(arguments: list[str]) -> int:
    if arguments in (["--help"], ["-h"], ["help"]):
        print(usage())
        return 0
    if arguments == ["--help-config"]:
        arguments = ["--help"]
    place = next((i for i, word in enumerate(arguments) if word in COMMANDS), None)
    first = arguments[0] if arguments else ""
    if place is not None and (place == 0 or first.startswith("-")):
        return _command(arguments[place], [*arguments[:place], *arguments[place + 1 :]])
    if first and "=" not in first and first[0] not in "-+~":
        raise UserError(f"{first}: no such command; {nearest(first, COMMANDS)}")
    from fer_lightning.config.flags import read_command_line
    from fer_lightning.signals import stoppable

    line = read_command_line(arguments)
    with stoppable():
        # Within, because the imports take seconds.
        if line.runs and not os.environ.get("FER_WORKER"):
            print(_LOADING, flush=True)
        from fer_lightning.study.experiment import run_experiment

        return run_experiment(line)


def _command(name: str, arguments: list[str]) -> int:
    os.environ.setdefault("MPLBACKEND", "Agg")
    place, does = COMMANDS[name]
    asked_for_help = bool({"-h", "--help"} & set(arguments))
    if asked_for_help:
        print(f"{name}: {does}", flush=True)  # before imports that take seconds
    elif name in _LOAD_TORCH and "torch" not in sys.modules:
        print(_LOADING, file=sys.stderr, flush=True)  # standard output may be read by a program
    module = import_module(place)
    if asked_for_help:
        from fer_lightning.commands.arguments import help_text

        print(help_text(name, module))
        return 0
    status: int = module.main(arguments)
    return status
