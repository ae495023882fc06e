-- What a pair of entities rests on; `relmill why` asks these one after the other.
-- @pair: the pair and its labels
SELECT t.tuple_id, g.title AS page, t.document_id, d.unit, d.words,
       t.head_entity, h.name AS head, t.head_qid, hi.label AS head_label,
       t.tail_entity, a.name AS tail, t.tail_qid, ai.label AS tail_label,
       t.pids, t.sentence_distance, g.page_id, g.revision_id
FROM tuples t
JOIN pages g USING (page_id)
JOIN documents d USING (page_id, document_id)
JOIN entities h ON h.page_id = t.page_id AND h.document_id = t.document_id
               AND h.entity = t.head_entity
JOIN entities a ON a.page_id = t.page_id AND a.document_id = t.document_id
               AND a.entity = t.tail_entity
LEFT JOIN items hi ON hi.qid = t.head_qid
LEFT JOIN items ai ON ai.qid = t.tail_qid
WHERE t.tuple_id = $tuple_id
-- @statements: what Wikidata states of head and tail, items merged into them included
WITH RECURSIVE heads(qid) AS (
    SELECT $head UNION SELECT r.qid FROM item_redirects r JOIN heads ON r.target_qid = heads.qid
),
tails(qid) AS (
    SELECT $tail UNION SELECT r.qid FROM item_redirects r JOIN tails ON r.target_qid = tails.qid
)
SELECT t.pid, p.label AS relation, t.rank, t."start", t."end", t.point
FROM triples t
JOIN heads ON heads.qid = t.head_qid
JOIN tails ON tails.qid = t.tail_qid
LEFT JOIN properties p ON p.pid = t.pid
ORDER BY t.pid, t.head_qid, t.statement
-- @mentions: the mentions of one entity, and how each was found and linked
SELECT m.surface, m.char_start, m.char_end, n.mention.sentence AS sentence, m.type, m.source,
       l.qid, l.method, l.score
FROM (
    SELECT page_id, unnest(mentions) AS mention FROM entities
    WHERE page_id = $page_id AND document_id = $document_id AND entity = $entity
) n
JOIN mentions m ON m.page_id = n.page_id AND m.char_start = n.mention.char_start
               AND m.char_end = n.mention.char_end
LEFT JOIN links l ON l.page_id = m.page_id AND l.char_start = m.char_start
                 AND l.char_end = m.char_end
ORDER BY m.char_start
-- @sentences: sentences of a page by their ordinals
SELECT s.sentence, s.char_start,
       substring(g.text, s.char_start + 1, s.char_end - s.char_start) AS text
FROM sentences s JOIN pages g USING (page_id)
WHERE page_id = $page_id AND list_contains($sentences, s.sentence)
ORDER BY s.sentence
-- @named: mentions of a page that a name or a QID may mean
SELECT m.surface, m.char_start, m.char_end, m.type, m.source, l.qid, l.method, l.score
FROM mentions m
LEFT JOIN links l USING (page_id, char_start, char_end)
LEFT JOIN items i ON i.qid = l.qid
WHERE m.page_id = $page_id AND (
    l.qid = $asked OR lower(m.surface) = lower($asked) OR lower(i.label) = lower($asked)
    OR list_contains(i.aliases, $asked)
)
ORDER BY m.char_start
-- @literal: the date or number that begins at a place of a page
SELECT kind, value FROM literal_mentions WHERE page_id = $page_id AND char_start = $char_start
-- @candidates: the items that some words may name, the likeliest first
SELECT a.qid, i.label, a.prior, a.anchors FROM aliases a LEFT JOIN items i USING (qid)
WHERE a.surface = $surface ORDER BY a.prior DESC, a.qid LIMIT 5
-- @open: mentions of a page that were left open though their words may name an item
SELECT m.surface, m.char_start, m.char_end, a.prior
FROM mentions m
ANTI JOIN links l ON l.page_id = m.page_id AND l.char_start = m.char_start
JOIN aliases a ON a.surface = m.surface
WHERE m.page_id = $page_id AND a.qid = $qid
ORDER BY m.char_start
-- @documents: the documents of a page, and whether align kept them
SELECT d.document_id, d.char_start, d.char_end, d.unit, d.words,
       EXISTS (FROM entities e WHERE e.page_id = d.page_id AND e.document_id = d.document_id)
           AS kept
FROM documents d WHERE d.page_id = $page_id ORDER BY d.char_start
-- @paragraphs: the blocks of a page
SELECT b.kind, b.char_start, b.char_end,
       substring(g.text, b.char_start + 1, b.char_end - b.char_start) AS text
FROM paragraphs b JOIN pages g USING (page_id)
WHERE page_id = $page_id ORDER BY b.char_start
-- @nameless: the item of a page that is no title of an item: a page of the wiki's own
SELECT qid FROM items WHERE sitelink_title = $title AND $title NOT IN (SELECT title FROM titles)
-- @clusters: how many entities the mentions within a span make, and how many labels their pairs
WITH inside AS (
    SELECT l.qid, m.surface FROM mentions m
    LEFT JOIN links l USING (page_id, char_start, char_end)
    WHERE m.page_id = $page_id AND m.char_start >= $char_start AND m.char_end <= $char_end
),
items_inside AS (SELECT DISTINCT qid FROM inside WHERE qid IS NOT NULL)
SELECT (SELECT count(DISTINCT coalesce(qid, 'surface ' || surface)) FROM inside) AS entities,
       (SELECT count(DISTINCT (t.head_qid, t.pid, t.tail_qid)) FROM triples t
        JOIN items_inside h ON h.qid = t.head_qid
        JOIN items_inside a ON a.qid = t.tail_qid
        WHERE t.rank <> 'deprecated' AND t.head_qid <> t.tail_qid) AS labels
-- @entities: the entities of a document that have one of some mentions
SELECT DISTINCT e.entity, e.qid, e.name, e.mentions FROM entities e, unnest(e.mentions) AS n(mention)
WHERE e.page_id = $page_id AND e.document_id = $document_id
  AND list_contains($starts, n.mention.char_start)
ORDER BY e.entity
-- @tuple: the tuple of two entities of a document
SELECT tuple_id FROM tuples
WHERE page_id = $page_id AND document_id = $document_id
  AND head_entity = $head AND tail_entity = $tail
