"""An image folder as a task: its files, `task.toml`, `labels.csv`, decoded images and their cache."""
