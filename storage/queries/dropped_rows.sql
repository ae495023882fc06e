-- What each stage left out, under which reason, with an example of its key.
SELECT stage, reason, "rows", sample FROM drops ORDER BY "rows" DESC
