"""ccproxy: stands between every LLM tool on a machine and every LLM provider."""

__version__ = "3.0.0.dev0"
