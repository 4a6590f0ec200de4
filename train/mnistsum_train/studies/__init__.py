"""Measurements that take many trainings, and what trainings are compared with."""
