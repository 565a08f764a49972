"""SpikeLedger: what does a spike cost?"""

__version__ = "0.1.0"
