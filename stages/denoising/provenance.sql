-- How each label came about, and whether it was judged to be right; one row for each judgement.
WITH labels AS (
    SELECT tuple_id, page_id, document_id, head_entity, tail_entity, sentence_distance, intra,
           unnest(CASE WHEN len(pids) = 0 THEN ['NA'] ELSE pids END) AS pid
    FROM tuples
),
surest AS (
    SELECT e.page_id, e.document_id, e.entity, max(l.score) AS score,
           max_by(l.method, (l.score, coalesce(
               list_position(['alias', 'part', 'page', 'title', 'hyperlink'], l.method), 0
           ))) AS method
    FROM (SELECT page_id, document_id, entity, unnest(mentions) AS mention FROM entities) e
    JOIN links l ON l.page_id = e.page_id AND l.char_start = e.mention.char_start
                AND l.char_end = e.mention.char_end
    GROUP BY ALL
),
texts AS (
    SELECT d.page_id, d.document_id,
           list(DISTINCT regexp_extract(m.value, '^[+-][0-9]+')::BIGINT) AS years
    FROM documents d
    JOIN literal_mentions m ON m.page_id = d.page_id AND m.char_start >= d.char_start
                           AND m.char_end <= d.char_end
    WHERE m.kind = 'time' AND m.precision >= 9
    GROUP BY ALL
),
moments AS (
    SELECT tuple_id, page_id, document_id, pid, rank = 'preferred' AS preferred,
           coalesce("start", "end", point) IS NOT NULL AS dated,
           "end" IS NOT NULL AS ended,
           CASE WHEN "start".precision >= 9
                THEN regexp_extract("start".time, '^[+-][0-9]+')::BIGINT END AS first_year,
           CASE WHEN "end".precision >= 9
                THEN regexp_extract("end".time, '^[+-][0-9]+')::BIGINT END AS last_year,
           CASE WHEN point.precision >= 9
                THEN regexp_extract(point.time, '^[+-][0-9]+')::BIGINT END AS point_year
    FROM tuple_statements
),
stated AS (
    SELECT m.tuple_id, m.pid, bool_or(m.preferred) AS preferred, bool_or(m.dated) AS dated,
           bool_or(m.ended) AS ended,
           bool_or(list_has_any(t.years, [m.first_year, m.last_year, m.point_year]))
               AS year_in_text,
           -- A statement without a year says nothing of when it held.
           bool_or(coalesce(m.first_year, m.last_year, m.point_year) IS NOT NULL
                   AND len(list_filter(t.years, lambda year: year
                       BETWEEN coalesce(m.first_year, m.point_year, -100000000000)
                       AND coalesce(m.last_year, m.point_year, 100000000000))) > 0)
               AS text_in_time
    FROM moments m
    LEFT JOIN texts t ON t.page_id = m.page_id AND t.document_id = m.document_id
    GROUP BY ALL
)
SELECT l.tuple_id, l.pid, j.is_right, l.sentence_distance, l.intra,
       h.method AS head_method, coalesce(h.score, 0) AS head_score,
       a.method AS tail_method, coalesce(a.score, 0) AS tail_score,
       coalesce(s.preferred, false) AS preferred, coalesce(s.dated, false) AS dated,
       coalesce(s.ended, false) AS ended, coalesce(s.year_in_text, false) AS year_in_text,
       coalesce(s.text_in_time, false) AS text_in_time
FROM labels l
LEFT JOIN judged j ON j.tuple_id = l.tuple_id AND j.pid = l.pid
LEFT JOIN surest h ON h.page_id = l.page_id AND h.document_id = l.document_id
                  AND h.entity = l.head_entity
LEFT JOIN surest a ON a.page_id = l.page_id AND a.document_id = l.document_id
                  AND a.entity = l.tail_entity
LEFT JOIN stated s ON s.tuple_id = l.tuple_id AND s.pid = l.pid
