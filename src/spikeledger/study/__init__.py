"""Questions about ledgers: which network costs less, on what, and how sure is that?"""
