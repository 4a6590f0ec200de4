"""All campaigns, in the order in which they run."""

from campaign import documents, pictures, sharing
from campaign.trying import Campaign

CAMPAIGNS: tuple[Campaign, ...] = (
    pictures.CAMPAIGN,
    documents.REFERENCES,
    documents.COMPARE,
    documents.CHECKPOINTS,
    documents.STATES,
    sharing.CAMPAIGN,
)
"""Their counts are in each."""
