"""The providers of the outside world, on the wire with real cryptography, for development, demonstration and tests.

Nothing here imports the rest of `yiyuebao_api`, and nothing there imports this: the service is configured to speak to
this program exactly as it would be configured to speak to the real providers. It answers loopback clients only, keeps
its keys and its state in a folder of its own, and lives by the real clock.
"""
