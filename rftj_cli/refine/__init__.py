"""Search for a better prompt: proposed edits, each tested on dev, kept only if they hold up.

    run on dev --errors--> clusters --proposer--> edit --guards--> candidate --judge, compare--> kept or not
         ^                                                                                        |
         +------------------------------- the new incumbent ----------------------------------------+
    at the end: the last incumbent against the first prompt on test, one look

`door.py` is where it begins; `search.py` is the plain search, `evolution.py` the one by GEPA.
"""
