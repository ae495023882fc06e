-- What a corpus holds; `relmill card` asks these one after the other, and so does an export.
-- @size: documents that give tuples, and what they hold
WITH sizes AS (
    SELECT page_id, document_id, count(*) AS entities, sum(len(mentions)) AS mentions,
           count(qid) AS linked
    FROM entities GROUP BY ALL
),
pairs AS (
    SELECT page_id, document_id, count(*) AS tuples, sum(len(pids)) AS labels,
           count(*) FILTER (len(pids) = 0) AS na, count(*) FILTER (intra) AS intra
    FROM tuples GROUP BY ALL
)
SELECT count(*) AS documents, count(DISTINCT s.page_id) AS pages,
       avg(d.words) AS words, avg(s.entities) AS entities, avg(coalesce(p.labels, 0)) AS labels,
       sum(s.mentions) / sum(s.entities) AS mentions, sum(s.linked) / sum(s.entities) AS linked,
       sum(p.tuples)::BIGINT AS tuples, sum(p.labels)::BIGINT AS all_labels,
       sum(p.na)::BIGINT AS na, sum(p.intra)::BIGINT AS intra
FROM sizes s
JOIN documents d USING (page_id, document_id)
LEFT JOIN pairs p USING (page_id, document_id)
-- @relations: labels by relation
SELECT l.pid, p.label AS relation, count(*) AS labels,
       count(*) FILTER (l.sentence_distance = 0) / count(*) AS in_one_sentence
FROM labels l LEFT JOIN properties p USING (pid)
GROUP BY ALL ORDER BY labels DESC, l.pid
-- @methods: labels by the link of the end that is less sure
SELECT method AS link, count(*) AS labels, count(*) / sum(count(*)) OVER () AS share
FROM labels GROUP BY ALL ORDER BY labels DESC, link
-- @distances: labels by sentences between the nearest mentions
SELECT distance AS sentences_apart, count(*) AS labels, count(*) / sum(count(*)) OVER () AS share
FROM labels GROUP BY ALL ORDER BY min(sentence_distance)
-- @languages: wikis that the texts are of
SELECT language, dbname AS wiki, count(*) AS files FROM site GROUP BY ALL ORDER BY 1
-- @sources: raw files
SELECT source, name AS file, dump_date AS dump, licence, sha256 FROM sources ORDER BY source, ordinal
-- @revisions: revisions that the texts are of
SELECT count(DISTINCT p.revision_id) AS revisions, min(p.revision_time) AS oldest,
       max(p.revision_time) AS newest
FROM pages p WHERE page_id IN (SELECT page_id FROM entities)
