"""The average of the last snapshots of a stage, beside the plain result and never in its place."""

import numpy as np

from data_prep.digests import file_sha256
from tools.methods import evaluation
from tools.nets import caffe_files, caffemodels, handed_on, runtime
from tools.training import snapshots

FEWEST = 2
NOTE = "of the weights with equal shares; beside the plain result, chosen by no score"


def of(folder, count, result, subject, samples):
    """Write the average of the newest `count` (int) snapshots.

    Parameters
    ----------
    folder : Path
        Of a finished stage.
    count : int
        The run may have made fewer: then those.
    result : Path
        The .caffemodel to write.
    subject : Subject
        What was trained.
    samples : list of evaluation.Sample
        Validation images.

    Returns
    -------
    dict or None
        For the summary: what was averaged, and its PSNR (dB). None when there is but one snapshot.
    """
    chosen = list(snapshots.models(folder).items())[-count:]
    if len(chosen) < FEWEST:
        return None
    message = mean([path for _, path in chosen])
    caffe_files.write_whole(result, handed_on.without_places(message.SerializeToString()))
    net = runtime.build_net(subject.deploy_net(), result)
    return {
        "what": f"average of the last {len(chosen)} snapshots of {folder.name}, {NOTE}",
        "file": f"{result.parent.parent.name}/{result.parent.name}/{result.name}",
        "snapshots": [iteration for iteration, _ in chosen],
        "psnr": evaluation.validation_psnr(net, samples, *subject.judged),
        "weights_sha256": file_sha256(result),
    }


def mean(paths):
    """The mean (NetParameter) of .caffemodels (list of Path) of one net, summed in double precision."""
    sums = {}
    for path in paths:
        message = caffemodels.read(path)
        for layer in message.layer:
            for i, blob in enumerate(layer.blobs):
                values = np.array(blob.data, np.float64)
                sums[layer.name, i] = sums.get((layer.name, i), 0) + values
    for layer in message.layer:
        for i, blob in enumerate(layer.blobs):
            blob.data[:] = (sums[layer.name, i] / len(paths)).astype(np.float32).tolist()
    return message
