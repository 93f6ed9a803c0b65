"""The spool: files of activities that the database could not store yet."""
