"""SpikeLedger: what does a spike cost?"""
