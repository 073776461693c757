"""The log's checkpoints outside the platform, without which a full rewrite goes unseen."""
