"""Reinforcement fine-tuning on Bedrock and SageMaker: rollouts of the model to be trained, its data set, its job."""
