"""Pictures by the million: cut into shards by a written plan, answered by worker processes or a cluster."""
