"""The model that is to be trained: its rollouts, its data set, its training job.

prompts.py    rows to prompts: one a task, whatever answers the rows hold
rollouts.py   the model's own answers, through the runner of `rftj score`
rules.py      what the service asks of a data set      parity.py   whether the reward will read what was measured
prepare.py    prompts to train.jsonl and eval.jsonl
settings.py   names and hyper-parameters of a job      forecast.py its judge calls, and what they cost
submit.py     data set to job: a plan of calls, then their execution
jobs.py       how a job goes, and its end
"""
