"""Change parameters in the hex file of an ECU, without the ECU: offline calibration."""

from pathlib import Path

import xcaliper
from xcaliper.core.address import Address, AddressRange
from xcaliper.image.checksum import ChecksumRegion
from xcaliper.image.files import write_image
from xcaliper.image.memory_image import MemoryImage
from xcaliper.sim.gallery import build_ecu


def write_files() -> None:
    """What the makers of an ECU hand over: its description, and the image that is flashed."""
    ecu = build_ecu("demo-engine")
    flash = [one for one in ecu.image.regions.values() if one.name != "RAM"]
    image = MemoryImage((Address(one.address, one.extension), one.initial) for one in flash)
    Path("engine.a2l").write_text(ecu.a2l, encoding="utf-8")
    Path("engine.hex").write_bytes(write_image(image, "ihex"))


def main() -> None:
    write_files()
    scalars = AddressRange(Address(0x8020000), 0x3FC)
    checksum = ChecksumRegion("scalars", (scalars,), "XCP_CRC_32", Address(0x80203FC))
    engine = xcaliper.open_image("engine.a2l", "engine.hex", checksums=[checksum])
    print(engine)

    engine.write("cIdleSpeedTarget", 950, reason="steadier when cold")
    with engine.group("richer"):
        engine.write("cLambdaFactorMin", 0.8)
        engine.write("cLambdaFactorMax", 1.3)
    for transaction in engine.history:
        print(transaction)

    saved = engine.save("engine-new.hex")
    print(*saved.checksums)
    print(engine.diff(xcaliper.open_image("engine.a2l", "engine.hex")))


if __name__ == "__main__":
    main()
