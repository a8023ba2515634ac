-- A service that went its own way: JSON as text, timestamps, a view in the place of a table, another
-- one on a column of another type, a key that nobody kept, numbers with words, owners that nobody
-- knows. Beside it there is what a run could do.
CREATE TABLE "user" (email varchar PRIMARY KEY, register_date timestamp, last_activity varchar);
CREATE VIEW alcohol_for_day AS
  SELECT date '2025-01-01' AS date, email AS user_email, 0 AS total_drinks FROM "user";
CREATE TABLE dishes (
  id serial PRIMARY KEY, name varchar, calories varchar, contains text,
  user_email varchar CONSTRAINT dishes_owner REFERENCES "user");
CREATE TABLE dishes_day (
  time integer, date varchar, dish_name varchar, ingredients varchar[] NOT NULL,
  user_email varchar);
CREATE TABLE weight (date varchar, weight float);
CREATE VIEW days AS SELECT DISTINCT date FROM dishes_day;

INSERT INTO "user"
SELECT 'user' || g || '@example.org', timestamp '2025-01-01 12:00' + g * interval '1 day', '2025'
FROM generate_series(1, 30) g;
INSERT INTO dishes (name, calories, contains, user_email)
SELECT NULLIF('dish ' || g, 'dish 3'), CASE WHEN g % 50 > 0 THEN g::text ELSE 'many' END,
  '{"fat": ' || g || '}', CASE WHEN g % 9 > 0 THEN 'user1@example.org' END
FROM generate_series(1, 150) g;
INSERT INTO dishes_day
SELECT 1735689600 + g / 2 * 2, '01-01-2025', 'dish ' || g, '{a}', 'user1@example.org'
FROM generate_series(2, 201) g;
INSERT INTO weight SELECT '2025-01-01', g FROM generate_series(1, 40) g;
