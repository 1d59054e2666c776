"""Item embeddings from clicks: item2vec, DeepWalk, node2vec and EGES on one skip-gram core."""
