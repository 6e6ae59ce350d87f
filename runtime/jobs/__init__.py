"""One function over many items, by workers that may die: processes of this machine, or a Dask cluster."""

from __future__ import annotations

from skverdict.runtime.jobs.spreading import ATTEMPTS, Gone, Here, Lost, Workers, spread

__all__ = ["ATTEMPTS", "Gone", "Here", "Lost", "Workers", "spread"]
