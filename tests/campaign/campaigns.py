"""All campaigns, in the order in which they run."""

from campaign import (
    documents,
    growth,
    kills,
    models,
    names,
    objects,
    pictures,
    sharing,
    signals,
    surroundings,
    together,
)
from campaign.trying import Campaign

CAMPAIGNS: tuple[Campaign, ...] = (
    pictures.CAMPAIGN,
    objects.CAMPAIGN,
    models.CAMPAIGN,
    documents.REFERENCES,
    documents.COMPARE,
    documents.CHECKPOINTS,
    documents.STATES,
    sharing.CAMPAIGN,
    growth.CAMPAIGN,
    together.CAMPAIGN,
    names.CAMPAIGN,
    signals.CAMPAIGN,
    surroundings.CAMPAIGN,
    kills.CAMPAIGN,
)
"""Their counts are in each."""
