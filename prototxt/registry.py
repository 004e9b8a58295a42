"""All networks by name."""

from prototxt import drcn, drrn, espcn, fsrcnn, idn, lapsrn, memnet, red30, srcnn, vdsr

NETWORKS = {
    module.NETWORK.name: module.NETWORK
    for module in (idn, srcnn, fsrcnn, espcn, vdsr, drcn, red30, lapsrn, drrn, memnet)
}
