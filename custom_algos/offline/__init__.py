"""What a policy is worth on a log: off-policy estimators and fitted Q evaluation."""
