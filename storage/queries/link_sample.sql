-- Ten links of each method, to be judged by eye.
SELECT l.method, l.score, m.surface, l.qid, i.label, i.description, g.title AS page
FROM links l
JOIN mentions m USING (page_id, char_start, char_end)
JOIN pages g USING (page_id)
LEFT JOIN items i ON i.qid = l.qid
QUALIFY row_number() OVER (PARTITION BY l.method ORDER BY hash(l.page_id, l.char_start)) <= 10
ORDER BY l.method, page
