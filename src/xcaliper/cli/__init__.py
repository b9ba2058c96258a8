"""The shell command ``xcaliper``: one file per verb."""
