"""What a benchmark has to measure: a job for each image set, factor and method, and whether all it needs is there."""

import sys
from dataclasses import replace

from data_prep import files, images
from data_prep import weights as data_prep_weights
from data_prep.errors import DataError
from tools.benchmarking import paper
from tools.benchmarking.jobs import Job
from tools.common import cli
from tools.common.errors import UserError
from tools.methods import evaluation
from tools.methods.protocols import PROTOCOLS
from tools.methods.registry import METHODS
from tools.nets import engines


def printed():
    """Methods that the paper's tables have."""
    return [name for name, method in METHODS.items() if method.printed]


def plan(args):
    """The jobs that the command line asks for, gaps included, in the order of the paper's tables.

    Raises
    ------
    UserError, DataError
        Something that was asked for by name is not there, or nothing is.
    """
    # weights of one's own without --methods are IDN's
    default = ["Bicubic", "IDN"] if args.weights else printed()
    by_name = [] if "all" in (args.methods or ()) else args.methods or []
    methods = [METHODS[name] for name in dict.fromkeys(by_name or (METHODS if args.methods else default))]
    scales = list(dict.fromkeys(args.scales or cli.SCALES))
    if args.weights:
        _check_own_weights(args.weights, methods, scales)
    weights = {
        (method.name, scale): _weights(args, method, scale, method.name in by_name)
        for method in methods
        for scale in scales
        if scale in method.scales
    }
    _check_scales(methods, scales, by_name)
    jobs, stock = [], engines.cpu_engine(args.engine, args.gpu) == "blas"
    for dataset, folder in _sets(args).items():
        paths, gap = _images(folder, dataset, args.datasets is not None)
        for scale in scales:
            for method in methods:
                if scale not in method.scales:
                    continue
                file, missing = weights[method.name, scale]
                protocol = PROTOCOLS[method.protocol if args.protocol == "own" else args.protocol]
                tile, own = method.tiling(args.tile, stock), method.for_weights(file)
                jobs.append(Job(dataset, scale, own, paths, file, gap or missing, protocol, tile))
    if all(job.gap for job in jobs):
        raise UserError(
            f"{args.data_dir}: holds none of {', '.join(paper.DATASETS)}; run `make fetch`, or give the folder that "
            "holds them with --data-dir"
        )
    return jobs


def _check_scales(methods, scales, by_name):
    """Say which scales a method that was asked for by name is not offered for; raises UserError if that is all of them.

    A method that is offered for some scales only has no rows, and no gaps, at the others.
    """
    for method in (one for one in methods if one.name in by_name):
        others = [scale for scale in scales if scale not in method.scales]
        if len(others) == len(scales):
            method.check_scale(others[0])
        if others:
            offered, left_out = (" ".join(f"x{one}" for one in some) for some in (method.scales, others))
            print(f"{method.name}: is offered for {offered} only; not measured at {left_out}", file=sys.stderr)


def _sets(args):
    """Name as it is shown -> folder (Path) of the sets that are asked for; a path stands for its last name."""
    found = {}
    for asked in args.datasets or paper.DATASETS:
        folder = args.data_dir / asked
        last = folder.name if folder.name not in ("", "..") else folder.resolve().name
        if not asked.strip() or not last:
            raise UserError(f"--datasets: got {asked!r}, expected the name of a folder in {args.data_dir}")
        name = files.shown(last)
        if found.setdefault(name, folder).resolve() != folder.resolve():
            raise UserError(
                f"--datasets: {found[name]} and {folder} are both called {name} in the tables; rename one, or give "
                "them to two runs"
            )
    return found


def _check_own_weights(path, methods, scales):
    nets = [method.name for method in methods if method.network]
    if len(nets) != 1 or len(scales) != 1:
        raise UserError(
            f"--weights {path}: is for one net at one scale, got {len(nets)} nets and scales "
            f"{' '.join(map(str, scales))}; add --methods and --scales, such as --methods IDN --scales 3"
        )
    if not path.is_file():
        raise UserError(f"--weights {path}: no such file, expected a .caffemodel of {nets[0]} at x{scales[0]}")


def _weights(args, method, scale, by_name):
    """Weight file of a method and scale, and why there is none; both are None for random weights."""
    if method.network is None:
        return None, None
    if args.weights:
        return args.weights, None
    if only_ours(args):
        path = data_prep_weights.find_ours(method.name, scale)
        none = f"no weights of {method.name} at x{scale} were trained here (results/models); tools/train.py makes some"
    else:
        path = data_prep_weights.find(args.weights_dir, method.name, scale)
        if path is None and not args.random_weights:  # which are asked for where the authors' are missing
            path = data_prep_weights.find_ours(method.name, scale)
        none = data_prep_weights.gap(method.name, scale)
    if path is not None:
        return path, None
    if args.random_weights:
        return None, None
    if by_name:
        raise UserError(f"{args.weights_dir}: {none}; or give --weights FILE")
    return None, none


def only_ours(args):
    """Whether only weights that were trained here are wanted: --trained-here, or --weights-dir none."""
    return args.trained_here or (str(args.weights_dir) == "none" and not args.weights_dir.is_dir())


def _images(folder, dataset, by_name):
    """Images of a set, and why there are none."""
    if by_name and not folder.is_dir():
        known = "" if dataset in paper.DATASETS else f" is not one of {', '.join(paper.DATASETS)}, and"
        raise UserError(
            f"--datasets: {dataset}{known} has no folder {folder}; run `make fetch`, or name a folder in DATA"
        )
    if by_name or folder.is_dir():
        return images.list_images(folder), None
    return (
        [],
        f"no images of {dataset} (no folder {dataset} in the data folder; see `make fetch`)",
    )


def inspected(jobs, material):
    """The jobs with what is known of their images; every image is read once, so that a bad one is told now.

    Images of which only the first page or frame is used are named on stderr.

    Parameters
    ----------
    jobs : list of Job
    material : Material
        Reads the images, and keeps them.

    Raises
    ------
    UserError, DataError
        An image cannot be read or is too small; the text names it.
    """
    largest = {}
    for job in jobs:
        for path in job.paths:
            largest[path] = max(job.scale, largest.get(path, 0))
    found = _inspect(largest, material)
    return [replace(job, images=tuple(found[path] for path in job.paths)) for job in jobs]


def _inspect(largest, material):
    """ImageInfo of each path (dict); `largest` (dict of Path to int) has the largest factor of each.

    Refuses the first image that cannot be read, or is too small, and counts the others. Says once which files hold
    several pages.
    """
    refused, found = [], {}
    for path, scale in largest.items():
        try:
            info = material.inspect(path)
            evaluation.check_size((info.height, info.width), scale, path)
            found[path] = info
        except (DataError, UserError) as error:
            refused.append(error)
    if len(refused) == 1:
        raise refused[0]
    if refused:
        raise UserError(f"{refused[0]} (and {len(refused) - 1} more of {len(largest)} images)")
    note = images.several_pages((path, info.pages) for path, info in found.items())
    if note:
        print(f"warning: {note}", file=sys.stderr)
    return found


def check_nets(jobs, material):
    """Build every net with its weights, so that weights that do not fit are told now and not after an hour.

    Raises
    ------
    UserError
        The text names them.
    """
    for method, scale, path in dict.fromkeys((job.method, job.scale, job.weights) for job in jobs if job.weights):
        material.check_net(method, scale, path)
