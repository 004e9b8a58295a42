"""Types of pycaffe as this wheel has it: upstream's, with NumPy's numbers and paths as arguments (caffe_build)."""

from caffe import classifier as classifier
from caffe import detector as detector
from caffe import io as io
from caffe import net_spec as net_spec
from caffe import proto as proto
from caffe._caffe import (
    NCCL as NCCL,
)
from caffe._caffe import (
    AdaDeltaSolver as AdaDeltaSolver,
)
from caffe._caffe import (
    AdaGradSolver as AdaGradSolver,
)
from caffe._caffe import (
    AdamSolver as AdamSolver,
)
from caffe._caffe import (
    Layer as Layer,
)
from caffe._caffe import (
    NesterovSolver as NesterovSolver,
)
from caffe._caffe import (
    Net as Net,
)
from caffe._caffe import (
    RMSPropSolver as RMSPropSolver,
)
from caffe._caffe import (
    SGDSolver as SGDSolver,
)
from caffe._caffe import (
    Timer as Timer,
)
from caffe._caffe import (
    __version__ as __version__,
)
from caffe._caffe import (
    get_solver as get_solver,
)
from caffe._caffe import (
    has_nccl as has_nccl,
)
from caffe._caffe import (
    init_log as init_log,
)
from caffe._caffe import (
    layer_type_list as layer_type_list,
)
from caffe._caffe import (
    log as log,
)
from caffe._caffe import (
    set_device as set_device,
)
from caffe._caffe import (
    set_mode_cpu as set_mode_cpu,
)
from caffe._caffe import (
    set_mode_gpu as set_mode_gpu,
)
from caffe._caffe import (
    set_multiprocess as set_multiprocess,
)
from caffe._caffe import (
    set_random_seed as set_random_seed,
)
from caffe._caffe import (
    set_solver_count as set_solver_count,
)
from caffe._caffe import (
    set_solver_rank as set_solver_rank,
)
from caffe._caffe import (
    solver_count as solver_count,
)
from caffe._caffe import (
    solver_rank as solver_rank,
)
from caffe.classifier import Classifier as Classifier
from caffe.detector import Detector as Detector
from caffe.net_spec import NetSpec as NetSpec
from caffe.net_spec import layers as layers
from caffe.net_spec import params as params
from caffe.net_spec import to_proto as to_proto

TRAIN: int
TEST: int
