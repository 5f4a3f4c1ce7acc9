"""Samples through a judge: a validating pass first, then concurrent calls, every reply kept, and resumed where it stopped.

preflight (reads and renders everything, calls nothing) --> engine (workers) --> writer (commits, acknowledges)
     recordings: replies that exist already, in this run, its siblings, or a file
"""
