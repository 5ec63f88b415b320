"""What every domain stands on; it knows nothing of medicine and imports nothing of ours but settings."""
