-- What each table holds of one page; `relmill trace` runs these one after the other.
-- @pages: the article
SELECT page_id, title, revision_id, revision_time, disambiguation, length(text) AS characters,
       left(text, 300) AS text
FROM pages WHERE page_id = $page_id AND title = $title
-- @redirects: titles that lead here
SELECT title, fragment FROM redirects
WHERE target_title = $title AND $page_id IS NOT NULL ORDER BY title
-- @sections: its headings
SELECT section, level, title, char_start, char_end FROM sections
WHERE page_id = $page_id AND $title IS NOT NULL ORDER BY section
-- @hyperlinks: where it links to
SELECT place, count(*) AS hyperlinks, count(char_start) AS in_text,
       string_agg(DISTINCT target_title, ', ') AS targets
FROM hyperlinks WHERE page_id = $page_id AND $title IS NOT NULL GROUP BY place ORDER BY place
-- @sentences: its sentences
SELECT s.sentence, s.char_start, s.char_end,
       substring(p.text, s.char_start + 1, s.char_end - s.char_start) AS text
FROM sentences s JOIN pages p USING (page_id)
WHERE page_id = $page_id AND $title IS NOT NULL ORDER BY s.sentence
-- @mentions: what was found in them
SELECT char_start, char_end, surface, type, source FROM mentions
WHERE page_id = $page_id AND $title IS NOT NULL ORDER BY char_start
-- @links: which items they name
SELECT m.surface, m.type AS ner_type, l.qid, i.label, l.type, l.method, l.score
FROM links l JOIN mentions m USING (page_id, char_start, char_end)
LEFT JOIN items i ON i.qid = l.qid
WHERE page_id = $page_id AND $title IS NOT NULL ORDER BY l.char_start
-- @documents: the units of text that it is cut into
SELECT document_id, unit, words FROM documents
WHERE page_id = $page_id AND $title IS NOT NULL ORDER BY char_start
-- @entities: the entities of those documents
SELECT document_id, entity, qid, name, type, len(mentions) AS mentions FROM entities
WHERE page_id = $page_id AND $title IS NOT NULL ORDER BY document_id, entity
-- @tuples: its pairs with labels
SELECT t.tuple_id, h.name AS head, string_agg(coalesce(p.label, l.pid), ', ') AS relations,
       a.name AS tail, t.sentence_distance AS distance
FROM tuples t
JOIN entities h ON h.document_id = t.document_id AND h.entity = t.head_entity
JOIN entities a ON a.document_id = t.document_id AND a.entity = t.tail_entity
CROSS JOIN unnest(t.pids) AS l(pid)
LEFT JOIN properties p ON p.pid = l.pid
WHERE t.page_id = $page_id AND $title IS NOT NULL
GROUP BY ALL ORDER BY t.tuple_id
