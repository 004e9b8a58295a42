#!/usr/bin/env python3
"""Fetch the training and test images and the released weights, and check every file's SHA-256.

    tools/fetch.py                              # 291, the four test sets and IDN's weights, 107 MB
    tools/fetch.py Set5 Set14 weights           # only these, 20 MB
    tools/fetch.py --method VDSR LapSRN         # published weights of the compared methods (data_prep/weights.json)
    FETCH_MIRROR=/mnt/idn tools/fetch.py        # the same files from a folder or a web address
    tools/fetch.py --mirror https://example.org/idn

The files come from their authors' releases, each at one commit (data_prep/manifest.txt); most have no licence, so they
are fetched, never shipped. An interrupted download continues where it stopped. A file that is already there is never
overwritten: if it differs, that is reported, and --force replaces it. A mirror is laid out like a release, or like the
folders here: data/Set5/..., weights/idn/..., or one of the two folders: Set5/... Nothing that it sends is trusted
(docs/security.md); its address may hold a name and a password, which are shown nowhere.
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import os
from collections import Counter

from data_prep import weights
from data_prep.fetch import choose, fetch, place
from data_prep.mirrors import open_mirror
from tools.common import cli
from tools.common.errors import UserError


def parser():
    """The command line."""
    made = cli.Parser(__doc__)
    add = made.add_argument
    add("sets", nargs="*", metavar="SET", help="291, Set5, Set14, BSD100, Urban100, weights")
    add("--method", nargs="+", metavar="NAME", help="published weights of these methods instead of sets")
    cli.add_folder(made, "DATA")
    cli.add_folder(made, "WEIGHTS")
    add("--mirror", default=os.environ.get("FETCH_MIRROR"), metavar="WHERE", help="folder or web address")
    add("--retries", type=int, default=3, metavar="N", help="further attempts at an interrupted download")
    add("--force", action="store_true", help="replace files that differ from the manifest")
    return made


def main(argv=None):
    """Run the tool; return the exit status."""
    args = parser().parse_args(argv)
    if not args.method:
        outcomes = fetched(choose(args.sets), args)
        for name in dict.fromkeys(one.entry.set for one in outcomes):
            print(summary(name, [one for one in outcomes if one.entry.set == name]))
    elif args.sets:
        raise UserError(f"--method: takes no sets beside it, got {' '.join(args.sets)}; run the tool twice")
    else:
        outcomes = fetch_models(args)
    complain(outcomes)
    return 0


def fetched(entries, args):
    """Fetch entries and say beforehand how much is to come (list of Outcome)."""
    mirror = open_mirror(args.mirror, max(0, args.retries))
    missing = [entry.size for entry in entries if not place(entry, args.data_dir, args.weights_dir).exists()]
    if missing:
        print(f"fetching {len(missing)} files, {sum(missing) / 1e6:.1f} MB, from {cli.printable(mirror)}", flush=True)
    return fetch(entries, mirror, args.data_dir, args.weights_dir, force=args.force)


def fetch_models(args):
    """Fetch the weights of the methods asked for, say where the others are (list of Outcome)."""
    chosen = [model for name in args.method for model in weights.models(weights.named(name))]
    offered = [model for model in chosen if model.entry]
    for model in chosen:
        if not model.entry:
            print(f"{model.method}: {model.file} is not fetched; see {model.page} ({model.note})")
    outcomes = fetched([model.entry for model in offered], args)
    for model, outcome in zip(offered, outcomes):
        print(f"{model.method}: {model.file}: {outcome.state}{_checked([outcome])}; licence: {model.licence}")
    for name in dict.fromkeys(model.method for model in chosen):
        print(f"{name}: cite {weights.citation(name)}")
    if not offered:
        raise UserError(
            f"{', '.join(args.method)}: nothing to fetch; put the files named above into the weights folder"
        )
    return outcomes


def summary(name, outcomes):
    """One line on a set: how many files, what became of them, and whether all are right."""
    states = Counter(one.state for one in outcomes)
    told = ", ".join(f"{states[state]} {state}" for state in ("fetched", "present", "differs", "failed"))
    return f"{name}: {len(outcomes)} files: {told}{_checked(outcomes)}"


def _checked(outcomes):
    return "; SHA-256 as in the manifest" if all(one.state in ("fetched", "present") for one in outcomes) else ""


def complain(outcomes):
    """Raise UserError when a file is not what was asked for."""
    failed = [one for one in outcomes if one.state == "failed"]
    if failed:
        raise UserError(f"{len(failed)} of {len(outcomes)} files failed; the first: {failed[0].error}")
    differing = [one for one in outcomes if one.state == "differs"]
    if differing:
        raise UserError(
            f"{len(differing)} of {len(outcomes)} files differ from the manifest and were kept; "
            f"the first: {differing[0].path}; --force replaces them"
        )


if __name__ == "__main__":
    cli.run(main)
