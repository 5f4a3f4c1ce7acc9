"""From a calibrated rubric to a reward function: fit to be one? packaged, run, proven, deployed, watched.

audit     is the judge a learning signal?            bundle    the zip that AWS Lambda runs
local     the zip on this machine                    verify    the zip against the run it was measured on
deploy    a pinned version, as a plan and executed   watch     the reward logs of a training run
trl       the rubric as a reward function for trainers outside AWS
"""
