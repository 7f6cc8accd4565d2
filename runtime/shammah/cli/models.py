"""`shammah models`: model files."""

from pathlib import Path
from typing import Annotated

import typer

from shammah.cli.screen import say
from shammah.errors import ShammahError, UsageError

app = typer.Typer(help="Make model files.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(metavar="HF_FOLDER", help="A Qwen2 or Qwen3 as Hugging Face keeps it.")]
Out = Annotated[Path, typer.Argument(metavar="OUT.gguf", help="The file to write.")]
Kind = Annotated[str, typer.Option("--type", metavar="TYPE", help="Q8_0, Q4_K_M and so on; F16, BF16, F32.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite what is there.")]


@app.callback()
def _group() -> None:
    """Keep `convert` a command of its own while it is the only one."""


@app.command()
def convert(folder: Folder, out: Out, kind: Kind = "Q4_K_M", force: Force = False) -> None:
    """Convert a Hugging Face Qwen (safetensors) to a GGUF, and quantize it."""
    from shammah import conversion

    folder, out, file_type = folder.expanduser(), out.expanduser(), conversion.check_type(kind)
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder", hint="Give the folder with config.json, as `hf download` makes it.")
    if not out.absolute().parent.is_dir():
        raise UsageError(f"there is no folder {out.absolute().parent}", hint="Make it first.")
    if out.is_dir() or (out.exists() and not force):
        raise UsageError(f"{out} is there already", hint="Give another name, or --force.")
    try:
        conversion.convert(folder, out, file_type, say)
    except OSError as error:
        raise ShammahError(f"{out} cannot be written: {error}", hint="Check the rights and the free space.") from error
    say(f"{out} is ready: shammah ask --model {out} QUESTION")
