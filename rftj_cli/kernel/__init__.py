"""The measuring instrument: rubric, sample, prompt, judge, verdict, reward.

All that scores an answer lives here, and the same code runs in `rftj score` and in the reward Lambda, so it may use
only the standard library, Jinja2 and fastjsonschema (and boto3 in `bedrock.py` and `records.py` alone).

    Rubric + Sample --asks--> Request --Judge--> Reply --parse--> Ballot --conclude--> Verdict | Failure --> Reward

In Lambda: event --events--> Row --scoring--> Scored --answering--> result and log line, all in `handler.py`.
"""
