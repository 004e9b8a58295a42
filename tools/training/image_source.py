"""How a net's file says that its pairs are cut from images: a data layer whose source is text, then a Python layer."""

import json
from pathlib import Path

from data_prep.errors import DataError
from data_prep.geometry import Geometry, geometry
from data_prep.plan import gather, make_plan
from data_prep.sampling import sampling

MARK = "images:"  # what the `source` of such a data layer begins with
MODULE, LAYER = "tools.training.image_layer", "ImagePairs"


def source(plan, name):
    """All that must be known (str) of the pairs of `plan` (Plan), which stand for the database `name` (str)."""
    shape = plan.geometry
    if isinstance(shape, Geometry):
        cut = {"scale": shape.scale}
    else:
        cut = {"method": shape.title, "scale": None if shape.mixed else shape.scales[0]}
    folder = str(plan.sources.images[0].path.parent)
    return MARK + json.dumps(
        {"folder": folder, "sha256": plan.sources.sha256, "database": name, **cut, "seed": plan.seed}
    )


def replaced(net):
    """`net` (NetParameter), in which data layers with such a source are Python layers."""
    for layer in net.layer:
        given = layer.hdf5_data_param
        if layer.type == "HDF5Data" and given.source.startswith(MARK):
            about = {**_read(given.source), "batch": given.batch_size, "tops": list(layer.top)}
            layer.type = "Python"
            layer.ClearField("hdf5_data_param")
            layer.python_param.module, layer.python_param.layer = MODULE, LAYER
            layer.python_param.param_str = json.dumps(about)
    return net


def of_parameter(text):
    """What the `param_str` (str) of a Python layer says: (source, batch, tops)."""
    about = json.loads(text)
    batch, tops = about.pop("batch"), about.pop("tops")
    return MARK + json.dumps(about), batch, tops


def database_of(source):
    """Name (str) of the database that a source stands for."""
    return _read(source)["database"]


def plan_of(source):
    """The Plan that a source (str) tells of; raises DataError when the folder has changed since it was written."""
    about = _read(source)
    scale, name = about["scale"], about["database"]
    cut = sampling(about["method"], scale, name) if "method" in about else geometry(scale, name)
    plan = make_plan(gather(Path(about["folder"]), decode=False), cut, about["seed"])
    if plan.sources.sha256 != about["sha256"]:
        raise DataError(
            f"{about['folder']}: has other images than when this net's file was written; run tools/train.py again"
        )
    return plan


def _read(source):
    return json.loads(source[len(MARK) :])
