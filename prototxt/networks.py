"""All compared networks by name, IDN's excepted, which has a generator of its own kind."""

from prototxt import drcn, drrn, espcn, fsrcnn, lapsrn, memnet, red30, srcnn, vdsr

NETWORKS = {
    module.NETWORK.name: module.NETWORK
    for module in (srcnn, fsrcnn, espcn, vdsr, drcn, red30, lapsrn, drrn, memnet)
}
