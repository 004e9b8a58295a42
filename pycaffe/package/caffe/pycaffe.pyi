"""Where upstream gives `Net` its Python methods; the classes themselves are those of `_caffe`."""

from caffe._caffe import NCCL as NCCL
from caffe._caffe import AdaDeltaSolver as AdaDeltaSolver
from caffe._caffe import AdaGradSolver as AdaGradSolver
from caffe._caffe import AdamSolver as AdamSolver
from caffe._caffe import NesterovSolver as NesterovSolver
from caffe._caffe import Net as Net
from caffe._caffe import RMSPropSolver as RMSPropSolver
from caffe._caffe import SGDSolver as SGDSolver
from caffe._caffe import Timer as Timer
