"""Take a measurement inside asyncio, beside other tasks, and have a function called as well."""

import asyncio

import xcaliper
from xcaliper.sim.process import EcuProcess


async def heartbeat() -> None:
    """Anything else that the program does meanwhile."""
    while True:
        await asyncio.sleep(0.5)
        print("  still here")


async def follow(ecu: xcaliper.Connection) -> None:
    measurement = ecu.measure(["EngineSpeed", "CoolantTemp"], duration_s=2, keep=False)
    peak = 0.0

    @measurement.on_block  # called in a thread of its own; slow work here holds nothing up
    def remember(block: xcaliper.Block) -> None:
        nonlocal peak
        if "EngineSpeed" in block:
            peak = max(peak, float(block["EngineSpeed"].max()))

    async with measurement:
        async for block in measurement:
            print(f"{block.event}: {len(block)} samples up to {block.t[-1]:.2f} s")
    print(f"peak {peak:.0f} rpm, {measurement.quality.dropped} samples dropped")


async def main() -> None:
    with EcuProcess("demo-engine") as engine, xcaliper.connect(engine.url) as ecu:
        beat = asyncio.create_task(heartbeat())
        await follow(ecu)
        beat.cancel()


if __name__ == "__main__":
    asyncio.run(main())
