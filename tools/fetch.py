#!/usr/bin/env python3
"""Fetch the training and test images and the released weights, and check every file's SHA-256.

    tools/fetch.py                              # 291, Set5, Set14 and the weights
    tools/fetch.py Set5 weights                 # only these
    tools/fetch.py BSD100 Urban100              # not pinned: see below
    tools/fetch.py --method VDSR LapSRN         # published weights of the compared methods (data_prep/weights.json)
    FETCH_MIRROR=/mnt/idn tools/fetch.py        # the same files from a folder or a web address
    tools/fetch.py --mirror https://example.org/idn

The files are the IDN authors' (repository Zheng222/IDN-Caffe, commit 482c601); there is no licence with
them, so they are fetched, never shipped. A download that broke goes on where it stopped. A file that is
there is never overwritten: a right one is left alone, a differing one is reported (--force replaces it). A
mirror is laid out like the repository, or like the folders here: data/Set5/..., weights/idn/... Nothing that it
sends is trusted (docs/security.md); its address may hold a name and a password, which are shown nowhere.

BSD100 and Urban100 have no SHA-256 in the manifest yet. From GitHub they are checked against git's own
hashes at the pinned commit; from a mirror only that they decode. What came is recorded in DATA/fetch.lock
and compared the next time.
"""

if __name__ == "__main__":
    import _environment  # noqa: F401

import os
from collections import Counter

from data_prep import weights
from data_prep.fetch import LOCK, choose, fetch
from data_prep.mirrors import open_mirror
from data_prep.weights import _entry, _home
from tools.common import cli
from tools.common.errors import UserError
from tools.common.paths import ROOT


def parse(argv):
    """Read the command line."""
    parser = cli.Parser(__doc__)
    add = parser.add_argument
    add("sets", nargs="*", metavar="SET", help="291, Set5, Set14, weights, BSD100, Urban100")
    add("--method", nargs="+", metavar="NAME", help="published weights of these methods instead of sets")
    add("--data-dir", default=_folder("DATA", "data"), metavar="DIR", help="DATA, else data")
    add("--weights-dir", default=_folder("WEIGHTS", "weights"), metavar="DIR", help="WEIGHTS, else weights")
    add("--mirror", default=os.environ.get("FETCH_MIRROR"), metavar="WHERE", help="folder or address")
    add("--retries", type=int, default=3, metavar="N", help="further attempts at a broken download")
    add("--force", action="store_true", help="replace files that differ from the manifest")
    return parser.parse_args(argv)


def _folder(variable, name):
    return os.environ.get(variable) or str(ROOT / name)


def main(argv=None):
    """Run the tool; return the exit status."""
    args = parse(argv)
    if args.method:
        if args.sets:
            raise UserError(f"--method: takes no sets beside it, got {' '.join(args.sets)}; run the tool twice")
        return fetch_models(args)
    mirror = open_mirror(args.mirror, max(0, args.retries))
    outcomes = fetch(choose(args.sets), mirror, args.data_dir, args.weights_dir, force=args.force)
    for name in dict.fromkeys(one.entry.set for one in outcomes):
        print(summary(name, [one for one in outcomes if one.entry.set == name]))
    complain([one for one in outcomes if one.state in ("failed", "differs")], len(outcomes))
    return 0


def fetch_models(args):
    """Fetch the weights of the methods asked for, say where the others are; return the exit status."""
    chosen = [model for name in args.method for model in weights.models(weights.named(name))]
    offered = [model for model in chosen if model.url]
    for model in chosen:
        if not model.url:
            print(f"{model.method}: no address for {model.file}; see {model.page} ({model.note})")
    outcomes = []
    for model in offered:
        mirror = open_mirror(args.mirror, max(0, args.retries)) if args.mirror else _home(model, args.retries)
        outcomes += fetch([_entry(model)], mirror, args.data_dir, args.weights_dir, force=args.force)
        check = "SHA-256 as in the registry" if model.sha256 else f"unverified, hash recorded in {LOCK}"
        print(f"{model.method}: {model.file}: {outcomes[-1].state}; {check}; licence: {model.licence}")
    for name in dict.fromkeys(model.method for model in chosen):
        print(f"{name}: cite {weights.citation(name)}")
    complain([one for one in outcomes if one.state in ("failed", "differs")], len(outcomes))
    if not offered:
        asked = ", ".join(args.method)
        raise UserError(f"{asked}: nothing to fetch; put the files named above into the weights folder")
    return 0


def summary(name, outcomes):
    """One line on a set: how many files, what became of them, and how they were checked."""
    states = Counter(one.state for one in outcomes)
    told = ", ".join(f"{states[state]} {state}" for state in ("fetched", "present", "differs", "failed"))
    blobs = sum(one.entry.blob is not None for one in outcomes if one.entry.sha256 is None)
    if all(one.entry.sha256 for one in outcomes):
        check = "SHA-256 as in the manifest"
    elif blobs:
        check = "no pinned SHA-256; checked against git's hashes at the commit"
    else:
        check = f"unverified (no pinned SHA-256); hashes recorded in {LOCK}"
    return f"{name}: {len(outcomes)} files: {told}; {check}"


def complain(bad, total):
    """Raise UserError when a file is not what was asked for."""
    failed = [one for one in bad if one.state == "failed"]
    if failed:
        raise UserError(f"{len(failed)} of {total} files failed; the first: {failed[0].error}")
    if bad:
        raise UserError(
            f"{len(bad)} of {total} files differ from the manifest and were kept; the first: {bad[0].path}; "
            "--force replaces them"
        )


if __name__ == "__main__":
    cli.run(main)
