"""What `pitlink doctor` finds on a machine: findings in plain words, each with what to do."""
