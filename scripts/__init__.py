"""The commands of a newcomer (`scripts/run`, `scripts/test`) and the private servers they start."""
