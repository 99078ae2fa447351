"""What tests, plugin authors and the practice provider use: a signing identity provider that shares no code with the
signature gate, so that each is a check of the other.
"""
