"""The only rooms that open files: rubrics and rules (YAML), samples and labels (JSONL, CSV, Parquet), the run store."""
