"""Everything that `scripts/test.py` runs: static checks, migrations, tests."""
