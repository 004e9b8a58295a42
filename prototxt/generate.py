"""Write every committed prototxt file again into prototxt/generated/.

    python -m prototxt.generate
    python -m prototxt.generate --check      # exit status 2 when a file is stale, missing or left over
"""

from pathlib import Path

from prototxt import command, emit, solver
from prototxt.errors import NetError
from prototxt.registry import NETWORKS

FOLDER = Path(__file__).resolve().parent / "generated"


def contents():
    """Every generated file: {file name: text}."""
    files = solver.files()
    for network in NETWORKS.values():
        files.update(network.files())
    return files


def check(folder=FOLDER):
    """Raise NetError when `folder` does not hold exactly what the generators emit."""
    wanted = contents()
    found = {p.name: p.read_text() for p in Path(folder).glob("*.prototxt")}
    stale = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    if stale:
        raise NetError(f"{folder}: not what the generators emit: {', '.join(stale)}; run `make prototxt`")


def main(argv=None):
    """Write or check the folder; raises NetError."""
    p = command.Parser(prog="python -m prototxt.generate", description=__doc__.split("\n", 1)[0])
    p.add_argument("--check", action="store_true", help="compare instead of writing")
    args = p.parse_args(argv)
    if args.check:
        check()
        return
    files = contents()
    for name, content in files.items():
        emit.write(content, FOLDER / name)
    print(f"prototxt: wrote {len(files)} files to {FOLDER}")


if __name__ == "__main__":
    command.run(main)
