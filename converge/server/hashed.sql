-- The hash of each schema's `facts`, in whatever order they come: a part of managed.sql and of
-- around.sql. The sums are of 64 bits, twice.
-- In `code`, the schema's own name with the dot behind it is a mark, so that two schemas read alike.
-- It has to begin a word there, outside of texts and quoted names, or a text that names something
-- (regclass, …). Else the code counts as it is, with the name: then the schema is like no other, and
-- is compared for itself.
SELECT namespace, encode(sha256(convert_to(concat_ws(' ', count(*),
  sum(hashtextextended(fact, 0)), sum(hashtextextended(fact, 1))), 'UTF8')), 'hex') AS hash
FROM (
  SELECT namespace, fact || CASE WHEN code IS NULL THEN '' WHEN marked = code THEN code
    WHEN marked ~ E'[^ (,:['']\x01' OR strpos(regexp_replace(marked,
        E'''\x01?[^'' (:,]*''::reg[a-z]+|(''([^'']|'''')*''|"([^"]|"")*")|[^''"]+', E'\\1', 'g'),
      E'\x01') > 0 THEN code || own
    ELSE marked END AS fact
  FROM (
    SELECT f.namespace, f.fact COLLATE "C" AS fact, f.code COLLATE "C" AS code, n.own,
      replace(f.code COLLATE "C", n.own, E'\x01') AS marked
    FROM facts f JOIN (
      SELECT oid, quote_ident(nspname) || '.' AS own FROM chosen) n ON n.oid = f.namespace) f
) f
GROUP BY namespace
