-- How many tuples each relation has, and in how many the pair stands in one sentence.
SELECT l.pid, r.label, count(*) AS tuples, count(*) FILTER (l.intra) AS in_one_sentence
FROM (SELECT unnest(pids) AS pid, intra FROM tuples) l
LEFT JOIN properties r ON r.pid = l.pid
GROUP BY ALL
ORDER BY tuples DESC, l.pid
