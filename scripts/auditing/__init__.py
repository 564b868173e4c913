"""Proves the stack's rules on a running one, over all schemas, topics and mails."""
