-- The labels of the tuples, one row each; the card and the samples for judgement count them.
-- @evidence: by which link the tables know best which item an entity of a document is
SELECT e.page_id, e.document_id, e.entity,
       max_by(l.method, (l.score, coalesce(list_position(['part', 'page', 'title', 'hyperlink'], l.method), 0)))
           AS method,
       max((l.score, coalesce(list_position(['part', 'page', 'title', 'hyperlink'], l.method), 0))) AS sureness
FROM (SELECT page_id, document_id, entity, unnest(mentions) AS mention FROM entities) e
JOIN links l ON l.page_id = e.page_id AND l.char_start = e.mention.char_start
            AND l.char_end = e.mention.char_end
GROUP BY ALL
-- @labels: relation of a pair, with the link of the end that is less sure
SELECT t.tuple_id, t.page_id, t.document_id, t.head_entity, t.tail_entity, t.pid,
       t.sentence_distance,
       CASE WHEN t.sentence_distance < 5 THEN t.sentence_distance::VARCHAR ELSE '5 or more' END
           AS distance,
       coalesce(
           CASE WHEN h.sureness IS NULL OR h.sureness <= a.sureness THEN h.method ELSE a.method END,
           'none'
       ) AS method
FROM (SELECT * EXCLUDE (pids), unnest(pids) AS pid FROM tuples) t
LEFT JOIN evidence h ON h.page_id = t.page_id AND h.document_id = t.document_id
                    AND h.entity = t.head_entity
LEFT JOIN evidence a ON a.page_id = t.page_id AND a.document_id = t.document_id
                    AND a.entity = t.tail_entity
-- @strata: labels by stratum
SELECT $by AS kind, CASE $by WHEN 'pid' THEN pid WHEN 'method' THEN method ELSE distance END
           AS stratum,
       count(*) AS labels
FROM labels GROUP BY ALL ORDER BY labels DESC, stratum
-- @drawn: so many labels of each stratum, by the digest of seed, tuple and relation
SELECT s.tuple_id, s.page_id, s.pid, s.stratum
FROM (
    SELECT tuple_id, page_id, pid, list_extract(
               $strata,
               coalesce(
                   list_position(
                       $strata, CASE $by WHEN 'pid' THEN pid WHEN 'method' THEN method ELSE distance END
                   ),
                   len($strata)
               )
           ) AS stratum
    FROM labels
) s
QUALIFY row_number() OVER (
    PARTITION BY s.stratum ORDER BY md5(concat_ws('/', $seed, s.tuple_id, s.pid)), s.tuple_id, s.pid
) <= list_extract($quotas, list_position($strata, s.stratum))
ORDER BY list_position($strata, s.stratum), md5(concat_ws('/', $seed, s.tuple_id, s.pid)), s.tuple_id
-- @shown: what a person needs to judge some tuples
SELECT t.tuple_id, g.title, g.text, h.name AS head, a.name AS tail,
       h.mentions AS head_mentions, a.mentions AS tail_mentions,
       (SELECT list((s.char_start, s.char_end) ORDER BY s.sentence) FROM sentences s
        WHERE s.page_id = t.page_id) AS sentences
FROM tuples t
JOIN pages g USING (page_id)
JOIN entities h ON h.page_id = t.page_id AND h.document_id = t.document_id
               AND h.entity = t.head_entity
JOIN entities a ON a.page_id = t.page_id AND a.document_id = t.document_id
               AND a.entity = t.tail_entity
WHERE list_contains($tuple_ids, t.tuple_id)
