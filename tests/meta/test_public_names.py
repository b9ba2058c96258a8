"""Smoke."""


def test_import() -> None:
    import xcaliper

    assert xcaliper.__version__
