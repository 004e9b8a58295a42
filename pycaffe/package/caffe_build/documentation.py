"""What ``help(caffe.Net)`` and its like say: upstream's compiled classes have C++ signatures and nothing else.

``TEXTS`` holds the docstrings by name, a class or a class and its method; types are in the stubs beside ``caffe``.
"""

from textwrap import dedent

TEXTS = {
    "Net": """
        A network of layers, made from a prototxt file, in float32.

            net = caffe.Net("deploy.prototxt", caffe.TEST, weights="trained.caffemodel")
            net.blobs["data"].reshape(1, 3, 227, 227)
            net.blobs["data"].data[...] = image          # float32, (N, C, H, W)
            prob = net.forward()["prob"]

        Parameters
        ----------
        network_file : str or path
            The net as text (NetParameter in caffe.proto).
        phase : int
            caffe.TRAIN or caffe.TEST; layers may belong to one of them, and some compute differently.
        level : int, optional
            For layers with min_level or max_level in `include` or `exclude`. Default 0.
        stages : list of str, optional
            For layers with `stage` or `not_stage` there.
        weights : str or path, optional
            A .caffemodel or HDF5 file of weights, matched to the layers by name.

        Attributes
        ----------
        blobs : OrderedDict of str to Blob
            What the layers compute, by name, from input to output.
        params : OrderedDict of str to BlobVec
            Weights by layer: ``net.params["conv1"][0]`` the weights, ``[1]`` the bias.
        layers, layer_dict : LayerVec, OrderedDict of str to Layer
        inputs, outputs : list of str
            Blobs that no layer writes or that no layer reads.
        top_names, bottom_names : OrderedDict of str to list of str
            Blobs that each layer writes, and reads.
        blob_loss_weights : OrderedDict of str to float

        Raises
        ------
        RuntimeError
            A file that cannot be opened, a data source that cannot be read, a layer that this build leaves out. Many
            other mistakes in a prototxt end the process: Caffe checks them by CHECK and says what is wrong on stderr.
        """,
    "Net.reshape": """
        Make all blobs as large as the inputs ask for; a forward pass does it as well.

        Raises
        ------
        MemoryError
            In a CUDA build, when the GPU is full.
        """,
    "Net.copy_from": """
        Take the weights of a .caffemodel or HDF5 file (name ending in .h5), layer by layer, matched by name.

        Layers that the file does not have keep theirs. A blob of another shape ends the process.

        Parameters
        ----------
        trained_file : str or path

        Raises
        ------
        OSError
            The file cannot be opened.
        """,
    "Net.share_with": "Use the weights of another net from now on, the same arrays, for layers of the same name.",
    "Net.save": """
        Write the net and its weights into a .caffemodel file.

        Parameters
        ----------
        filename : str or path

        Raises
        ------
        OSError
            The file cannot be written.
        """,
    "Net.save_hdf5": "Write the weights into an HDF5 file (str or path); raises OSError if it cannot be written.",
    "Net.load_hdf5": "Take the weights of an HDF5 file (str or path); raises OSError if it cannot be opened.",
    "Net.clear_param_diffs": "Set the gradients of all weights to 0; a backward pass adds to them.",
    "Net.before_forward": "Call ``run(index)`` before each layer's forward pass, with the layer's number.",
    "Net.after_forward": "Call ``run(index)`` after each layer's forward pass, with the layer's number.",
    "Net.before_backward": "Call ``run(index)`` before each layer's backward pass, with the layer's number.",
    "Net.after_backward": "Call ``run(index)`` after each layer's backward pass, with the layer's number.",
    "Blob": """
        An array of a net: values and their gradients.

        Attributes
        ----------
        data, diff : ndarray of float32
            Values and gradients. They are Caffe's own memory: write with ``blob.data[...] = x``, and copy what has to
            outlive the next pass or reshape.
        shape : IntVec
            ``tuple(blob.shape)`` for a tuple.
        count : int
            Number of values.
        num, channels, height, width : int
            The first four axes of `shape`.
        """,
    "Blob.reshape": "Change the shape, one int for each axis: ``blob.reshape(1, 3, 227, 227)``; the net follows.",
    "Layer": """
        A layer; a Python layer is a subclass that a prototxt names in `python_param`.

        It has ``setup(bottom, top)``, ``reshape(bottom, top)``, ``forward(bottom, top)`` and
        ``backward(top, propagate_down, bottom)``; `bottom` and `top` are vectors of Blob, `propagate_down` says for
        each bottom whether its gradient is wanted. ``self.param_str`` is the text of `python_param`.

        Attributes
        ----------
        type : str
        blobs : BlobVec
            Its weights.
        """,
    "SGDSolver": """
        Stochastic gradient descent with momentum, from a solver file; the other solvers are used in the same way.

        ``caffe.get_solver(file)`` makes the one that the file names in `type`.

            solver = caffe.get_solver("solver.prototxt")
            solver.net.copy_from("pretrained.caffemodel")
            solver.step(100)

        Parameters
        ----------
        solver_file : str or path
            A SolverParameter as text. If it cannot be read, the process ends.

        Attributes
        ----------
        net : Net
            The net that is trained.
        test_nets : NetVec
        iter : int
            Iterations so far.
        lr : float
            The learning rate now.
        param : SolverParameter
            `base_lr` can be set.
        """,
    "Solver.step": """
        Train.

        Parameters
        ----------
        iterations : int
            Each is a forward and a backward pass (`iter_size` of them) and an update, with tests, lines and snapshots
            where the solver file asks for them.
        """,
    "Solver.solve": "Train up to `max_iter`, from a .solverstate file (str or path) if one is given.",
    "Solver.restore": "Go on from a .solverstate file (str or path), which names its .caffemodel.",
    "Solver.snapshot": "Write weights and state under `snapshot_prefix` with the iteration's number.",
    "Solver.apply_update": "Apply the gradients that are in the net: one update of all weights, without a pass.",
    "Solver.share_weights": "Let `net` use the weights that are trained, the same arrays.",
    "Solver.add_callback": """
        Call functions in every iteration: before the first forward pass, and when all gradients are there.

        Parameters
        ----------
        on_start, on_gradients_ready : callable
            Without arguments.
        """,
    "NCCL": "Sums the gradients of several processes, one for each GPU; in builds with NCCL.",
    "Timer": "Measures milliseconds (`ms`) between `start` and `stop`, on the GPU in GPU mode.",
    "get_solver": """
        The solver that a file names in `type`.

        Parameters
        ----------
        solver_file : str or path
            A SolverParameter as text. If it cannot be read, the process ends.

        Returns
        -------
        SGDSolver, or one of its subclasses
        """,
    "layer_type_list": "Names of all layer types that a prototxt may use, this build's own among them (StringVec).",
    "set_mode_cpu": "Compute on the CPU from now on; nets that exist stay what they are.",
    "set_mode_gpu": "Compute on the GPU from now on; for builds with CUDA.",
    "set_device": "Use the GPU of this number (int); a build without CUDA ends the process.",
    "set_random_seed": "Seed Caffe's random numbers (int): fillers, Dropout, crops and mirrors.",
    "has_nccl": "Whether this build has NCCL, for several GPUs (bool).",
    "init_log": "Start glog's files; with a level (0 to 3) and, as the second argument, whether it writes to stderr.",
    "log": "Write a line (str) into Caffe's log.",
}
SOLVERS = {
    "NesterovSolver": "Nesterov's accelerated gradient",
    "AdaGradSolver": "AdaGrad",
    "RMSPropSolver": "RMSProp",
    "AdaDeltaSolver": "AdaDelta",
    "AdamSolver": "Adam",
}


def apply(caffe, library):
    """Give classes, methods and functions their docstrings.

    Parameters
    ----------
    caffe : module
        The package, for its functions.
    library : module
        ``caffe._caffe``, for its classes.
    """
    texts = dict(TEXTS, **{name: f"{kind}; used as SGDSolver is." for name, kind in SOLVERS.items()})
    for name, text in texts.items():
        owner, _, method = name.partition(".")
        target = getattr(caffe, owner) if hasattr(caffe, owner) else getattr(library, owner)
        if method:
            target = target.__dict__[method]
        target.__doc__ = dedent(text).strip("\n")
