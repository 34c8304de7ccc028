"""What a tree is turned into: training rows and documents. Pure; only `files` touches the disk."""
