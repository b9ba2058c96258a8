"""A believable four-cylinder gasoline engine controller."""

from xcaliper.sim.gallery.demo_engine.declaration import demo_engine
from xcaliper.sim.gallery.demo_engine.model import DemoEngine

__all__ = ["DemoEngine", "demo_engine"]
