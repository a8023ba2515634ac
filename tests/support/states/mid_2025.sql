-- Several users: `user_email` was added by hand, the key of the sums is still the day alone. Then
-- the first run of Eater Init, on other models, was killed in the middle.
CREATE EXTENSION pg_trgm;
CREATE TABLE "user" (email varchar PRIMARY KEY, register_date varchar, last_activity varchar);
CREATE TABLE dishes (
  id serial PRIMARY KEY, name varchar NOT NULL, calories integer NOT NULL, weight integer NOT NULL,
  ingredients varchar[] NOT NULL, contains json NOT NULL, user_email varchar);
CREATE TABLE dishes_day (
  time serial PRIMARY KEY, date date NOT NULL, dish_name varchar NOT NULL,
  estimated_avg_calories integer NOT NULL, ingredients varchar[] NOT NULL,
  total_avg_weight integer NOT NULL, contains json NOT NULL, user_email varchar);
CREATE TABLE total_for_day (
  today date PRIMARY KEY, total_calories integer NOT NULL, ingredients varchar[] NOT NULL,
  dishes_of_day varchar[] NOT NULL, total_avg_weight integer NOT NULL, contains json NOT NULL,
  user_email varchar);
CREATE TABLE weight (time serial PRIMARY KEY, date varchar NOT NULL, weight float NOT NULL);
INSERT INTO "user"
SELECT 'user' || g || '@example.org', '2025-06-01', NULLIF('2025-06-' || g, '2025-06-13')
FROM generate_series(10, 30) g;
INSERT INTO dishes (name, calories, weight, ingredients, contains, user_email)
SELECT 'dish ' || g, g, g, '{}', '{}', CASE WHEN g % 3 > 0 THEN 'user10@example.org' END
FROM generate_series(1, 100) g;
INSERT INTO dishes_day
SELECT 1748736000 + g * 3600, date '2025-06-01' + g / 24, 'dish ' || g, g, ARRAY['a', NULL], g,
  '{"fat": 1.5}', CASE WHEN g > 150 THEN 'user' || 10 + g % 20 || '@example.org' END
FROM generate_series(1, 400) g;
INSERT INTO total_for_day
SELECT date '2025-01-01' + g, g, '{a}', '{b}', g, '{}',
  CASE WHEN g > 100 THEN 'user10@example.org' END
FROM generate_series(1, 250) g;
INSERT INTO weight
SELECT 1748736000 + g * 86400, to_char(date '2025-06-01' + g, 'YYYY-MM-DD'), 70.3 + g / 100.0
FROM generate_series(1, 120) g;

-- The killed run: a column added and half filled, a proof not yet validated, another validated and
-- not yet used, an index that was being built, one half swapped, and its history.
ALTER TABLE total_for_day ADD COLUMN date date;
UPDATE total_for_day SET date = today WHERE today < '2025-04-01';
ALTER TABLE total_for_day
  ADD CONSTRAINT eater_new_user_email_not_null CHECK (user_email IS NOT NULL) NOT VALID;
ALTER TABLE weight ADD COLUMN user_email varchar;
UPDATE weight SET user_email = 'old-default@example.org';
ALTER TABLE weight ADD CONSTRAINT eater_new_user_email_not_null CHECK (user_email IS NOT NULL);
CREATE UNIQUE INDEX eater_new_total_for_day_pkey ON total_for_day (today, user_email);
CREATE INDEX idx_dishes_day_user_email ON dishes_day (user_email);
UPDATE pg_index SET indisvalid = false, indisready = false
WHERE indexrelid = 'idx_dishes_day_user_email'::regclass;
CREATE INDEX eater_old_idx_weight_date ON weight (weight);
CREATE INDEX idx_weight_date ON weight (date);
CREATE INDEX eater_new_idx_weight_time ON weight (time);
CREATE INDEX idx_weight_time ON weight (time, weight);
CREATE TABLE eater_schema_history (
  run integer PRIMARY KEY, version integer NOT NULL, action text NOT NULL, desired text NOT NULL,
  steps json NOT NULL, finished integer NOT NULL, started_at timestamptz NOT NULL DEFAULT now(),
  verified_at timestamptz, applied_by text NOT NULL DEFAULT current_user,
  tool_version text NOT NULL);
INSERT INTO eater_schema_history (run, version, action, desired, steps, finished, tool_version)
VALUES (1, 1, 'migrate', 'of other models', '[]', 0, '0.9.0');
