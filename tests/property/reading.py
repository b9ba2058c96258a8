"""All values of a description from random memory, to be held against those of another one."""

import numpy as np

from xcaliper.core.errors import UsageError
from xcaliper.quantity.catalog import Catalog


def memory(seed):
    """A reader of endless random memory."""
    noise = np.random.default_rng(seed).integers(0, 256, 4099, dtype=np.uint8)

    def read(address, size):
        return noise[(np.arange(size) + address.value * 7) % len(noise)].tobytes()

    return read


def values(file, read):
    """Name to physical values, as plain lists; what cannot be read is left out."""
    catalog = Catalog(file)
    found = {}
    with np.errstate(all="ignore"):  # random memory has floats that are none
        _measurements(catalog, read, found)
        _characteristics(catalog, read, found)
    return found


def _measurements(catalog, read, found):
    for name in catalog.measurements:
        try:
            bound = catalog.bind(name).resolve(read)
            raw = bound.decode(read(bound.address, bound.size_bytes))
            found[name] = (flat(bound.to_phys(raw)), bound.unit)
        except UsageError:
            continue


def _characteristics(catalog, read, found):
    for name in catalog.characteristics:
        try:
            bound = catalog.bind(name)
            phys = bound.to_phys(bound.decode(read))
            found[name] = (flat(phys.values), [flat(axis) for axis in phys.axes], bound.unit)
        except UsageError:
            continue


def flat(phys):
    cells = np.asarray(phys).ravel().tolist()
    return [f"{one:.9g}" if isinstance(one, (int, float)) else str(one) for one in cells]
