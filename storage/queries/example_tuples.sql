-- Tuples within one sentence, each of another relation, with the spans of head and tail.
WITH pairs AS (
    SELECT t.tuple_id, t.page_id, t.document_id, t.head_entity, t.tail_entity, unnest(t.pids) AS pid
    FROM tuples t WHERE t.intra AND len(t.pids) > 0
),
spans AS (
    SELECT document_id, entity, name, unnest(mentions) AS mention FROM entities
),
placed AS (
    SELECT p.*, h.name AS head_name, a.name AS tail_name, h.mention AS head, a.mention AS tail
    FROM pairs p
    JOIN spans h ON h.document_id = p.document_id AND h.entity = p.head_entity
    JOIN spans a ON a.document_id = p.document_id AND a.entity = p.tail_entity
    WHERE h.mention.sentence = a.mention.sentence
),
chosen AS (
    SELECT *, row_number() OVER (PARTITION BY pid ORDER BY tuple_id, head.char_start, tail.char_start) AS nth
    FROM placed
)
SELECT c.tuple_id, c.pid, coalesce(r.label, c.pid) AS relation, c.head_name, c.tail_name,
       s.char_start AS sentence_start,
       substring(g.text, s.char_start + 1, s.char_end - s.char_start) AS sentence,
       c.head.char_start AS head_start, c.head.char_end AS head_end,
       c.tail.char_start AS tail_start, c.tail.char_end AS tail_end
FROM chosen c
JOIN pages g ON g.page_id = c.page_id
JOIN sentences s ON s.page_id = c.page_id AND s.sentence = c.head.sentence
LEFT JOIN properties r ON r.pid = c.pid
WHERE c.nth = 1
ORDER BY c.tuple_id
LIMIT $most
