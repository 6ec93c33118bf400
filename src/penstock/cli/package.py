"""`penstock package`: zip files for Lambda, the same bytes each time."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from ..errors import PenstockError
from .archives import Entry, files_in, write_zip

# Parts of Penstock that never run in Lambda.
LEFT_OUT = ("cli", "emulator", "testing")

WRAPPER = "penstock-exec-wrapper"

# Source: AWS documentation, "Lambda quotas": 50 MB zipped when uploaded directly, 250 MB
# unzipped, layers included.
MB = 1024 * 1024
DIRECT_UPLOAD = 50 * MB
UNZIPPED = 250 * MB

_PACKAGE = Path(__file__).parents[1]

_DESCRIPTION = """\
Make a zip file for Lambda: Penstock's layer, or a function's folder.

The same contents give the same bytes, so that a deployment changes only what has changed.
"""

_EXAMPLES = """\
examples:
  penstock package --layer                        penstock-layer.zip
  penstock package --layer -o build/layer.zip
  penstock package app -o function.zip            the folder app, with all that is in it

a folder with dependencies, penstock-lambda among them, is made by, for example:
  pip install --target app -r requirements.txt
"""


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `package` to the commands."""
    parser = commands.add_parser(
        "package",
        help="make a zip file for Lambda: the layer, or a function",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "folder", nargs="?", type=Path, metavar="FOLDER", help="the function, with dependencies"
    )
    what.add_argument(
        "--layer", action="store_true", help="Penstock's layer, with its exec wrapper"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="the zip file (default penstock-layer.zip or function.zip)",
    )
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Write the zip file and say what to do with it."""
    output = _output(
        options.output or Path(f"{'penstock-layer' if options.layer else 'function'}.zip")
    )
    if options.layer:
        _write(output, layer_files(), compressed=False)
        print(_after_layer(output))
        return 0
    folder: Path = options.folder
    if not folder.is_dir():
        if folder.exists():
            raise PenstockError(f"{folder} is a file; name the folder it is in")
        raise PenstockError(f"there is no folder {folder} (looked from {Path.cwd()})")
    files = files_in(folder, leave_out=output.resolve())
    if not files:
        raise PenstockError(f"{folder} is empty: there is nothing to pack")
    _write(output, files, compressed=True)
    print(_after_function(output))
    if not any(name == "penstock/__init__.py" for name, *_ in files):
        print(
            "\nPenstock is not in it. Give the function the layer (penstock package --layer), "
            "or pack again after\n\n"
            f"  pip install --target {shlex.quote(str(folder))} path/to/the/clone/of/penstock"
        )
    return 0


def layer_files() -> list[Entry]:
    """What is in the layer: all of Penstock that runs in Lambda, and the exec wrapper.

    No compiled files: they are of use to one version of Python, and the layer is for all.
    """
    script = Path("runtime/exec-wrapper")
    files = [Path(file.relative_to(_PACKAGE)) for file in _PACKAGE.rglob("*.py")]
    return [
        Entry(WRAPPER, _PACKAGE / script, is_executable=True),
        Entry(f"python/penstock/{script}", _PACKAGE / script, is_executable=True),
        *(
            Entry(f"python/penstock/{file.as_posix()}", _PACKAGE / file)
            for file in files
            if file.parts[0] not in LEFT_OUT
        ),
    ]


def _output(path: Path) -> Path:
    try:
        is_folder = path.is_dir()
    except OSError as exc:
        raise PenstockError(f"cannot make {path}: {exc}") from exc
    if is_folder:
        raise PenstockError(f"{path} is a folder; -o takes the name of the zip file in it")
    if not path.parent.is_dir():
        raise PenstockError(f"there is no folder {path.parent} for {path.name}")
    return path


def _write(output: Path, files: list[Entry], *, compressed: bool) -> None:
    try:
        size = sum(entry.file.stat().st_size for entry in files)
    except OSError as exc:
        raise PenstockError(f"cannot make {output}: {exc}") from exc
    if size > UNZIPPED:
        raise PenstockError(
            f"{size:,} bytes are too many: Lambda takes {UNZIPPED:,} (250 MB), with all layers "
            "unzipped; a container image may have 10 GB"
        )
    digest = write_zip(output, files, compressed=compressed)
    print(
        f"{output}: {output.stat().st_size:,} bytes\n"
        f"  {len(files)} files, {size:,} bytes unzipped ({size / UNZIPPED:.1%} of 250 MB)\n"
        f"  sha256 {digest}\n"
    )


def _after_layer(output: Path) -> str:
    return f"""\
Publish it, in each Region where it is used:

  aws lambda publish-layer-version --layer-name penstock --license-info Apache-2.0 \\
      --zip-file {_fileb(output)}

That is all for python3.11 and newer: handlers stream under AWS's client. Only if you want
Penstock's own runtime instead, set:

  AWS_LAMBDA_EXEC_WRAPPER=/opt/{WRAPPER}"""


def _after_function(output: Path) -> str:
    if output.stat().st_size <= DIRECT_UPLOAD:
        source = f"--zip-file {_fileb(output)}"
        return f"Upload it:\n\n  aws lambda update-function-code --function-name NAME {source}"
    return f"""\
It is over 50 MB, so it goes through S3:

  aws s3 cp {shlex.quote(str(output))} s3://BUCKET/
  aws lambda update-function-code --function-name NAME --s3-bucket BUCKET \\
      --s3-key {shlex.quote(output.name)}"""


def _fileb(path: Path) -> str:
    return shlex.quote(f"fileb://{path}")
