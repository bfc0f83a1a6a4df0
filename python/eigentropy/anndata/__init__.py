"""The measures on an AnnData, as scanpy's tools: they write what they find beside the cells.

>>> import eigentropy.anndata as ea
>>> ea.dse(adata)                          # of adata.obsm["X_pca"]  # doctest: +SKIP
>>> ea.dsmi(adata, groupby="cell_type")    # into adata.uns["dsmi"]  # doctest: +SKIP

Nothing of anndata or scanpy is imported: whoever has an AnnData has what it takes.
"""

from eigentropy._support.signatures import missing_name as _missing_name
from eigentropy.anndata.coordinates import diffusion_map
from eigentropy.anndata.groups import group_dse
from eigentropy.anndata.measures import dse, dsmi, kernel_entropy, kernel_information
from eigentropy.anndata.surprisal import surprisals

__all__ = [
    "diffusion_map",
    "dse",
    "dsmi",
    "group_dse",
    "kernel_entropy",
    "kernel_information",
    "surprisals",
]


def __getattr__(name: str) -> object:
    raise _missing_name(__name__, name)


def __dir__() -> list[str]:
    return __all__
