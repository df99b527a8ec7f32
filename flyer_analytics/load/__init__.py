"""Loading events: files on disk into DuckDB (`disk`), files in S3 into Redshift (`s3`).

Both share which files are loaded (`files`), which columns a file needs (`columns`) and what is said (`outcome`). Each
format of files on disk is one function in `formats`.
"""
