"""rftj: develop and calibrate LLM judges that become reward functions."""

__version__ = "0.1.0"
