"""Data to start with: what every installation needs, a world for development, and a large one for benchmarks.

Everything is deterministic (ids included) and added only where it is missing: a second run changes nothing, and what
somebody edited since stays edited. The world and its logins exist in development only.
"""

from yiyuebao_api.seed.demo import DemoLogin, NotInProduction, SeedReport, demo_logins, seed, seed_reference

__all__ = ["DemoLogin", "NotInProduction", "SeedReport", "demo_logins", "seed", "seed_reference"]
